/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * part.h - what one shard has counted for the lists and the detectors since it was last taken
 *
 * A shard counts into its part under its lock. The aggregator exchanges what is in it for what is
 * empty, and merges it. Memory is taken when a part is made.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "detect/detect.h"
#include "top/pane.h"

struct part {
    struct pane *pane;
    struct detect_part *detect;
    bool has_pane; /* something was counted into the pane since it was emptied */
};

/** Make an empty part; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int part_create(struct part **out, const struct pane_shape *panes,
                                 const struct detect_setup *detectors);

void part_free(struct part *part);

/** Exchange the panes and, if they are due, the parts of the detectors. */
NONNULL void part_exchange(struct part *a, struct part *b, bool detectors_due);

/** What counting an event has found. */
struct part_result {
    bool
        has_search_domain; /* a response that an outside name with a search domain does not exist */
    uint32_t block_lists;  /* struct client_event's */
};

/** Count an event, if it is a client's. If it has a question, `suffixes` and `qname_hash` are its
 * name's, see client_event_read(). `server` is the struct client_event's. A response that
 * `takes_query` counts as its query, too. Hot path: no allocation, no failure. */
NONNULL struct part_result part_record(struct part *part, const struct client_event_rules *rules,
                                       const struct event *event,
                                       const struct dns_name_suffixes *suffixes,
                                       uint64_t qname_hash, uint32_t server, bool takes_query);

/** Count what an event says of the upstream server that its sender asks, in a role that
 * role_asks_upstream(). A response that `takes_query` counts as its query, too; its response time
 * is counted if it has both times. Hot path as part_record(). */
NONNULL void part_record_upstream(struct part *part, const struct event *event,
                                  const struct upstream *upstream, bool takes_query);

/** Count `weight` for an upstream server in one of its lists; nothing where its address is
 * unspecified or `weight` is 0. */
NONNULL void part_count_upstream(struct part *part, enum top_list list,
                                 const struct upstream *upstream, uint64_t weight);

/** Count a further response to a query that was answered: its bytes only. */
NONNULL void part_record_duplicate(struct part *part, const struct client_event_rules *rules,
                                   const struct event *event, uint32_t server);
