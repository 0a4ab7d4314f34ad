/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * code_set.h - DNS numbers that become label values, each with a small slot
 *
 * One set for query types, one for rcodes, one for extended errors. A number that IANA has assigned
 * (as ldns knows it) always gets a slot; of the others only the first `unassigned_max` do, and the
 * rest share CODE_SLOT_OTHER. Lookups take no lock; only a new number does.
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "metrics/dns_mnemonic.h"

/** Slots of a set, which bounds the assigned numbers seen too. */
#define CODE_SLOTS 160

enum {
    CODE_SLOT_OTHER,     /* numbers over the bound */
    CODE_SLOT_MALFORMED, /* the message does not say */
    CODE_SLOT_NONE,      /* the message has none (a query without a question) */
    CODE_SLOTS_FIXED,    /* numbers start here */
};

struct code_set; /* opaque: src/metrics/code_set.c */

/** Writes the label of `code` and says whether the code is assigned. */
typedef bool (*code_namer)(uint16_t code, char label[DNS_MNEMONIC_SIZE]);

/** Make a set; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int code_set_create(struct code_set **out, code_namer namer,
                                     unsigned unassigned_max);

void code_set_free(struct code_set *set);

/** The slot of `code`. Any thread. */
NONNULL unsigned code_set_slot(struct code_set *set, uint16_t code);

/** Slots in use are below this; grows only. Any thread. */
NONNULL unsigned code_set_size(const struct code_set *set);

/** A slot's label, valid as long as the set. `slot` is below code_set_size(). */
NONNULL const char *code_set_label(const struct code_set *set, unsigned slot);

/** A slot's number; 0 for the fixed slots. */
NONNULL uint16_t code_set_code(const struct code_set *set, unsigned slot);
