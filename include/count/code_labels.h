/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * code_labels.h - DNS codes that become label values, each with a small index
 *
 * One set for query types, one for rcodes, one for extended errors. A number that IANA has assigned
 * always gets an index; of the others `unassigned_max` at a time do, and the rest share
 * CODE_LABEL_OTHER. Where all of these indices are taken, a new number gets the index of the one
 * that was seen least recently, if that was at least `expiry_ns` ago. What was counted there
 * belongs to CODE_LABEL_OTHER then: see code_labels_moves(). No label occurs twice.
 *
 * Any thread may call every function. Looking a number up takes no lock; only a new number does.
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "count/dns_mnemonic.h"

/** Indices of a set: the bound of all labels, those of assigned codes included. */
#define CODE_LABELS_MAX 160

/** The most indices that unassigned numbers can have: the rest is enough for all that IANA has
 * assigned (tests/unit/test_code_labels.c). */
#define CODE_UNASSIGNED_MAX 48

enum {
    CODE_LABEL_OTHER,     /* numbers over the bound */
    CODE_LABEL_MALFORMED, /* the message does not say */
    CODE_LABEL_NONE,      /* the message has none (a query without a question) */
    CODE_LABELS_FIXED,    /* numbers start here */
};

struct code_labels; /* opaque: src/count/code_labels.c */

/** Writes the label of `code` and says whether the code is assigned. */
typedef bool (*code_namer)(uint16_t code, char label[DNS_MNEMONIC_SIZE]);

struct code_labels_bounds {
    unsigned unassigned_max; /* at most CODE_UNASSIGNED_MAX */
    uint64_t expiry_ns;
};

/** Bytes that a set takes. */
size_t code_labels_memory(void);

/** Make a set; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int code_labels_create(struct code_labels **out, code_namer namer,
                                        const struct code_labels_bounds *bounds);

void code_labels_free(struct code_labels *set);

/** The index of `code`, which was seen at `now_ns` (monotonic). */
NONNULL unsigned code_labels_index(struct code_labels *set, uint16_t code, uint64_t now_ns);

/** How many numbers have lost their indices so far. */
NONNULL uint32_t code_labels_version(const struct code_labels *set);

/** Move the counts of indices that changed hands after `version` (code_labels_version()) to
 *  CODE_LABEL_OTHER. */
NONNULL void code_labels_moves(const struct code_labels *set, uint32_t version,
                               uint64_t counts[CODE_LABELS_MAX]);

/** What readers show: the labels of one moment. */
struct code_label_texts {
    uint32_t version; /* of that moment */
    struct code_label {
        uint16_t code; /* 0 for the fixed indices */
        char text[DNS_MNEMONIC_SIZE];
    } labels[CODE_LABELS_MAX];
};

/** Copy the labels. */
NONNULL void code_labels_read(struct code_labels *set, struct code_label_texts *out);
