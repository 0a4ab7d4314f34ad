/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/connection_table.h"

#include <stdlib.h>

static bool connection_table_grow(struct connection_table *table)
{
    if (table->count < table->space) {
        return true;
    }
    size_t space = table->space > 0 ? 2 * table->space : 64;
    struct connection_entry **entries = realloc(table->entries,
                                                space * sizeof(struct connection_entry *));
    if (entries == NULL) {
        return false;
    }
    table->entries = entries;
    table->space = space;
    return true;
}

struct connection_entry *connection_table_add(struct connection_table *table, unsigned input,
                                              unsigned worker, uint64_t now_ns)
{
    struct connection_entry *entry = connection_table_grow(table) ? calloc(1, sizeof *entry) : NULL;

    if (entry != NULL) {
        entry->input = input;
        entry->worker = worker;
        atomic_init(&entry->heard_ns, now_ns);
        table->entries[table->count++] = entry;
    }
    return entry;
}

static void remove_ended(struct connection_table *table)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        struct connection_entry *entry = table->entries[i];
        if (atomic_load_explicit(&entry->ended, memory_order_acquire)) {
            free(entry);
        } else {
            table->entries[kept++] = entry;
        }
    }
    table->count = kept;
}

static bool is_open(const struct connection_entry *entry, unsigned input)
{
    return !entry->closing && (input == CONNECTION_TABLE_ALL || entry->input == input) &&
           !atomic_load_explicit(&entry->ended, memory_order_relaxed);
}

size_t connection_table_count(struct connection_table *table, unsigned input)
{
    size_t count = 0;

    remove_ended(table);
    for (size_t i = 0; i < table->count; i++) {
        count += is_open(table->entries[i], input);
    }
    return count;
}

/* Whether `a` makes room before `b`. */
static bool goes_first(struct connection_entry *a, struct connection_entry *b)
{
    bool a_has_frames = atomic_load_explicit(&a->has_frames, memory_order_relaxed);
    bool b_has_frames = atomic_load_explicit(&b->has_frames, memory_order_relaxed);

    if (a_has_frames != b_has_frames) {
        return b_has_frames;
    }
    return atomic_load_explicit(&a->heard_ns, memory_order_relaxed) <
           atomic_load_explicit(&b->heard_ns, memory_order_relaxed);
}

struct connection_entry *connection_table_most_silent(const struct connection_table *table,
                                                      unsigned input)
{
    struct connection_entry *chosen = NULL;

    for (size_t i = 0; i < table->count; i++) {
        struct connection_entry *entry = table->entries[i];
        if (is_open(entry, input) && (chosen == NULL || goes_first(entry, chosen))) {
            chosen = entry;
        }
    }
    return chosen;
}

struct connection_entry *connection_table_next(const struct connection_table *table, unsigned input,
                                               size_t *place)
{
    while (*place < table->count) {
        struct connection_entry *entry = table->entries[(*place)++];
        if (is_open(entry, input)) {
            return entry;
        }
    }
    return NULL;
}

void connection_table_deinit(struct connection_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->entries[i]);
    }
    free(table->entries);
    *table = (struct connection_table){0};
}
