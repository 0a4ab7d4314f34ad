/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * matching.h - query/response matching of a shard, and what it counts: response times, unanswered
 * queries, unmatched and duplicate responses
 *
 * Belongs to one shard and is used under its lock.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "count/counters.h"
#include "count/label_sets.h"
#include "count/matcher.h"
#include "count/transaction_key.h"

/** Who is told of servers that others ask, the upstream servers: their addresses are not in the
 * counters. `upstream` is the address, borrowed for the call. */
struct upstream_listener {
    /** A query that counts as unanswered. */
    void (*on_unanswered)(void *context, const struct matcher_message *query,
                          struct bytes upstream);
    /** A response that does not carry its query's time met its query. */
    void (*on_response_time)(void *context, const struct matcher_message *response,
                             struct bytes upstream, uint64_t response_time_ns);
    void *context;
};

struct matching {
    struct label_sets *labels;
    struct counters *counters;     /* where it counts */
    struct stream_counts *streams; /* [servers * ROLE_COUNT], see stream_index() */
    struct matcher *matcher;       /* owned */
    struct upstream_listener upstreams;
};

/** A message on its way into the matcher. */
struct pending_message {
    uint64_t arrived_ns; /* on the clock of the time-outs; the caller's */
    bool has_key;        /* it can have a counterpart, under its key */
    struct transaction_key key;
    struct matcher_message message;
};

/** Make the table of messages that wait. What `matching` has besides is borrowed. Returns 0 or
 *  -ENOMEM; on success the caller ends with matching_deinit(). */
NONNULL MUST_USE int matching_init(struct matching *matching, const struct label_limits *limits);

/** Free the table; an all-zero matching is fine. */
NONNULL void matching_deinit(struct matching *matching);

/** Work out by what the event's counterpart is found, and fetch the memory that this takes.
 * `sampled`: its server sends a part of its messages only. */
NONNULL void matching_prepare(const struct matching *matching, const struct event *event,
                              struct server_ref server, bool sampled, uint64_t qname_hash,
                              struct pending_message *out);

/** Match the event, or let it wait. `flags` are its stream's. Returns false if it is a further
 * response to an answered query. */
NONNULL bool matching_add(struct matching *matching, const struct event *event,
                          struct pending_message *pending, unsigned flags);

/** The counters of the message's server and role; NULL if the server has left. */
static inline struct server_counters *matching_counters(const struct matching *matching,
                                                        const struct matcher_message *message)
{
    struct counters *counters = matching->counters;

    if (message->generation != (uint8_t)counters->generations[message->server]) {
        return NULL;
    }
    return counters_of_server(counters, message->server, (enum role)message->role);
}

/** Count messages whose counterpart did not come until `now_ns`; looks at `sets_max` sets of the
 * table at the most. */
NONNULL void matching_expire(struct matching *matching, uint64_t now_ns, size_t sets_max);

/** Nothing more will come: count all that wait. */
NONNULL void matching_flush(struct matching *matching);
