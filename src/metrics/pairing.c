/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/pairing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define WAYS 8

/* Laid out by how it is touched: the keys of a set are one cache line. */
struct set {
    uint64_t keys[WAYS];    /* 0: the place is free */
    uint64_t arrived[WAYS]; /* ns, caller's clock */
    struct pairing_message messages[WAYS];
};

struct pairing {
    struct pairing_patience patience;
    size_t mask;       /* number of sets - 1 */
    size_t swept;      /* next set to sweep */
    uint64_t sweep_ns; /* time of the last sweep */
    bool sweeping;     /* sweep_ns is set */
    struct set *sets;
};

int pairing_create(struct pairing **out, size_t capacity, const struct pairing_patience *patience)
{
    size_t count = 1;

    while (count * WAYS < capacity) {
        count *= 2;
    }
    struct pairing *table = calloc(1, sizeof *table);
    struct set *sets = aligned_alloc(64, count * sizeof *sets);
    if (table == NULL || sets == NULL) {
        free(table);
        free(sets);
        return -ENOMEM;
    }
    memset(sets, 0, count * sizeof *sets);
    table->patience = *patience;
    table->sets = sets;
    table->mask = count - 1;
    *out = table;
    return 0;
}

void pairing_free(struct pairing *table)
{
    if (table != NULL) {
        free(table->sets);
        free(table);
    }
}

static bool waited_too_long(const struct pairing_patience *patience, const struct set *set,
                            unsigned place, uint64_t now_ns)
{
    bool query = set->messages[place].kind == KIND_QUERY;
    uint64_t allowed = query ? patience->query_ns : patience->response_ns;
    uint64_t arrived = set->arrived[place];

    return now_ns > arrived && now_ns - arrived > allowed;
}

/* The place of the oldest message of the other kind under `key` that still waits, or WAYS. */
static unsigned find_counterpart(const struct pairing *table, const struct set *set, uint64_t key,
                                 uint8_t kind, uint64_t now_ns)
{
    unsigned found = WAYS;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set->keys[i] != key || set->messages[i].kind == kind ||
            waited_too_long(&table->patience, set, i, now_ns)) {
            continue;
        }
        if (found == WAYS || set->messages[i].time_ns < set->messages[found].time_ns) {
            found = i;
        }
    }
    return found;
}

/* A free place, or else that of the message which has waited longest. */
static unsigned choose_place(const struct set *set)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set->keys[i] == 0) {
            return i;
        }
        if (set->arrived[i] < set->arrived[oldest]) {
            oldest = i;
        }
    }
    return oldest;
}

enum pairing_result pairing_arrive(struct pairing *table, uint64_t key,
                                   const struct pairing_message *message, uint64_t now_ns,
                                   struct pairing_message *other)
{
    struct set *set = &table->sets[key & table->mask];

    key |= 1; /* 0 means free */

    unsigned place = find_counterpart(table, set, key, message->kind, now_ns);
    if (place < WAYS) {
        *other = set->messages[place];
        set->keys[place] = 0;
        return PAIRING_MET;
    }

    place = choose_place(set);
    bool full = set->keys[place] != 0;
    if (full) {
        *other = set->messages[place];
    }
    set->keys[place] = key;
    set->arrived[place] = now_ns;
    set->messages[place] = *message;
    return full ? PAIRING_PUSHED : PAIRING_WAITS;
}

static void sweep_set(const struct pairing *table, struct set *set, uint64_t now_ns,
                      pairing_expired expired, void *context)
{
    for (unsigned i = 0; i < WAYS; i++) {
        if (set->keys[i] != 0 && waited_too_long(&table->patience, set, i, now_ns)) {
            set->keys[i] = 0;
            expired(context, &set->messages[i]);
        }
    }
}

/* How many sets are due since the last sweep, so that each has its turn once a second. */
static size_t sets_due(struct pairing *table, uint64_t now_ns)
{
    size_t sets = table->mask + 1;
    uint64_t elapsed = table->sweeping && now_ns > table->sweep_ns ? now_ns - table->sweep_ns : 0;

    if (!table->sweeping) {
        table->sweeping = true;
        table->sweep_ns = now_ns;
    }
    if (elapsed >= NS_PER_SECOND) {
        table->sweep_ns = now_ns;
        return sets;
    }
    size_t due = (size_t)(elapsed * sets / NS_PER_SECOND);
    table->sweep_ns += due * NS_PER_SECOND / sets; /* what is not due yet counts next time */
    return due;
}

void pairing_sweep(struct pairing *table, uint64_t now_ns, pairing_expired expired, void *context)
{
    for (size_t due = sets_due(table, now_ns); due > 0; due--) {
        sweep_set(table, &table->sets[table->swept], now_ns, expired, context);
        table->swept = (table->swept + 1) & table->mask;
    }
}

void pairing_settle(struct pairing *table, pairing_expired expired, void *context)
{
    for (size_t i = 0; i <= table->mask; i++) {
        for (unsigned place = 0; place < WAYS; place++) {
            if (table->sets[i].keys[place] != 0) {
                table->sets[i].keys[place] = 0;
                expired(context, &table->sets[i].messages[place]);
            }
        }
    }
}
