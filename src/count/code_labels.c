/* SPDX-License-Identifier: Apache-2.0 */
#include "count/code_labels.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* In index_of, in the place of an index. */
#define UNSEEN     0xff /* not asked for yet */
#define UNASSIGNED 0xfe /* not assigned, and no index was left for it */

_Static_assert(CODE_LABELS_MAX < UNASSIGNED, "an index must fit its byte");

/* How long no unassigned number is given an index after one could not be: a flood of them takes the
 * lock once a second. */
#define RETRY_NS NS_PER_SECOND

struct code_labels {
    code_namer namer;
    struct code_labels_bounds bounds;
    unsigned first_unassigned; /* unassigned numbers have the indices from here on */
    pthread_mutex_t lock;
    /* Under the lock. */
    unsigned assigned, unassigned; /* indices in use */
    struct code_label labels[CODE_LABELS_MAX];
    /* A release store to index_of publishes an index. Relaxed: numbers for themselves. */
    _Atomic uint32_t version;
    _Atomic uint32_t moved[CODE_LABELS_MAX]; /* the version that took the index from a number */
    _Atomic uint64_t seen_ns[CODE_LABELS_MAX];
    _Atomic uint64_t retry_at_ns;
    _Atomic uint8_t index_of[UINT16_MAX + 1];
};

size_t code_labels_memory(void)
{
    return sizeof(struct code_labels) + sizeof(struct code_label_texts); /* and a reader's copy */
}

int code_labels_create(struct code_labels **out, code_namer namer,
                       const struct code_labels_bounds *bounds)
{
    static const char *const fixed[CODE_LABELS_FIXED] = {
        [CODE_LABEL_OTHER] = "other",
        [CODE_LABEL_MALFORMED] = "malformed",
        [CODE_LABEL_NONE] = "none",
    };
    struct code_labels *set = calloc(1, sizeof *set);

    if (set == NULL) {
        return -ENOMEM;
    }
    set->namer = namer;
    set->bounds = *bounds;
    set->first_unassigned = CODE_LABELS_MAX - bounds->unassigned_max;
    (void)pthread_mutex_init(&set->lock, NULL);
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        atomic_init(&set->index_of[code], UNSEEN);
    }
    for (unsigned index = 0; index < CODE_LABELS_FIXED; index++) {
        (void)snprintf(set->labels[index].text, DNS_MNEMONIC_SIZE, "%s", fixed[index]);
    }
    set->assigned = CODE_LABELS_FIXED;
    *out = set;
    return 0;
}

void code_labels_free(struct code_labels *set)
{
    if (set != NULL) {
        (void)pthread_mutex_destroy(&set->lock);
        free(set);
    }
}

/* --- New numbers; all under the lock --- */

static bool has_label(const struct code_labels *set, const char *label)
{
    for (unsigned index = 0; index < CODE_LABELS_MAX; index++) {
        if (strcmp(set->labels[index].text, label) == 0) {
            return true;
        }
    }
    return false;
}

/* A index for an assigned number; CODE_LABEL_OTHER where none is left, or where another number goes
 * by the name: two series with the same labels are an error to Prometheus. */
static unsigned take_assigned_index(struct code_labels *set, const struct code_label *label)
{
    return set->assigned < set->first_unassigned && !has_label(set, label->text) ? set->assigned++
                                                                                 : CODE_LABEL_OTHER;
}

static uint64_t seen_ns(const struct code_labels *set, unsigned index)
{
    return atomic_load_explicit(&set->seen_ns[index], memory_order_relaxed);
}

/* Take the index from the number that was seen least recently, if that was long enough ago. */
static unsigned take_index(struct code_labels *set, uint64_t now_ns)
{
    unsigned oldest = set->first_unassigned;

    for (unsigned index = oldest + 1; index < CODE_LABELS_MAX; index++) {
        if (seen_ns(set, index) < seen_ns(set, oldest)) {
            oldest = index;
        }
    }
    if (now_ns < seen_ns(set, oldest) || now_ns - seen_ns(set, oldest) < set->bounds.expiry_ns) {
        return CODE_LABEL_OTHER;
    }
    uint32_t version = atomic_load_explicit(&set->version, memory_order_relaxed) + 1;
    atomic_store_explicit(&set->index_of[set->labels[oldest].code], UNASSIGNED,
                          memory_order_release);
    atomic_store_explicit(&set->moved[oldest], version, memory_order_relaxed);
    atomic_store_explicit(&set->version, version, memory_order_release);
    return oldest;
}

static unsigned take_unassigned_index(struct code_labels *set, uint64_t now_ns)
{
    unsigned index = CODE_LABEL_OTHER;

    if (set->unassigned < set->bounds.unassigned_max) {
        index = set->first_unassigned + set->unassigned++;
    } else if (set->bounds.unassigned_max > 0) {
        index = take_index(set, now_ns);
    }
    if (index == CODE_LABEL_OTHER) {
        atomic_store_explicit(&set->retry_at_ns, now_ns + RETRY_NS, memory_order_relaxed);
    }
    return index;
}

static unsigned assign_index(struct code_labels *set, uint16_t code, uint64_t now_ns)
{
    struct code_label label = {.code = code};
    bool assigned = set->namer(code, label.text);
    unsigned index = assigned ? take_assigned_index(set, &label)
                              : take_unassigned_index(set, now_ns);
    unsigned known_as = index;

    if (index != CODE_LABEL_OTHER) {
        set->labels[index] = label;
    } else if (!assigned) {
        known_as = UNASSIGNED;
    }
    atomic_store_explicit(&set->index_of[code], (uint8_t)known_as, memory_order_release);
    return index;
}

static bool has_index(unsigned known_as)
{
    return known_as < CODE_LABELS_MAX;
}

COLD static unsigned code_labels_add(struct code_labels *set, uint16_t code, uint64_t now_ns)
{
    (void)pthread_mutex_lock(&set->lock);
    unsigned index = atomic_load_explicit(&set->index_of[code], memory_order_relaxed);
    if (!has_index(index)) { /* no other thread was faster */
        index = assign_index(set, code, now_ns);
    }
    (void)pthread_mutex_unlock(&set->lock);
    return index;
}

unsigned code_labels_index(struct code_labels *set, uint16_t code, uint64_t now_ns)
{
    unsigned index = atomic_load_explicit(&set->index_of[code], memory_order_acquire);

    if (!has_index(index)) {
        if (index == UNASSIGNED &&
            now_ns < atomic_load_explicit(&set->retry_at_ns, memory_order_relaxed)) {
            return CODE_LABEL_OTHER;
        }
        index = code_labels_add(set, code, now_ns);
    }
    if (index >= set->first_unassigned) {
        atomic_store_explicit(&set->seen_ns[index], now_ns, memory_order_relaxed);
    }
    return index;
}

/* --- Slots that changed hands --- */

uint32_t code_labels_version(const struct code_labels *set)
{
    return atomic_load_explicit(&set->version, memory_order_acquire);
}

void code_labels_moves(const struct code_labels *set, uint32_t version,
                       uint64_t counts[CODE_LABELS_MAX])
{
    for (unsigned index = set->first_unassigned; index < CODE_LABELS_MAX; index++) {
        if (atomic_load_explicit(&set->moved[index], memory_order_relaxed) > version) {
            counts[CODE_LABEL_OTHER] += counts[index];
            counts[index] = 0;
        }
    }
}

void code_labels_read(struct code_labels *set, struct code_label_texts *out)
{
    (void)pthread_mutex_lock(&set->lock);
    out->version = atomic_load_explicit(&set->version, memory_order_relaxed);
    memcpy(out->labels, set->labels, sizeof out->labels);
    (void)pthread_mutex_unlock(&set->lock);
}
