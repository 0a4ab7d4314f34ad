/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * matcher.h - query/response matching in bounded memory (RFC 8618 section 6.2 names the term)
 *
 * A query matches a response under the same key (transaction_key.h). Frames may be out of order, so
 * that a response may be queued before its query. If several messages of the other kind are queued,
 * the one that is nearest in time matches, with the query before its response: after a
 * retransmission that is the query that was answered. If one of the two has no question, both match
 * by their transaction alone.
 *
 * Both are of the same server, unless the response carries its query's time. Such a response
 * removes its query whatever identity the server gives it: published dnsdist configurations give
 * queries and responses different identities.
 *
 * An answered query stays in the table for a while after its last response, if its place is not
 * needed. So the matcher knows further responses: duplicates, and the messages of a zone transfer.
 *
 * The table consists of sets of seven places. A message has its place in one of two sets, in the
 * one that is less full ("Balanced allocations", Azar et al. 1994). The first message finds both
 * sets full when three quarters of all places are used; so there are half as many places again
 * as the capacity. Then the oldest message of the two sets is evicted. A sweep passes over the
 * whole table about once a second and finds the messages that have timed out.
 *
 * Keys are 64-bit keyed hashes. Two different transactions share a key with probability 2^-64, and
 * nobody outside can choose it (base/hash.h). One thread owns a table.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/event.h"
#include "count/transaction_key.h"

#define MATCHER_ASKED_SIZE 16 /* bytes: an IPv6 address */

struct matcher; /* opaque: src/count/matcher.c */

/** A query or a response. */
struct matcher_message {
    uint64_t time_ns;           /* when the server saw it, since 1970; 0 where it does not say */
    uint32_t transaction;       /* set by the matcher: the bits of its key without the question */
    uint16_t server;            /* its number in the server set */
    uint8_t generation;         /* of that number, see server_set.h */
    uint8_t role : 4;           /* enum role */
    uint8_t kind : 1;           /* enum kind */
    uint8_t has_question : 1;   /* its key.question says something */
    uint8_t has_query_time : 1; /* a response that carries its query's time: it only removes its
                               query, and is evicted first */
    uint8_t sampled : 1;        /* its server sends a part of its messages only */
};

/** A message that has left the table. */
struct matcher_removed {
    struct matcher_message message;
    uint8_t asked_len;                 /* bytes of `asked` */
    uint8_t asked[MATCHER_ASKED_SIZE]; /* of a query in a role that asks upstream servers
                                          (decode/event.h): the address that it asked */
};

/** When messages time out. */
struct matcher_timeouts {
    uint64_t query_ns;    /* a query without a response */
    uint64_t response_ns; /* a response without a query, which may be in a later frame */
    uint64_t answered_ns; /* an answered query, after its last response */
};

/** What matcher_enqueue() did with a message. */
enum matcher_result {
    MATCHER_MATCHED,   /* other->message is its counterpart, and has left the table */
    MATCHER_DUPLICATE, /* it is a further response to an answered query */
    MATCHER_QUEUED,    /* it is in the table; one that has_query_time and found no place is not */
    MATCHER_EVICTED,   /* it took the place of *other, which had not timed out */
    MATCHER_TIMED_OUT, /* it took the place of *other, which had timed out, or was the oldest of
                          14 messages with this key: more have no place */
};

/** Called for each message that times out. */
typedef void (*matcher_timeout_fn)(void *context, const struct matcher_removed *removed);

/** Bytes that a table for `capacity` waiting messages takes, 79 for each. The addresses that
 * queries ask are 24 of these, which are touched only for servers that log such queries. */
size_t matcher_memory(size_t capacity);

/** Make a table for `capacity` waiting messages; on success the caller frees *out.
 * Returns 0 or -ENOMEM. */
NONNULL MUST_USE int matcher_create(struct matcher **out, size_t capacity,
                                    const struct matcher_timeouts *timeouts);

void matcher_free(struct matcher *table);

/** Prefetch the memory of this key, for a message that is enqueued soon. */
NONNULL void matcher_prefetch(const struct matcher *table, const struct transaction_key *key);

/** Match a message that arrived at `now_ns`, or put it into the table. `asked` is the address that
 * a query in a role that asks upstream servers is sent to, and not used of others. `now_ns` is on
 * the clock of matcher_sweep(); 0 means that it is not known yet, and then the message stays until
 * matcher_flush(). *other is written if the result speaks of it. */
NONNULL enum matcher_result matcher_enqueue(struct matcher *table,
                                            const struct transaction_key *key,
                                            const struct matcher_message *message,
                                            const struct bytes *asked, uint64_t now_ns,
                                            struct matcher_removed *other);

/** Return whether the table has the query of a response that arrives at `now_ns`, answered or not.
 */
NONNULL bool matcher_knows_query(const struct matcher *table, const struct transaction_key *key,
                                 const struct matcher_message *response, uint64_t now_ns);

/** Remove the messages that have timed out by `now_ns`, and call `on_timeout` for each. At most
 * `sets_max` sets are looked at; the next call goes on behind them. */
NONNULL void matcher_sweep(struct matcher *table, uint64_t now_ns, size_t sets_max,
                           matcher_timeout_fn on_timeout, void *context);

/** Remove all messages, as if they had timed out. */
NONNULL void matcher_flush(struct matcher *table, matcher_timeout_fn on_timeout, void *context);
