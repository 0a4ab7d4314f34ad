/* SPDX-License-Identifier: Apache-2.0 */
#include "count/code_set.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* In slot_of, in the place of a slot. */
#define UNSEEN     0xff /* not asked for yet */
#define UNASSIGNED 0xfe /* not assigned, and no slot was left for it */

_Static_assert(CODE_SLOTS < UNASSIGNED, "a slot must fit its byte");

/* How long no unassigned number is given a slot after one could not be: a flood of them takes the
 * lock once a second. */
#define RETRY_NS NS_PER_SECOND

struct code_set {
    code_namer namer;
    struct code_set_bounds bounds;
    unsigned first_unassigned; /* unassigned numbers have the slots from here on */
    pthread_mutex_t lock;
    /* Under the lock. */
    unsigned assigned, unassigned; /* slots in use */
    struct code_label slots[CODE_SLOTS];
    /* A release store to slot_of publishes a slot. Relaxed: numbers for themselves. */
    _Atomic uint32_t version;
    _Atomic uint32_t moved[CODE_SLOTS]; /* the version that took the slot from a number */
    _Atomic uint64_t seen_ns[CODE_SLOTS];
    _Atomic uint64_t retry_at_ns;
    _Atomic uint8_t slot_of[UINT16_MAX + 1];
};

size_t code_set_memory(void)
{
    return sizeof(struct code_set) + sizeof(struct code_labels); /* and a reader's copy */
}

int code_set_create(struct code_set **out, code_namer namer, const struct code_set_bounds *bounds)
{
    static const char *const fixed[CODE_SLOTS_FIXED] = {
        [CODE_SLOT_OTHER] = "other",
        [CODE_SLOT_MALFORMED] = "malformed",
        [CODE_SLOT_NONE] = "none",
    };
    struct code_set *set = calloc(1, sizeof *set);

    if (set == NULL) {
        return -ENOMEM;
    }
    set->namer = namer;
    set->bounds = *bounds;
    set->first_unassigned = CODE_SLOTS - bounds->unassigned_max;
    (void)pthread_mutex_init(&set->lock, NULL);
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        atomic_init(&set->slot_of[code], UNSEEN);
    }
    for (unsigned slot = 0; slot < CODE_SLOTS_FIXED; slot++) {
        (void)snprintf(set->slots[slot].text, DNS_MNEMONIC_SIZE, "%s", fixed[slot]);
    }
    set->assigned = CODE_SLOTS_FIXED;
    *out = set;
    return 0;
}

void code_set_free(struct code_set *set)
{
    if (set != NULL) {
        (void)pthread_mutex_destroy(&set->lock);
        free(set);
    }
}

/* --- New numbers; all under the lock --- */

static bool has_label(const struct code_set *set, const char *label)
{
    for (unsigned slot = 0; slot < CODE_SLOTS; slot++) {
        if (strcmp(set->slots[slot].text, label) == 0) {
            return true;
        }
    }
    return false;
}

/* A slot for an assigned number; CODE_SLOT_OTHER where none is left, or where another number goes
 * by the name: two series with the same labels are an error to Prometheus. */
static unsigned assigned_slot(struct code_set *set, const struct code_label *label)
{
    return set->assigned < set->first_unassigned && !has_label(set, label->text) ? set->assigned++
                                                                                 : CODE_SLOT_OTHER;
}

static uint64_t seen_ns(const struct code_set *set, unsigned slot)
{
    return atomic_load_explicit(&set->seen_ns[slot], memory_order_relaxed);
}

/* Take the slot from the number that was seen least recently, if that was long enough ago. */
static unsigned take_slot(struct code_set *set, uint64_t now_ns)
{
    unsigned oldest = set->first_unassigned;

    for (unsigned slot = oldest + 1; slot < CODE_SLOTS; slot++) {
        if (seen_ns(set, slot) < seen_ns(set, oldest)) {
            oldest = slot;
        }
    }
    if (now_ns < seen_ns(set, oldest) || now_ns - seen_ns(set, oldest) < set->bounds.expiry_ns) {
        return CODE_SLOT_OTHER;
    }
    uint32_t version = atomic_load_explicit(&set->version, memory_order_relaxed) + 1;
    atomic_store_explicit(&set->slot_of[set->slots[oldest].code], UNASSIGNED, memory_order_release);
    atomic_store_explicit(&set->moved[oldest], version, memory_order_relaxed);
    atomic_store_explicit(&set->version, version, memory_order_release);
    return oldest;
}

static unsigned unassigned_slot(struct code_set *set, uint64_t now_ns)
{
    unsigned slot = CODE_SLOT_OTHER;

    if (set->unassigned < set->bounds.unassigned_max) {
        slot = set->first_unassigned + set->unassigned++;
    } else if (set->bounds.unassigned_max > 0) {
        slot = take_slot(set, now_ns);
    }
    if (slot == CODE_SLOT_OTHER) {
        atomic_store_explicit(&set->retry_at_ns, now_ns + RETRY_NS, memory_order_relaxed);
    }
    return slot;
}

static unsigned assign_slot(struct code_set *set, uint16_t code, uint64_t now_ns)
{
    struct code_label label = {.code = code};
    bool assigned = set->namer(code, label.text);
    unsigned slot = assigned ? assigned_slot(set, &label) : unassigned_slot(set, now_ns);
    unsigned known_as = slot;

    if (slot != CODE_SLOT_OTHER) {
        set->slots[slot] = label;
    } else if (!assigned) {
        known_as = UNASSIGNED;
    }
    atomic_store_explicit(&set->slot_of[code], (uint8_t)known_as, memory_order_release);
    return slot;
}

static bool has_slot(unsigned known_as)
{
    return known_as < CODE_SLOTS;
}

static unsigned add(struct code_set *set, uint16_t code, uint64_t now_ns)
{
    (void)pthread_mutex_lock(&set->lock);
    unsigned slot = atomic_load_explicit(&set->slot_of[code], memory_order_relaxed);
    if (!has_slot(slot)) { /* no other thread was faster */
        slot = assign_slot(set, code, now_ns);
    }
    (void)pthread_mutex_unlock(&set->lock);
    return slot;
}

unsigned code_set_slot(struct code_set *set, uint16_t code, uint64_t now_ns)
{
    unsigned slot = atomic_load_explicit(&set->slot_of[code], memory_order_acquire);

    if (!has_slot(slot)) {
        if (slot == UNASSIGNED &&
            now_ns < atomic_load_explicit(&set->retry_at_ns, memory_order_relaxed)) {
            return CODE_SLOT_OTHER;
        }
        slot = add(set, code, now_ns);
    }
    if (slot >= set->first_unassigned) {
        atomic_store_explicit(&set->seen_ns[slot], now_ns, memory_order_relaxed);
    }
    return slot;
}

/* --- Slots that changed hands --- */

uint32_t code_set_version(const struct code_set *set)
{
    return atomic_load_explicit(&set->version, memory_order_acquire);
}

void code_set_moves(const struct code_set *set, uint32_t version, uint64_t counts[CODE_SLOTS])
{
    for (unsigned slot = set->first_unassigned; slot < CODE_SLOTS; slot++) {
        if (atomic_load_explicit(&set->moved[slot], memory_order_relaxed) > version) {
            counts[CODE_SLOT_OTHER] += counts[slot];
            counts[slot] = 0;
        }
    }
}

void code_set_read(struct code_set *set, struct code_labels *out)
{
    (void)pthread_mutex_lock(&set->lock);
    out->version = atomic_load_explicit(&set->version, memory_order_relaxed);
    memcpy(out->slots, set->slots, sizeof out->slots);
    (void)pthread_mutex_unlock(&set->lock);
}
