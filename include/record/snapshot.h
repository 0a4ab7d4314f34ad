/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * snapshot.h - the numbers of one moment: what the shards have counted and the detectors found
 *
 * Borrowed from the aggregator (aggregator.h), whose readers are apart until they give it back.
 */

#include "base/attr.h"
#include "record/hub.h"
#include "count/server_set.h"
#include "count/counters.h"
#include "count/label_sets.h"

struct snapshot {
    const struct counters *sum;
    const struct global_counters *global; /* of the sum, lists and detectors included */
    const struct server_info *servers;    /* [sum->server_count] */
    const struct code_label_texts *codes; /* [CODE_KINDS] */
    const struct stream_states *streams;
    const struct pane *window;     /* NULL: no lists, no detectors */
    const uint64_t *top_evictions; /* [TOP_LIST_COUNT] */
    const struct client_privacy *privacy;
    uint64_t window_ns;
    const struct hub_detections *detections; /* [DETECTOR_COUNT] */
    const struct burst *bursts;              /* [burst_count], highest score first */
    size_t burst_count;
    unsigned detectors; /* a bit for each that is on */
};
