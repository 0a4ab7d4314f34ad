/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pairing.h - queries and responses that wait for each other, in bounded memory
 *
 * A table of `capacity` waiting messages in sets of eight. What arrives either meets the oldest
 * message of the other kind under the same key or waits for it; so a response may come before its
 * query. Where a set is full, the message that has waited longest is pushed out. Messages that
 * waited too long are found by a sweep that passes over the whole table about once a second.
 *
 * Keys are 64-bit keyed hashes: two different pairs share one with probability 2^-64, and nobody
 * outside can choose it (base/hash.h). One thread owns a table.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/observation.h"

struct pairing; /* opaque: src/metrics/pairing.c */

/** A message that waits or waited. */
struct pairing_message {
    uint64_t time_ns;    /* when the server saw it, since 1970; 0 where it does not say */
    uint16_t server;     /* its number in the server set */
    uint8_t role;        /* enum role */
    uint8_t kind : 1;    /* enum kind */
    uint8_t settled : 1; /* a response that only has to take its query off the table */
};

/** How long the two kinds wait. */
struct pairing_patience {
    uint64_t query_ns;    /* for its response */
    uint64_t response_ns; /* for its query, which frames out of order may bring later */
};

/** What came of a message. */
enum pairing_result {
    PAIRING_MET, /* *other is its counterpart, which waits no longer */
    PAIRING_WAITS,
    PAIRING_PUSHED, /* it waits, in place of *other */
};

/** Called with each message that nobody came for. */
typedef void (*pairing_expired)(void *context, const struct pairing_message *message);

/** Make a table for at least `capacity` waiting messages (rounded up to a power of two of at least
 *  8); on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int pairing_create(struct pairing **out, size_t capacity,
                                    const struct pairing_patience *patience);

void pairing_free(struct pairing *table);

/** A message arrives at `now_ns`, on the same clock as pairing_sweep(). *other is written where
 *  something met or was pushed out. */
NONNULL enum pairing_result pairing_arrive(struct pairing *table, uint64_t key,
                                           const struct pairing_message *message, uint64_t now_ns,
                                           struct pairing_message *other);

/** Time has come to `now_ns`: give up on messages that have waited too long. */
NONNULL void pairing_sweep(struct pairing *table, uint64_t now_ns, pairing_expired expired,
                           void *context);

/** Nothing more will come: give up on all that wait. */
NONNULL void pairing_settle(struct pairing *table, pairing_expired expired, void *context);
