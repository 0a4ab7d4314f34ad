/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * detector.h - what a detector is, and the list of all
 *
 * A detector is one file, src/detect/<name>.c, and one row in DETECTORS: recording, evaluation,
 * configuration, metrics, log and JSON walk the list. Besides, it needs its words on the status
 * page (http/status.html). A detector sees the query and the response of each client, the query
 * also where the server sends responses only.
 *
 * It has two kinds of state, and shares a third.
 *
 * A part is what one worker has seen in a second. The worker uses it within its batch, without a
 * lock. The evaluating thread exchanges it for an empty one, and merges it into the evaluator. The
 * evaluator is what the detector remembers; the evaluating thread alone uses it, under no lock that
 * a worker or a scrape waits for.
 *
 * Parts add up: it does not matter which worker has seen what. Which names came before cannot add
 * up: for that there is one filter, of all workers and detectors.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "client/client_event.h"
#include "config/config_row.h"
#include "detect/finding.h"

/** Detectors are evaluated once a second. */
#define DETECT_EVALUATION_NS NS_PER_SECOND

struct block_list_settings; /* client/block_list_settings.h */
struct evidence_kind;
struct known_filter; /* src/detect/known_domains_internal.h */
struct findings;     /* detect/findings.h */
struct public_names; /* src/detect/public_names_internal.h */
struct name_filter;  /* src/detect/name_filter_internal.h */

/** The configuration of a detector: detection.<name>. */
struct detector_settings {
    bool enabled;
    size_t capacity;                   /* keys that are tracked */
    unsigned threshold;                /* of the detector's measure: what has a score of 1 */
    struct name_filter *seen;          /* of all detectors: detect_share() */
    struct public_names *public_names; /* of rebinding: detect_share() */
    const struct block_list_settings *block_lists; /* of block_list; borrowed */
    /* Of new_domain. */
    struct known_filter *known; /* detect_share() */
    uint64_t learning_ns;
    char *state_file; /* borrowed */
    bool is_live;     /* not a recording, which leaves no state */
};

/** One evaluation. */
struct evaluation {
    uint64_t end_ns;           /* on the clock of the events; a multiple of DETECT_EVALUATION_NS */
    struct findings *findings; /* of detectors before in the list, too */
};

struct detector {
    const char *name;    /* label value; section of the configuration */
    const char *title;   /* what its log lines say: "... begins", "... ends" */
    size_t suspects_max; /* that it follows, of detection.capacity; 0: all */

    const struct finding_detail *details; /* [detail_count] */
    unsigned detail_count;

    /* Which messages it looks at, besides the finding's client, domain and time: for
     * finding_command.h. */
    const char *print_flags; /* of `print`, a blank before each */
    bool looks_at_examples;  /* those with the names of the finding's examples */

    const struct evidence_kind *kind; /* src/detect/evidence_internal.h; NULL: another mechanism */

    /** Bytes that an evaluator and `parts` parts take. */
    size_t (*memory)(const struct detector *detector, const struct detector_settings *settings,
                     unsigned parts);

    /* Part. create returns 0 or -ENOMEM. */
    int (*part_create)(void **out, const struct detector *detector,
                       const struct detector_settings *settings);
    void (*part_free)(void *part);
    /** Empty the part, and tell it the time and what the evaluator knows. */
    void (*part_clear)(void *part, const void *evaluator, uint64_t now_ns);
    uint64_t (*part_overflows)(const void *part); /* keys that found no room since part_clear() */

    /* Evaluator. create returns 0 or -ENOMEM. */
    int (*evaluator_create)(void **out, const struct detector *detector,
                            const struct detector_settings *settings);
    void (*evaluator_free)(void *evaluator);
    void (*evaluator_clear)(void *evaluator); /* forget everything but the counts of overflows */
    /** Take in what a worker has seen. */
    void (*merge)(void *evaluator, const void *part);
    /** Report every finding that is active. */
    void (*evaluate)(void *evaluator, const struct evaluation *evaluation);
    /** Whether there is nothing to evaluate until something is merged: seconds without events pass
     * at no cost. */
    bool (*is_idle)(const void *evaluator);
    uint64_t (*overflows)(const void *evaluator); /* keys that found no room, since it was made */
};

/* The order of evaluation: detectors of domains come before those of clients, which ask
 * findings_find_domain(). */
#define DETECTORS(X)                                                                               \
    X(nxdomain_domain)                                                                             \
    X(nxdomain_client)                                                                             \
    X(tunnel)                                                                                      \
    X(amplification)                                                                               \
    X(rebinding)                                                                                   \
    X(new_domain)                                                                                  \
    X(block_list)

/* For each detector, besides the struct:
 *   <name>_record()  count an event with a name into a part. Hot path: no allocation, no failure,
 * no clock, no lock. A function and not a member, so that it is inlined. */
#define DETECTOR_EXTERN(name)                                                                      \
    extern const struct detector detector_##name;                                                  \
    extern const struct config_rows name##_rows; /* its keys, of a struct detector_settings */     \
    NONNULL void name##_record(void *part, struct client_event *event);
DETECTORS(DETECTOR_EXTERN)

#define DETECTOR_INDEX(name) DETECTOR_##name,
enum {
    /* clang-format off */
    DETECTORS(DETECTOR_INDEX)
    /* clang-format on */
    DETECTOR_COUNT
};

/** The detectors in the list's order; index below DETECTOR_COUNT. */
const struct detector *detector_at(unsigned index);
