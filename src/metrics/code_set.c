/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/code_set.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define UNSEEN 0xff /* in slot_of: no slot asked for yet */

_Static_assert(CODE_SLOTS < UNSEEN, "a slot must fit its byte");

struct code {
    uint16_t code;
    char label[DNS_MNEMONIC_SIZE];
};

struct code_set {
    code_namer namer;
    unsigned unassigned_left;
    pthread_mutex_t adding;
    /* Entries below size never change; release stores to size and slot_of publish them. */
    atomic_uint size;
    struct code codes[CODE_SLOTS];
    _Atomic uint8_t slot_of[UINT16_MAX + 1];
};

int code_set_create(struct code_set **out, code_namer namer, unsigned unassigned_max)
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
    set->unassigned_left = unassigned_max;
    (void)pthread_mutex_init(&set->adding, NULL);
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        atomic_init(&set->slot_of[code], UNSEEN);
    }
    for (unsigned slot = 0; slot < CODE_SLOTS_FIXED; slot++) {
        (void)snprintf(set->codes[slot].label, sizeof set->codes[slot].label, "%s", fixed[slot]);
    }
    atomic_init(&set->size, CODE_SLOTS_FIXED);
    *out = set;
    return 0;
}

void code_set_free(struct code_set *set)
{
    if (set != NULL) {
        (void)pthread_mutex_destroy(&set->adding);
        free(set);
    }
}

/* Give `code` a slot if the bounds allow. Called under the lock. */
static unsigned assign_slot(struct code_set *set, uint16_t code)
{
    unsigned slot = atomic_load_explicit(&set->size, memory_order_relaxed);
    struct code entry = {.code = code};
    bool assigned = set->namer(code, entry.label);

    if (slot == CODE_SLOTS || (!assigned && set->unassigned_left == 0)) {
        return CODE_SLOT_OTHER;
    }
    if (!assigned) {
        set->unassigned_left--;
    }
    set->codes[slot] = entry;
    atomic_store_explicit(&set->size, slot + 1, memory_order_release);
    return slot;
}

static unsigned add(struct code_set *set, uint16_t code)
{
    (void)pthread_mutex_lock(&set->adding);
    unsigned slot = atomic_load_explicit(&set->slot_of[code], memory_order_relaxed);
    if (slot == UNSEEN) { /* no other thread was faster */
        slot = assign_slot(set, code);
        atomic_store_explicit(&set->slot_of[code], (uint8_t)slot, memory_order_release);
    }
    (void)pthread_mutex_unlock(&set->adding);
    return slot;
}

unsigned code_set_slot(struct code_set *set, uint16_t code)
{
    unsigned slot = atomic_load_explicit(&set->slot_of[code], memory_order_acquire);

    return slot != UNSEEN ? slot : add(set, code);
}

unsigned code_set_size(const struct code_set *set)
{
    return atomic_load_explicit(&set->size, memory_order_acquire);
}

const char *code_set_label(const struct code_set *set, unsigned slot)
{
    return set->codes[slot].label;
}

uint16_t code_set_code(const struct code_set *set, unsigned slot)
{
    return set->codes[slot].code;
}
