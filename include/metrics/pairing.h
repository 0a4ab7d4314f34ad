/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pairing.h - queries and responses that wait for each other, in bounded memory
 *
 * A message that arrives either meets one of the other kind under the same key or waits for one; so
 * a response may come before its query. Of several it meets the one that is nearest in time, with
 * the query before its response: after a retransmission that is the query that was answered. Where
 * one of the two has no question, they meet by the exchange alone (pair_key.h).
 *
 * Both are of the same server, unless the response carries its query's time: that response takes
 * its query off the table whatever identity the server gives it (published dnsdist configurations
 * give queries and responses different ones).
 *
 * A query that was answered is remembered for a while after its last response, if the place is not
 * needed, so that further responses are known: duplicates, and the messages of a zone transfer.
 *
 * The table consists of sets of seven places. A message may wait in either of two sets (Azar et al.
 * 1994, "Balanced allocations"), which fill evenly: the first finds both full when three quarters
 * of all places are used, so there are a third more places than the capacity. Then the message that
 * has waited longest is pushed out. Messages that waited too long are found by a sweep that passes
 * over the whole table about once a second.
 *
 * Keys are 64-bit keyed hashes: two different pairs share one with probability 2^-64, and nobody
 * outside can choose it (base/hash.h). One thread owns a table.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/observation.h"
#include "metrics/pair_key.h"

struct pairing; /* opaque: src/metrics/pairing.c */

/** A message that waits or waited. */
struct pairing_message {
    uint64_t time_ns;         /* when the server saw it, since 1970; 0 where it does not say */
    uint32_t exchange;        /* the table's own: of its key, to know it without its question */
    uint16_t server;          /* its number in the server set */
    uint8_t generation;       /* of that number, see server_set.h */
    uint8_t role : 4;         /* enum role */
    uint8_t kind : 1;         /* enum kind */
    uint8_t has_question : 1; /* its key.question says something */
    uint8_t settled : 1;      /* a response that only has to take its query off the table: it waits
                                 where there is room, and makes room for others */
    uint8_t sampled : 1;      /* its server sends a part of its messages only */
};

/** How long messages are kept. */
struct pairing_patience {
    uint64_t query_ns;    /* a query waits for its response */
    uint64_t response_ns; /* a response waits for its query, which frames out of order may bring
                             later */
    uint64_t answered_ns; /* an answered query is remembered after its last response */
};

/** What came of a message. */
enum pairing_result {
    PAIRING_MET,      /* *other is its counterpart, which waits no longer */
    PAIRING_ANSWERED, /* it is a further response to a query that was answered */
    PAIRING_WAITS,    /* also where it is settled and there was no room for it */
    PAIRING_PUSHED,   /* it waits, in place of *other, which might yet have been met */
    PAIRING_EXPIRED,  /* it waits, in place of *other, which had waited too long, or was the oldest
                         of as many like it as have a place: nobody comes for that one */
};

/** Called with each message that nobody came for. */
typedef void (*pairing_expired)(void *context, const struct pairing_message *message);

/** Bytes that a table for `capacity` waiting messages takes, 55 for each. */
size_t pairing_memory(size_t capacity);

/** Make a table for `capacity` waiting messages; on success the caller frees *out.
 * Returns 0 or -ENOMEM. */
NONNULL MUST_USE int pairing_create(struct pairing **out, size_t capacity,
                                    const struct pairing_patience *patience);

void pairing_free(struct pairing *table);

/** A message with this key arrives soon: fetch the memory that it takes, which is far away. */
NONNULL void pairing_prefetch(const struct pairing *table, const struct pair_key *key);

/** A message arrives at `now_ns`, on the same clock as pairing_sweep(); 0 where that is not known
 *  yet, and then it waits until pairing_settle(). *other is written where the result speaks of it.
 */
NONNULL enum pairing_result pairing_arrive(struct pairing *table, const struct pair_key *key,
                                           const struct pairing_message *message, uint64_t now_ns,
                                           struct pairing_message *other);

/** Whether the query of a response that arrives at `now_ns` waits, or is remembered as answered. */
NONNULL bool pairing_knows_query(const struct pairing *table, const struct pair_key *key,
                                 const struct pairing_message *response, uint64_t now_ns);

/** Time has come to `now_ns`: give up on messages that have waited too long. At most `sets_max`
 * sets are looked at; the rest has its turn later. */
NONNULL void pairing_sweep(struct pairing *table, uint64_t now_ns, size_t sets_max,
                           pairing_expired expired, void *context);

/** Nothing more will come: give up on all that wait. */
NONNULL void pairing_settle(struct pairing *table, pairing_expired expired, void *context);
