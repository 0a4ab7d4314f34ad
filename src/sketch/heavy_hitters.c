/* SPDX-License-Identifier: Apache-2.0 */
#include "sketch/heavy_hitters.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

/* Half a cache line. */
struct entry {
    uint64_t hash;
    uint64_t upper;
    uint64_t error;
    uint32_t key_offset; /* in the arena */
    uint16_t key_len;
    uint16_t payload; /* number of its payload */
};

_Static_assert(sizeof(struct entry) == 32, "two entries a cache line");

#define NO_ENTRY UINT16_MAX

/* The arena is for keys of this mean length. Names are shorter (20 to 25 bytes in tests/captures),
 * except those that an attacker makes, and then fewer have a place. */
#define KEY_MEAN_MAX 56 /* bytes */

#define ROOM_MAX     (HEAVY_HITTERS_CAPACITY_MAX + (HEAVY_HITTERS_CAPACITY_MAX + 2) / 3)

/* For choosing what goes; what is not used is never touched. */
static _Thread_local uint64_t scratch[ROOM_MAX];

struct heavy_hitters {
    struct heavy_hitters_shape shape;
    size_t room;       /* entries: the capacity and a third more */
    size_t size;       /* entries in use, in the order in which their keys came */
    size_t index_mask; /* slots of the index, less one */
    size_t arena_size; /* bytes */
    size_t arena_len;  /* bytes of keys, in the order of the entries */
    uint64_t absent;   /* the bound for keys that are not here */
    uint64_t total;
    uint64_t evictions;
    struct entry *entries; /* [room] */
    uint16_t *index;       /* [index_mask + 1]: entries by hash, linear probing */
    uint8_t *arena;        /* [arena_size]; what is not used is never touched */
    uint8_t *payloads;     /* [room * payload_size] */
    uint16_t
        *free_payloads; /* [room]: the first room - size are numbers of free payloads; NULL: none */
};

/* At most half of the index is in use, so that a probe ends soon. */
static size_t index_size(size_t room)
{
    size_t size = 16;

    while (size < 2 * room) {
        size *= 2;
    }
    return size;
}

static void clear_index(struct heavy_hitters *sketch)
{
    memset(sketch->index, 0xff, (sketch->index_mask + 1) * sizeof *sketch->index); /* NO_ENTRY */
}

static void heavy_hitters_forget(struct heavy_hitters *sketch)
{
    sketch->size = 0;
    sketch->arena_len = 0;
    sketch->absent = 0;
    sketch->total = 0;
    sketch->evictions = 0;
}

static void heavy_hitters_reset(struct heavy_hitters *sketch)
{
    heavy_hitters_forget(sketch);
    clear_index(sketch);
    for (size_t i = 0; sketch->free_payloads != NULL && i < sketch->room; i++) {
        sketch->free_payloads[i] = (uint16_t)i;
    }
}

size_t heavy_hitters_room(size_t capacity)
{
    return capacity + (capacity + 2) / 3;
}

/* Room for the longest key, and for so many of mean length. */
static size_t arena_size_of(const struct heavy_hitters_shape *shape)
{
    size_t mean = shape->key_max < KEY_MEAN_MAX ? shape->key_max : KEY_MEAN_MAX;

    return shape->key_max + heavy_hitters_room(shape->capacity) * mean;
}

size_t heavy_hitters_memory(const struct heavy_hitters_shape *shape)
{
    size_t room = heavy_hitters_room(shape->capacity);

    size_t payload_size = shape->payload_size > 0 ? shape->payload_size + sizeof(uint16_t) : 0;

    return sizeof(struct heavy_hitters) + arena_size_of(shape) +
           index_size(room) * sizeof(uint16_t) + room * (sizeof(struct entry) + payload_size);
}

size_t heavy_hitters_thread_memory(size_t capacity)
{
    return heavy_hitters_room(capacity) * sizeof scratch[0];
}

int heavy_hitters_create(struct heavy_hitters **out, const struct heavy_hitters_shape *shape)
{
    struct heavy_hitters *sketch = calloc(1, sizeof *sketch);

    if (sketch == NULL) {
        return -ENOMEM;
    }
    size_t room = heavy_hitters_room(shape->capacity);
    size_t slots = index_size(room);
    sketch->shape = *shape;
    sketch->room = room;
    sketch->index_mask = slots - 1;
    sketch->entries = aligned_alloc(64, (room * sizeof *sketch->entries + 63) / 64 * 64);
    sketch->index = malloc(slots * sizeof *sketch->index);
    sketch->arena_size = arena_size_of(shape);
    sketch->arena = malloc(sketch->arena_size);
    if (shape->payload_size > 0) {
        sketch->payloads = malloc(room * shape->payload_size);
        sketch->free_payloads = malloc(room * sizeof *sketch->free_payloads);
    }
    if (!sketch->entries || !sketch->index || !sketch->arena ||
        (shape->payload_size > 0 && (!sketch->payloads || !sketch->free_payloads))) {
        heavy_hitters_free(sketch);
        return -ENOMEM;
    }
    memory_touch(sketch->entries, room * sizeof *sketch->entries);
    memory_touch(sketch->payloads, room * shape->payload_size);
    heavy_hitters_reset(sketch);
    *out = sketch;
    return 0;
}

void heavy_hitters_free(struct heavy_hitters *sketch)
{
    if (sketch != NULL) {
        free(sketch->entries);
        free(sketch->index);
        free(sketch->arena);
        free(sketch->payloads);
        free(sketch->free_payloads);
        free(sketch);
    }
}

/* The slot of the index that leads to `hash`, or the empty one where it belongs. */
static inline uint16_t *heavy_hitters_slot_of(const struct heavy_hitters *sketch, uint64_t hash)
{
    size_t slot = hash & sketch->index_mask;

    while (sketch->index[slot] != NO_ENTRY && sketch->entries[sketch->index[slot]].hash != hash) {
        slot = (slot + 1) & sketch->index_mask;
    }
    return &sketch->index[slot];
}

/* The index is emptied key by key if there are few: the latest first, so that the way to an earlier
 * one stays. */
static void empty_index(struct heavy_hitters *sketch)
{
    if (sketch->size > sketch->index_mask / 16) {
        clear_index(sketch);
        return;
    }
    for (size_t i = sketch->size; i > 0; i--) {
        *heavy_hitters_slot_of(sketch, sketch->entries[i - 1].hash) = NO_ENTRY;
    }
}

static void release_payloads(struct heavy_hitters *sketch)
{
    for (size_t i = 0; sketch->free_payloads != NULL && i < sketch->size; i++) {
        sketch->free_payloads[sketch->room - 1 - i] = sketch->entries[i].payload;
    }
}

void heavy_hitters_clear(struct heavy_hitters *sketch)
{
    if (sketch->total > 0) { /* else nothing was counted since it was last emptied */
        empty_index(sketch);
        release_payloads(sketch);
        heavy_hitters_forget(sketch);
    }
}

static void *payload_of(const struct heavy_hitters *sketch, const struct entry *entry)
{
    size_t size = sketch->shape.payload_size;

    return size > 0 ? sketch->payloads + entry->payload * size : NULL;
}

static inline void swap(uint64_t *a, uint64_t *b)
{
    uint64_t kept = *a;

    *a = *b;
    *b = kept;
}

/* The value that has `rank` others before it when `values` are in order (Hoare's FIND, 1961). They
 * come in the order of arrival, which a sender can choose; `chance`, from a secret hash, keeps him
 * from choosing the pivots as well. The last is none, so that the right part is never empty. */
static uint64_t select_rank(uint64_t *values, size_t count, size_t rank, uint64_t chance)
{
    size_t low = 0;
    size_t high = count - 1;

    while (low < high) {
        chance = chance * UINT64_C(6364136223846793005) + 1; /* Knuth's, TAOCP 3.3.4 */
        uint64_t pivot = values[low + (chance >> 33) % (high - low)];
        size_t i = low;
        size_t j = high;

        for (;;) {
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            swap(&values[i++], &values[j--]);
        }
        if (rank <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
    return values[rank];
}

/* Everything up to the new bound goes; `kept` keys, at least 1, or more were at it or above. */
static uint64_t choose_bound(const struct heavy_hitters *sketch, size_t kept)
{
    for (size_t i = 0; i < sketch->size; i++) {
        scratch[i] = sketch->entries[i].upper;
    }
    return select_rank(scratch, sketch->size, sketch->size - kept, sketch->entries[0].hash);
}

static void heavy_hitters_append(struct heavy_hitters *sketch, const struct entry *entry,
                                 const uint8_t *key)
{
    struct entry *place = &sketch->entries[sketch->size];

    *place = *entry;
    place->key_offset = (uint32_t)sketch->arena_len;
    memmove(sketch->arena + sketch->arena_len, key, entry->key_len);
    sketch->arena_len += entry->key_len;
    *heavy_hitters_slot_of(sketch, entry->hash) = (uint16_t)sketch->size++;
}

static inline void payload_release(struct heavy_hitters *sketch, size_t place, uint16_t payload)
{
    if (sketch->free_payloads != NULL) {
        sketch->free_payloads[place] = payload;
    }
}

/* What is above the new bound moves to the front, in order, keys included; all else goes. */
static void raise_bound(struct heavy_hitters *sketch, uint64_t bound)
{
    size_t old_size = sketch->size;

    sketch->absent = bound;
    sketch->size = 0;
    sketch->arena_len = 0;
    clear_index(sketch);
    for (size_t i = 0; i < old_size; i++) {
        struct entry entry = sketch->entries[i];

        if (entry.upper > sketch->absent) {
            heavy_hitters_append(sketch, &entry, sketch->arena + entry.key_offset);
        } else {
            size_t freed = i - sketch->size;
            payload_release(sketch, sketch->room - old_size + freed, entry.payload);
        }
    }
    sketch->evictions += old_size - sketch->size;
}

static bool heavy_hitters_has_room(const struct heavy_hitters *sketch, size_t key_len)
{
    return sketch->size < sketch->room && key_len <= sketch->arena_size - sketch->arena_len;
}

/* `capacity` keys are kept, or three quarters where the arena is full before the table is. */
COLD static void heavy_hitters_make_room(struct heavy_hitters *sketch, size_t key_len)
{
    while (!heavy_hitters_has_room(sketch, key_len)) {
        size_t most = 1 + sketch->size * 3 / 4;
        size_t kept = sketch->shape.capacity < most ? sketch->shape.capacity : most;
        raise_bound(sketch, choose_bound(sketch, kept));
    }
}

/* What would be left above the bound. */
static uint64_t left_above(const struct heavy_hitters *sketch, uint64_t bound)
{
    uint64_t left = 0;

    for (size_t i = 0; i < sketch->size; i++) {
        uint64_t upper = sketch->entries[i].upper;
        left += upper > bound ? upper - bound : 0;
    }
    return left;
}

/* What is left and `capacity` times the bound are at most the total, as they are wherever room is
 * made: or else the bound could come to be too high later, when `capacity` keys give up what they
 * hold above this one. */
void heavy_hitters_trim(struct heavy_hitters *sketch)
{
    for (uint64_t more = sketch->absent / 8; more > 0; more /= 2) {
        uint64_t bound = sketch->absent + more;

        if (left_above(sketch, bound) + sketch->shape.capacity * bound <= sketch->total) {
            raise_bound(sketch, bound);
            return;
        }
    }
}

/* A key that is not in the table. Returns its payload. */
static void *heavy_hitters_insert(struct heavy_hitters *sketch, uint64_t hash, struct bytes key,
                                  uint64_t upper, uint64_t error)
{
    struct entry entry = {
        .hash = hash,
        .upper = upper,
        .error = error,
        .key_len = (uint16_t)key.len,
        .payload = sketch->free_payloads != NULL
                       ? sketch->free_payloads[sketch->room - sketch->size - 1]
                       : 0,
    };

    heavy_hitters_append(sketch, &entry, key.data);
    void *payload = payload_of(sketch, &entry);
    if (payload != NULL) {
        memset(payload, 0, sketch->shape.payload_size);
    }
    return payload;
}

void *heavy_hitters_count(struct heavy_hitters *sketch, uint64_t hash, struct bytes key,
                          uint64_t weight)
{
    uint16_t number = *heavy_hitters_slot_of(sketch, hash);

    sketch->total += weight;
    if (number != NO_ENTRY) {
        sketch->entries[number].upper += weight;
        return payload_of(sketch, &sketch->entries[number]);
    }
    if (!heavy_hitters_has_room(sketch, key.len)) {
        heavy_hitters_make_room(sketch, key.len);
    }
    return heavy_hitters_insert(sketch, hash, key, sketch->absent + weight, sketch->absent);
}

void *heavy_hitters_find(const struct heavy_hitters *sketch, uint64_t hash)
{
    uint16_t number = *heavy_hitters_slot_of(sketch, hash);

    return number != NO_ENTRY ? payload_of(sketch, &sketch->entries[number]) : NULL;
}

/* A key that only one of two sketches has may have counted in the other as much as an absent one:
 * so every key here first gets the other's bound, which a key of the other then has to give back.
 * Where the table lets go of keys on the way, what was let go or never was here counts at most the
 * new bound, of which the other's is a part. */
void heavy_hitters_merge(struct heavy_hitters *to, const struct heavy_hitters *from,
                         heavy_hitters_join join)
{
    for (size_t i = 0; i < to->size; i++) {
        to->entries[i].upper += from->absent;
        to->entries[i].error += from->absent;
    }
    to->absent += from->absent;
    to->total += from->total;
    for (size_t i = 0; i < from->size; i++) {
        const struct entry *other = &from->entries[i];
        uint16_t number = *heavy_hitters_slot_of(to, other->hash);
        void *payload;

        if (number != NO_ENTRY) {
            struct entry *entry = &to->entries[number];
            entry->upper += other->upper - from->absent;
            entry->error += other->error - from->absent;
            payload = payload_of(to, entry);
        } else {
            if (!heavy_hitters_has_room(to, other->key_len)) {
                heavy_hitters_make_room(to, other->key_len);
            }
            struct bytes key = {from->arena + other->key_offset, other->key_len};
            uint64_t missed = to->absent - from->absent;
            payload = heavy_hitters_insert(to, other->hash, key, other->upper + missed,
                                           other->error + missed);
        }
        if (join != NULL) {
            join(payload, payload_of(from, other));
        }
    }
}

void heavy_hitters_copy(struct heavy_hitters *to, const struct heavy_hitters *from)
{
    to->size = from->size;
    to->arena_len = from->arena_len;
    to->absent = from->absent;
    to->total = from->total;
    to->evictions = from->evictions;
    memcpy(to->entries, from->entries, from->size * sizeof *from->entries);
    memcpy(to->index, from->index, (from->index_mask + 1) * sizeof *from->index);
    memcpy(to->arena, from->arena, from->arena_len);
}

uint64_t heavy_hitters_absent(const struct heavy_hitters *sketch)
{
    return sketch->absent;
}

uint64_t heavy_hitters_total(const struct heavy_hitters *sketch)
{
    return sketch->total;
}

uint64_t heavy_hitters_evictions(const struct heavy_hitters *sketch)
{
    return sketch->evictions;
}

size_t heavy_hitters_size(const struct heavy_hitters *sketch)
{
    return sketch->size;
}

struct heavy_hitter heavy_hitters_at(const struct heavy_hitters *sketch, size_t index)
{
    const struct entry *entry = &sketch->entries[index];

    return (struct heavy_hitter){
        .hash = entry->hash,
        .upper = entry->upper,
        .error = entry->error,
        .key = {sketch->arena + entry->key_offset, entry->key_len},
        .payload = payload_of(sketch, entry),
    };
}

bool heavy_hitters_look_up(const struct heavy_hitters *sketch, uint64_t hash,
                           struct heavy_hitter *out)
{
    uint16_t number = *heavy_hitters_slot_of(sketch, hash);

    if (number == NO_ENTRY) {
        return false;
    }
    *out = heavy_hitters_at(sketch, number);
    return true;
}

static bool comes_before(const struct heavy_hitter *a, const struct heavy_hitter *b)
{
    if (a->upper != b->upper) {
        return a->upper > b->upper;
    }
    return bytes_compare(a->key, b->key) < 0;
}

size_t heavy_hitters_top(const struct heavy_hitters *sketch, struct heavy_hitter *out, size_t count)
{
    size_t listed = 0;

    for (size_t i = 0; i < sketch->size; i++) {
        struct heavy_hitter hitter = heavy_hitters_at(sketch, i);
        size_t place = listed;

        while (place > 0 && comes_before(&hitter, &out[place - 1])) {
            place--;
        }
        if (place == count) {
            continue;
        }
        listed += listed < count;
        memmove(&out[place + 1], &out[place], (listed - place - 1) * sizeof out[0]);
        out[place] = hitter;
    }
    return listed;
}
