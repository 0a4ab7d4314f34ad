/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * feed.h - one shard's share of the lists and of the evidence, until it is handed in at the hub
 *
 * Belongs to one shard and is used under its lock. Memory is taken when a feed is made.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "record/hub.h"

struct feed; /* opaque: src/record/feed.c */

struct feed_setup {
    struct hub *hub; /* outlives the feed */
    struct client_event_rules
        rules; /* the table outlives the feed or the next feed_set_suffixes() */
    struct pane_shape panes;
    size_t evidence_capacity;
    bool has_evidence;    /* some detector is on */
    uint64_t step_ns;     /* of the window */
    uint64_t patience_ns; /* how long after an interval's end its evidence is judged: by then all
                             shards have handed in theirs */
};

/** Make a feed; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int feed_create(struct feed **out, const struct feed_setup *setup);

void feed_free(struct feed *feed);

/** Look names up in another table from now on. */
NONNULL void feed_set_suffixes(struct feed *feed, const struct suffix_table *suffixes);

/** Count a message, if it is a client's; what is given of its name is as in sighting_read(). A
 *  response that `takes_query` counts as its query, too. Hot path: no allocation, no failure. */
NONNULL void feed_record(struct feed *feed, const struct event *event,
                         const struct dns_name_suffixes *suffixes, uint64_t qname_hash,
                         bool takes_query);

/** Count a further response to a query that was answered: its bytes only. */
NONNULL void feed_record_duplicate(struct feed *feed, const struct event *event);

/** Whether steps or intervals have ended at `now_ns`, so that feed_follow() has something to do. */
NONNULL bool feed_is_due(const struct feed *feed, uint64_t now_ns);

/** Time has come to `now_ns`: hand in what belongs to steps and intervals that ended. */
NONNULL void feed_follow(struct feed *feed, uint64_t now_ns);

/** Have the evidence judged, if the time has come: about twice a second. */
NONNULL void feed_judge(struct feed *feed, uint64_t now_ns);

/** Add what was not handed in yet to `sum`, and raise *step to its step. */
NONNULL void feed_add_to(const struct feed *feed, struct pane *sum, uint64_t *step);

/** Keys that a list's table let go of since the start, see heavy_hitters_evictions(). */
NONNULL uint64_t feed_evictions(const struct feed *feed, enum top_list list);

/** The same, of the evidence for a detector. */
NONNULL uint64_t feed_evidence_evictions(const struct feed *feed, enum detector detector);
