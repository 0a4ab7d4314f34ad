/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * message_counter.h - what one DNS message counts under its server and role, without its
 * counterpart
 *
 * Hot path: no allocation, no failure.
 */

#include "base/attr.h"
#include "count/counters.h"
#include "count/label_sets.h"

/** Where a message counts. */
struct message_counter {
    struct label_sets *labels;
    struct server_counters *server;
    struct answer_counters *answers; /* NULL: answers are not counted */
    struct global_counters *global;  /* codes over a bound count there, too */
    uint64_t now_ns;                 /* on the clock of the label sets */
};

/** Count the event's message. */
NONNULL void message_counter_add(const struct message_counter *counter, const struct event *event);

/** Count the query that a response answers, for a server that sends responses only: from the
 * query's message if the frame carries it, else from the question. The event takes over the
 * question of the query if it has none. */
NONNULL void message_counter_add_query_of(const struct message_counter *counter,
                                          struct event *event);
