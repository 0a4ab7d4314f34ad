/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * heavy_hitters.h - the keys with the largest counts, in bounded memory, with a known error
 *
 * Counts as Space-Saving shows them (Metwally et al. 2005): of a key in the table the true count
 * lies in [upper - error, upper]; of a key that is not, it is at most heavy_hitters_absent().
 * Room is made as Misra-Gries sketches do it at line rate (Anderson et al., IMC 2017): a full table
 * lets go, at once, of at least a quarter of its keys, those with the smallest counts. So an update
 * touches two cache lines, one of the index and one entry, where Space-Saving's minimum needs a
 * heap or a list; weights may be of any size; and sketches add up (Agarwal et al., "Mergeable
 * Summaries", PODS 2012).
 *
 * The bound: heavy_hitters_absent() <= total / capacity at any time, also after merges, so every
 * key with more than total / capacity is in the table, and no error is larger than that. Each time
 * the bound rises by d, at least `capacity` keys hold d or more above the old one, and all give up
 * d; and what is given up was counted before.
 *
 * Keys are told apart by a 64-bit hash that the caller makes with a secret (base/hash.h): two keys
 * share one with probability 2^-64, and nobody outside can choose it. A key's bytes are stored
 * once. Memory is taken when a sketch is made, that for keys' bytes as they need it; and by
 * each thread that first makes room. One thread owns a sketch.
 */

#include "base/attr.h"
#include "base/bytes.h"

#define HEAVY_HITTERS_CAPACITY_MAX 40000 /* with a third more, entries have 16-bit numbers */

struct heavy_hitters; /* opaque: src/sketch/heavy_hitters.c */

struct heavy_hitters_shape {
    size_t capacity;     /* 1 to HEAVY_HITTERS_CAPACITY_MAX: the bound's denominator; the table has
                            room for a third more, of a mean length of 56 bytes at the most: if keys
                            are longer, it holds fewer, and bounds are higher */
    size_t key_max;      /* bytes of the longest key, at most 65535 */
    size_t payload_size; /* bytes that each key carries for the caller, zero at first; 0 for none */
};

/** Bytes that a sketch takes. */
NONNULL size_t heavy_hitters_memory(const struct heavy_hitters_shape *shape);

/** The most keys that a sketch has room for. */
size_t heavy_hitters_room(size_t capacity);

/** Bytes that each thread takes that makes room in sketches of at most this capacity. */
size_t heavy_hitters_thread_memory(size_t capacity);

/** Make a sketch; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int heavy_hitters_create(struct heavy_hitters **out,
                                          const struct heavy_hitters_shape *shape);

void heavy_hitters_free(struct heavy_hitters *sketch);

/** Empty the sketch. */
NONNULL void heavy_hitters_clear(struct heavy_hitters *sketch);

/** Count `weight`, at least 1, for `key`, whose hash is `hash`. The key is copied when it is new.
 * Returns its payload, valid until the sketch next changes, or NULL where there are none. */
NONNULL void *heavy_hitters_count(struct heavy_hitters *sketch, uint64_t hash, struct bytes key,
                                  uint64_t weight);

/** The payload of the key with this hash, valid until the sketch next changes; NULL where the key
 *  is not in the table. */
NONNULL void *heavy_hitters_find(const struct heavy_hitters *sketch, uint64_t hash);

/** Adds the payload `from` to `to`, whose key is new where `to` is all zero. */
typedef void (*heavy_hitters_join)(void *to, const void *from);

/** Add all that `from`, a sketch of the same shape, has counted. `join` puts payloads together;
 *  NULL where there are none. */
void heavy_hitters_merge(struct heavy_hitters *to, const struct heavy_hitters *from,
                         heavy_hitters_join join);

/** Make *to, a sketch of the same shape without payloads, what `from` is. */
NONNULL void heavy_hitters_copy(struct heavy_hitters *to, const struct heavy_hitters *from);

/** Let go of the keys that say next to nothing: those whose upper count is at most an eighth above
 *  what an absent key may have, or less than an eighth where the bound needs it. Under a flood of
 * keys that are all different this leaves next to nothing to keep; where nothing was let go of yet,
 * it keeps everything. */
NONNULL void heavy_hitters_trim(struct heavy_hitters *sketch);

/** The most that a key can have counted which is not in the table. */
NONNULL uint64_t heavy_hitters_absent(const struct heavy_hitters *sketch);

/** The sum of all weights. */
NONNULL uint64_t heavy_hitters_total(const struct heavy_hitters *sketch);

/** Keys let go of since the sketch was made, by a full table or a trim. */
NONNULL uint64_t heavy_hitters_evictions(const struct heavy_hitters *sketch);

/** Keys in the table. */
NONNULL size_t heavy_hitters_size(const struct heavy_hitters *sketch);

struct heavy_hitter {
    uint64_t hash;
    uint64_t upper; /* the true count lies in [upper - error, upper] */
    uint64_t error;
    struct bytes key; /* borrowed: valid until the sketch next changes */
    void *payload;    /* borrowed like the key; NULL if the sketch has no payloads */
};

/** The key number `index`, below heavy_hitters_size(), in no order. */
NONNULL struct heavy_hitter heavy_hitters_at(const struct heavy_hitters *sketch, size_t index);

/** Find the key with this hash. Returns whether it is in the table; *out is written only then. */
NONNULL bool heavy_hitters_look_up(const struct heavy_hitters *sketch, uint64_t hash,
                                   struct heavy_hitter *out);

/** Write the at most `count` keys with the largest upper counts to `out`, largest first, equal ones
 *  by their bytes. Returns how many there are. */
NONNULL size_t heavy_hitters_top(const struct heavy_hitters *sketch, struct heavy_hitter *out,
                                 size_t count);
