/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * code_set.h - DNS numbers that become label values, each with a small slot
 *
 * One set for query types, one for rcodes, one for extended errors. A number that IANA has assigned
 * always gets a slot; of the others `unassigned_max` at a time do, and the rest share
 * CODE_SLOT_OTHER. Where all of these slots are taken, a new number gets the slot of the one that
 * was seen least recently, if that was at least `expiry_ns` ago. What was counted there belongs to
 * CODE_SLOT_OTHER then: see code_set_moves(). No label occurs twice.
 *
 * Any thread may call every function. Looking a number up takes no lock; only a new number does.
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "count/dns_mnemonic.h"

/** Slots of a set, which bounds the assigned numbers seen too. */
#define CODE_SLOTS 160

/** The most slots that unassigned numbers can have: the rest is enough for all that IANA has
 * assigned (tests/unit/test_code_set.c). */
#define CODE_UNASSIGNED_MAX 48

enum {
    CODE_SLOT_OTHER,     /* numbers over the bound */
    CODE_SLOT_MALFORMED, /* the message does not say */
    CODE_SLOT_NONE,      /* the message has none (a query without a question) */
    CODE_SLOTS_FIXED,    /* numbers start here */
};

struct code_set; /* opaque: src/count/code_set.c */

/** Writes the label of `code` and says whether the code is assigned. */
typedef bool (*code_namer)(uint16_t code, char label[DNS_MNEMONIC_SIZE]);

struct code_set_bounds {
    unsigned unassigned_max; /* at most CODE_UNASSIGNED_MAX */
    uint64_t expiry_ns;
};

/** Bytes that a set takes. */
size_t code_set_memory(void);

/** Make a set; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int code_set_create(struct code_set **out, code_namer namer,
                                     const struct code_set_bounds *bounds);

void code_set_free(struct code_set *set);

/** The slot of `code`, which was seen at `now_ns` (monotonic). */
NONNULL unsigned code_set_slot(struct code_set *set, uint16_t code, uint64_t now_ns);

/** How many numbers have lost their slots so far. */
NONNULL uint32_t code_set_version(const struct code_set *set);

/** Move the counts of slots that changed hands after `version` (code_set_version()) to
 *  CODE_SLOT_OTHER. */
NONNULL void code_set_moves(const struct code_set *set, uint32_t version,
                            uint64_t counts[CODE_SLOTS]);

/** What readers show: the labels of one moment. */
struct code_labels {
    uint32_t version; /* of that moment */
    struct code_label {
        uint16_t code; /* 0 for the fixed slots */
        char text[DNS_MNEMONIC_SIZE];
    } slots[CODE_SLOTS];
};

/** Copy the labels. */
NONNULL void code_set_read(struct code_set *set, struct code_labels *out);
