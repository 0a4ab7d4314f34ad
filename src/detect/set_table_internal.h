/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * set_table_internal.h - entries by key in a table of sets, as in a set-associative cache
 *
 * A key has eight places. Where all are taken, the entry with the least weight makes room. Keys are
 * hashes made with a secret (base/hash.h), so that nobody can choose them to meet in one set.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define SET_WAYS 8

/** The weight of an entry that makes no room. */
#define SET_KEEP 1e18

/** First in each entry. */
struct set_entry {
    uint64_t key;  /* 0: the place is free */
    double weight; /* more than 0, if the entry is worth its place */
};

struct set_table {
    size_t count; /* places */
    size_t entry_size;
    size_t used;        /* places that were taken since it was empty */
    uint64_t evictions; /* entries worth their places that made room, or found none, so far */
    uint8_t *places;
};

/** Bytes that a table of `count` entries takes. */
size_t set_table_memory(size_t count, size_t entry_size);

/** Make an empty table; `count` is a power of two. It ends with set_table_deinit(). Returns 0 or
 *  -ENOMEM. */
NONNULL MUST_USE int set_table_init(struct set_table *table, size_t count, size_t entry_size);

NONNULL void set_table_deinit(struct set_table *table);

/** Free all places. */
NONNULL void set_table_clear(struct set_table *table);

/** The least power of two that is not below `least`, and a set. */
size_t set_table_count(size_t least);

/** The place at `index` below count; NULL where it is free. */
NONNULL void *set_table_at(const struct set_table *table, size_t index);

/** The key's entry, or NULL. */
NONNULL void *set_table_find(const struct set_table *table, uint64_t key);

/** The key's entry, which is all zero but for the key where it is new; NULL where it would have to
 * take the place of one with the weight SET_KEEP. Entries whose weight is at most `worthless` make
 * room as if their places were free. Valid until the table changes. */
NONNULL void *set_table_take(struct set_table *table, uint64_t key, double worthless);

/** As set_table_take(), for an entry that has this weight where it is new; NULL where none in its
 * set is lighter. */
NONNULL void *set_table_take_heavier(struct set_table *table, uint64_t key, double weight);

/** The place number `way`, below SET_WAYS, of the set that the key belongs to; NULL where it is
 * free. */
NONNULL void *set_table_in_set(const struct set_table *table, uint64_t key, unsigned way);

/** Free the place of an entry. */
NONNULL void set_table_remove(struct set_table *table, void *entry);
