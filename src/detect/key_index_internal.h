/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * key_index_internal.h - where the key with a hash is in a table: open addressing, at most half
 * full
 *
 * Hashes are keyed with a secret (base/hash.h), so that nobody can choose them to collide.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define KEY_INDEX_NONE SIZE_MAX

struct key_index {
    size_t mask; /* slots, less one */
    struct key_index_slot {
        uint64_t hash;
        size_t position; /* KEY_INDEX_NONE: the slot is empty */
    } * slots;
};

/** Bytes that the index of `capacity` keys takes. */
size_t key_index_memory(size_t capacity);

/** Make an empty index of `capacity` keys; ends with key_index_deinit(). Returns 0 or -ENOMEM. */
NONNULL MUST_USE int key_index_init(struct key_index *index, size_t capacity);

NONNULL void key_index_deinit(struct key_index *index);

NONNULL void key_index_clear(struct key_index *index);

/** Insert a key that is not in the index. */
NONNULL void key_index_insert(struct key_index *index, uint64_t hash, size_t position);

/** Return the key's position, or KEY_INDEX_NONE. */
NONNULL size_t key_index_find(const struct key_index *index, uint64_t hash);
