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
    size_t count;      /* of sets */
    size_t swept;      /* next set to sweep */
    uint64_t sweep_ns; /* time of the last sweep; 0: none yet */
    struct set *sets;
};

int pairing_create(struct pairing **out, size_t capacity, const struct pairing_patience *patience)
{
    size_t count = (capacity + capacity / 3) / WAYS + 1;
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
    table->count = count;
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

/* The clock of files may go back: what is far from now in either direction is of another recording.
 * An arrival at 0 is in a file that begins without time stamps: nobody knows since when it has
 * waited. */
static bool waited_too_long(const struct pairing_patience *patience, const struct set *set,
                            unsigned way, uint64_t now_ns)
{
    bool query = set->messages[way].kind == KIND_QUERY;
    uint64_t allowed = query ? patience->query_ns : patience->response_ns;
    uint64_t arrived = set->arrived[way];
    uint64_t distance = now_ns > arrived ? now_ns - arrived : arrived - now_ns;

    return arrived != 0 && distance > allowed;
}

/* A place in one of the two sets of a key. */
struct place {
    struct set *set; /* NULL: none */
    unsigned way;
};

/* How well two messages fit: the time from query to response; worse than any such where it is
 * negative. Times are below 2^63 (decode/observation.h), so nothing wraps. */
static uint64_t misfit(const struct pairing_message *a, const struct pairing_message *b)
{
    uint64_t query_ns = a->kind == KIND_QUERY ? a->time_ns : b->time_ns;
    uint64_t response_ns = a->kind == KIND_QUERY ? b->time_ns : a->time_ns;
    uint64_t behind_all = UINT64_MAX / 2;

    return response_ns >= query_ns ? response_ns - query_ns : behind_all + (query_ns - response_ns);
}

/* The message of the other kind under `key` that fits best and still waits. */
static struct place find_counterpart(const struct pairing *table, struct set *const sets[2],
                                     uint64_t key, const struct pairing_message *message,
                                     uint64_t now_ns)
{
    struct place found = {NULL, 0};
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 2 * WAYS; i++) {
        struct set *set = sets[i / WAYS];
        unsigned way = i % WAYS;
        if (set->keys[way] != key || set->messages[way].kind == message->kind ||
            waited_too_long(&table->patience, set, way, now_ns)) {
            continue;
        }
        uint64_t distance = misfit(message, &set->messages[way]);
        if (distance < least) {
            least = distance;
            found = (struct place){set, way};
        }
    }
    return found;
}

static unsigned count_free(const struct set *set)
{
    unsigned count = 0;

    for (unsigned way = 0; way < WAYS; way++) {
        count += set->keys[way] == 0;
    }
    return count;
}

/* Whether nobody misses the message. */
static bool is_useless(const struct pairing *table, struct place place, uint64_t now_ns)
{
    return place.set->messages[place.way].settled ||
           waited_too_long(&table->patience, place.set, place.way, now_ns);
}

/* Whether the message in `place` is to go rather than the one in `other`. */
static bool goes_first(const struct pairing *table, struct place place, struct place other,
                       uint64_t now_ns)
{
    bool useless = is_useless(table, place, now_ns);

    if (useless != is_useless(table, other, now_ns)) {
        return useless;
    }
    return place.set->arrived[place.way] < other.set->arrived[other.way];
}

/* A free place in the emptier set, or else that of the message which is to go. */
static struct place choose_place(const struct pairing *table, struct set *const sets[2],
                                 uint64_t now_ns)
{
    struct set *emptier = count_free(sets[0]) >= count_free(sets[1]) ? sets[0] : sets[1];
    struct place chosen = {sets[0], 0};

    for (unsigned way = 0; way < WAYS; way++) {
        if (emptier->keys[way] == 0) {
            return (struct place){emptier, way};
        }
    }
    for (unsigned i = 1; i < 2 * WAYS; i++) {
        struct place place = {sets[i / WAYS], i % WAYS};
        if (goes_first(table, place, chosen, now_ns)) {
            chosen = place;
        }
    }
    return chosen;
}

/* Put the message into the place and say what became of the one that was there. */
static enum pairing_result take_place(const struct pairing *table, struct place place, uint64_t key,
                                      const struct pairing_message *message, uint64_t now_ns,
                                      struct pairing_message *other)
{
    enum pairing_result result = PAIRING_WAITS;

    if (place.set->keys[place.way] != 0 && !place.set->messages[place.way].settled) {
        bool late = waited_too_long(&table->patience, place.set, place.way, now_ns);
        result = late ? PAIRING_EXPIRED : PAIRING_PUSHED;
        *other = place.set->messages[place.way];
    }
    place.set->keys[place.way] = key;
    place.set->arrived[place.way] = now_ns;
    place.set->messages[place.way] = *message;
    return result;
}

enum pairing_result pairing_arrive(struct pairing *table, uint64_t key,
                                   const struct pairing_message *message, uint64_t now_ns,
                                   struct pairing_message *other)
{
    struct set *const sets[2] = {
        &table->sets[(uint32_t)key % table->count],
        &table->sets[(uint32_t)(key >> 32) % table->count],
    };

    key |= 1; /* 0 means free */

    struct place place = find_counterpart(table, sets, key, message, now_ns);
    if (place.set != NULL) {
        *other = place.set->messages[place.way];
        place.set->keys[place.way] = 0;
        return PAIRING_MET;
    }
    place = choose_place(table, sets, now_ns);
    if (message->settled && place.set->keys[place.way] != 0) {
        return PAIRING_WAITS; /* it takes nobody's place */
    }
    return take_place(table, place, key, message, now_ns, other);
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

/* How many sets are due since the last sweep, so that each has its turn once a second. The first
 * sweep, and one at an earlier time than the last, only set the clock. */
static size_t sets_due(struct pairing *table, uint64_t now_ns)
{
    if (table->sweep_ns == 0 || now_ns < table->sweep_ns) {
        table->sweep_ns = now_ns;
        return 0;
    }
    uint64_t elapsed = now_ns - table->sweep_ns;
    if (elapsed >= NS_PER_SECOND) {
        table->sweep_ns = now_ns;
        return table->count;
    }
    size_t due = (size_t)(elapsed * table->count / NS_PER_SECOND);
    table->sweep_ns += due * NS_PER_SECOND /
                       table->count; /* what is not due yet counts next time */
    return due;
}

void pairing_sweep(struct pairing *table, uint64_t now_ns, pairing_expired expired, void *context)
{
    for (size_t due = sets_due(table, now_ns); due > 0; due--) {
        sweep_set(table, &table->sets[table->swept], now_ns, expired, context);
        table->swept = (table->swept + 1) % table->count;
    }
}

void pairing_settle(struct pairing *table, pairing_expired expired, void *context)
{
    for (size_t i = 0; i < table->count; i++) {
        for (unsigned place = 0; place < WAYS; place++) {
            if (table->sets[i].keys[place] != 0) {
                table->sets[i].keys[place] = 0;
                expired(context, &table->sets[i].messages[place]);
            }
        }
    }
}
