/* SPDX-License-Identifier: Apache-2.0 */
#include "key_index_internal.h"

#include <errno.h>
#include <stdlib.h>

static size_t slot_count(size_t capacity)
{
    size_t count = 16;

    while (count < 2 * capacity) {
        count *= 2;
    }
    return count;
}

size_t key_index_memory(size_t capacity)
{
    return slot_count(capacity) * sizeof(struct key_index_slot);
}

int key_index_init(struct key_index *index, size_t capacity)
{
    size_t count = slot_count(capacity);

    index->slots = malloc(count * sizeof index->slots[0]);
    if (index->slots == NULL) {
        return -ENOMEM;
    }
    index->mask = count - 1;
    key_index_clear(index);
    return 0;
}

void key_index_deinit(struct key_index *index)
{
    free(index->slots);
    index->slots = NULL;
}

void key_index_clear(struct key_index *index)
{
    for (size_t i = 0; i <= index->mask; i++) {
        index->slots[i].position = KEY_INDEX_NONE;
    }
}

/* The slot of the key, or the empty one where it belongs. */
static struct key_index_slot *key_index_slot_of(const struct key_index *index, uint64_t hash)
{
    size_t at = hash & index->mask;

    while (index->slots[at].position != KEY_INDEX_NONE && index->slots[at].hash != hash) {
        at = (at + 1) & index->mask;
    }
    return &index->slots[at];
}

void key_index_insert(struct key_index *index, uint64_t hash, size_t position)
{
    *key_index_slot_of(index, hash) = (struct key_index_slot){.hash = hash, .position = position};
}

size_t key_index_find(const struct key_index *index, uint64_t hash)
{
    return key_index_slot_of(index, hash)->position;
}
