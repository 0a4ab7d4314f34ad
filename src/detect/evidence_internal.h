/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * evidence_internal.h - what detectors have in common that add up evidence by key in leaky sums
 *
 * A part has an entry for each key that there was evidence of in its second. The evaluator merges
 * these, adds them to the keys' sums, and follows the keys with the largest sums closely: its
 * suspects. Where one event is evidence enough there are no sums. Entries and suspects are the
 * detector's own; they begin with a struct set_entry, of which an entry's weight says what makes
 * room, and a suspect's is that of its sum, or SET_KEEP.
 */

#include "base/clock.h"
#include "detect/detector.h"
#include "held_names_internal.h"
#include "leaky_sum_internal.h"

struct evidence;

/** What makes a detector's evidence its own. */
struct evidence_kind {
    size_t places; /* of a part's table, a power of two */
    size_t entry_size;
    void (*join)(void *to, const void *from); /* adds entries; `to` is new where it is all zero */
    /** Add a name that was held to its entry; NULL: none is held. */
    void (*add_held)(void *entry, const struct held_name *name);
    size_t sums; /* a power of two; 0: none is needed */
    double leak; /* of the sums, a second */
    size_t suspect_size;
    size_t shared_size; /* of what all its parts share */
    /** Report the suspect if it is a finding: for evidence_evaluate_and_report(). */
    void (*report)(const struct evidence *evidence, const void *suspect, struct findings *findings);
    bool (*keeps)(const struct evidence *evidence, void *suspect); /* false: it is forgotten */
    void (*take)(struct evidence *evidence, const void *entry);    /* add it to its sum */
};

#define EVIDENCE_WORDS 64

struct evidence_part {
    struct name_filter *seen;
    struct public_names *public_names; /* of rebinding */
    unsigned threshold;
    uint64_t minute;                   /* number of the one in which the part was emptied */
    uint64_t followed[EVIDENCE_WORDS]; /* bits of hashes, at first those of the evaluator */
    struct held_names held;
    struct set_table table;
};

struct evidence {
    const struct evidence_kind *kind;
    struct detector_settings settings;
    double second; /* of the evaluation */
    struct leaky_sums sums;
    struct set_table suspects;
    struct set_table merged;           /* entries of all parts, since the last evaluation */
    struct held_names fresh, held;     /* since the last evaluation; before it */
    uint64_t followed[EVIDENCE_WORDS]; /* for the parts */
};

/** Follow a hash, and whether it, or one with the same bit, is followed. */
static inline void evidence_follow(uint64_t words[EVIDENCE_WORDS], uint64_t hash)
{
    words[hash >> 6 & (EVIDENCE_WORDS - 1)] |= UINT64_C(1) << (hash & 63);
}

static inline bool evidence_is_followed(const uint64_t words[EVIDENCE_WORDS], uint64_t hash)
{
    return (words[hash >> 6 & (EVIDENCE_WORDS - 1)] >> (hash & 63) & 1) != 0;
}

/** The moment at which a second ends, for since_ns of a finding. */
static inline uint64_t evidence_ns(double second)
{
    return (uint64_t)second * NS_PER_SECOND;
}

/** Hold the event's name, which counts `weight` for `key`, if it has a search domain. Returns false
 * where it has none, or there is no room: then it counts at once. */
NONNULL bool evidence_hold(struct evidence_part *part, struct client_event *event, uint64_t key,
                           double weight);

/** Where an evaluation begins: forget suspects, release names that were held, and take all entries.
 */
NONNULL void evidence_evaluate(struct evidence *evidence, const struct evaluation *evaluation);

/** For `keeps`, of a suspect whose finding ends when its sum has leaked away. *ends says that it
 * has ended, and is to be reported for the last time. */
NONNULL bool evidence_keeps_sum(const struct evidence *evidence, uint64_t key, bool is_active,
                                bool *ends);

/** For `keeps`, of a suspect whose finding ends so many seconds after the last event. */
NONNULL bool evidence_keeps_recent(const struct evidence *evidence, double last_second,
                                   double quiet_seconds, bool *ends);

/* As the members of struct detector. */
NONNULL void evidence_evaluate_and_report(void *evidence, const struct evaluation *evaluation);
NONNULL MUST_USE int evidence_part_create(void **out, const struct detector *detector,
                                          const struct detector_settings *settings);
void evidence_part_free(void *part);
NONNULL void evidence_part_clear(void *part, const void *evidence, uint64_t now_ns);
NONNULL uint64_t evidence_part_overflows(const void *part);
NONNULL MUST_USE int evidence_create(void **out, const struct detector *detector,
                                     const struct detector_settings *settings);
void evidence_free(void *evidence);
NONNULL void evidence_clear(void *evidence);
NONNULL void evidence_merge(void *evidence, const void *part);
NONNULL bool evidence_is_idle(const void *evidence);
NONNULL uint64_t evidence_overflows(const void *evidence);
NONNULL size_t evidence_memory(const struct detector *detector,
                               const struct detector_settings *settings, unsigned parts);

/** The members of a struct detector that do not depend on what its evidence is. */
#define EVIDENCE_MEMBERS                                                                           \
    .memory = evidence_memory, .part_create = evidence_part_create,                                \
    .evaluator_create = evidence_create, .part_free = evidence_part_free,                          \
    .part_clear = evidence_part_clear, .part_overflows = evidence_part_overflows,                  \
    .evaluator_free = evidence_free, .evaluator_clear = evidence_clear, .merge = evidence_merge,   \
    .is_idle = evidence_is_idle, .overflows = evidence_overflows
