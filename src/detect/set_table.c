/* SPDX-License-Identifier: Apache-2.0 */
#include "set_table_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t set_table_memory(size_t count, size_t entry_size)
{
    return count * entry_size;
}

size_t set_table_count(size_t least)
{
    size_t count = SET_WAYS;

    while (count < least) {
        count *= 2;
    }
    return count;
}

int set_table_init(struct set_table *table, size_t count, size_t entry_size)
{
    *table = (struct set_table){.count = count, .entry_size = entry_size};
    table->places = calloc(count, entry_size);
    return table->places != NULL ? 0 : -ENOMEM;
}

void set_table_deinit(struct set_table *table)
{
    free(table->places);
}

static struct set_entry *entry_at(const struct set_table *table, size_t index)
{
    return (struct set_entry *)(void *)(table->places + index * table->entry_size);
}

/* What is behind the key is cleared when the place is taken. */
void set_table_clear(struct set_table *table)
{
    for (size_t i = 0; i < table->count && table->used > 0; i++) {
        entry_at(table, i)->key = 0;
    }
    table->used = 0;
}

void *set_table_at(const struct set_table *table, size_t index)
{
    struct set_entry *entry = entry_at(table, index);

    return entry->key != 0 ? entry : NULL;
}

/* 0 is no key. */
static uint64_t key_of(uint64_t hash)
{
    return hash != 0 ? hash : 1;
}

static size_t first_of(const struct set_table *table, uint64_t key)
{
    return (key >> 32) % (table->count / SET_WAYS) * SET_WAYS;
}

void *set_table_find(const struct set_table *table, uint64_t key)
{
    size_t first = first_of(table, key);

    for (size_t i = first; i < first + SET_WAYS; i++) {
        struct set_entry *entry = entry_at(table, i);
        if (entry->key == key_of(key)) {
            return entry;
        }
    }
    return NULL;
}

static struct set_entry *lightest(const struct set_table *table, uint64_t key)
{
    size_t first = first_of(table, key);
    struct set_entry *least = entry_at(table, first);

    for (size_t i = first + 1; i < first + SET_WAYS && least->key != 0; i++) {
        struct set_entry *entry = entry_at(table, i);
        if (entry->key == 0 || entry->weight < least->weight) {
            least = entry;
        }
    }
    return least;
}

/* The key's entry; where it is new, it takes the place of the lightest of its set, which must be
 * lighter than `limit`. One that was worth its place counts as evicted. */
static struct set_entry *take_from_lighter(struct set_table *table, uint64_t key, double limit,
                                           double worthless)
{
    struct set_entry *entry = set_table_find(table, key);

    if (entry != NULL) {
        return entry;
    }
    entry = lightest(table, key);
    if (entry->key != 0 && entry->weight >= limit) {
        table->evictions++;
        return NULL;
    }
    table->used += entry->key == 0;
    table->evictions += entry->key != 0 && entry->weight > worthless;
    memset(entry, 0, table->entry_size);
    entry->key = key_of(key);
    return entry;
}

void *set_table_take(struct set_table *table, uint64_t key, double worthless)
{
    return take_from_lighter(table, key, SET_KEEP, worthless);
}

void *set_table_take_heavier(struct set_table *table, uint64_t key, double weight)
{
    struct set_entry *entry = take_from_lighter(table, key, weight, 0);

    if (entry != NULL && entry->weight <= 0) { /* it is new */
        entry->weight = weight;
    }
    return entry;
}

void *set_table_in_set(const struct set_table *table, uint64_t key, unsigned way)
{
    return set_table_at(table, first_of(table, key) + way);
}

void set_table_remove(struct set_table *table, void *entry)
{
    ((struct set_entry *)entry)->key = 0;
    table->used--;
}
