/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * snapshot.h - the numbers of one moment: what the shards have counted and the detectors found
 *
 * Borrowed from the aggregator (aggregator.h), whose readers are apart until they give it back.
 */

#include "base/attr.h"
#include "count/server_set.h"
#include "count/counters.h"
#include "count/label_sets.h"
#include "record/evaluator.h"

/** A block list that is in use. */
struct block_list_state {
    const struct block_list_settings *settings;
    struct name_list_counts counts;
    double loaded_seconds; /* since 1970 */
};

struct snapshot {
    const struct counters *sum;
    const struct global_counters *global; /* of the sum, detectors included */
    const struct server_info *servers;    /* [sum->server_count] */
    const struct code_label_texts *codes; /* [CODE_KINDS] */
    const struct stream_states *streams;
    const struct block_list_state *block_lists; /* [block_list_count] */
    unsigned block_list_count;
    const struct evaluator_view *view; /* NULL: no lists, no detectors */
    uint64_t evaluations;              /* of the detectors and lists so far */
    const struct detect_setup *detect;
    const struct client_privacy *privacy, *host_privacy; /* of lists, of findings */
    const struct recordings *recordings;                 /* of the messages of findings */
    uint64_t window_ns;
};
