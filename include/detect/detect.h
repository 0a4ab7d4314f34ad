/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * detect.h - all detectors together: the part of a worker, and the evaluation
 *
 * Memory is taken when a part or the evaluation is made.
 */

#include "base/attr.h"
#include "detect/detector.h"
#include "detect/findings.h"

struct detect;      /* the evaluators and the findings: src/detect/detect.c */
struct detect_part; /* the parts of one worker */

/* clang-format off */
#define DETECTION_KEYS(KEY, S)                                                                     \
    KEY(S, number, capacity, "detection.capacity", "500", .least = 10, .most = 5000,               \
        .help = "Clients, and domains, that each detector follows at the same time (8 KB for one " \
                "of each, and 3 KB more for each worker).")                                        \
    KEY(S, number, max_series, "detection.max_series", "50", .least = 1, .most = 1000,             \
        .help = "Series of dnstap_detection_score.")
/* clang-format on */

struct detection_settings {
    DETECTION_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows detection_rows; /* of a struct detection_settings */

struct detect_setup {
    struct detector_settings detectors[DETECTOR_COUNT];
};

/** Whether any detector is on. */
NONNULL bool detect_is_on(const struct detect_setup *setup);

/** Bytes that the evaluation and `parts` parts take. */
NONNULL size_t detect_memory(const struct detect_setup *setup, unsigned parts);

/** Make the parts of one worker; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int detect_part_create(struct detect_part **out, const struct detect_setup *setup);

void detect_part_free(struct detect_part *part);

/** Show the event to every detector that is on. Hot path: no allocation, no failure. */
NONNULL void detect_part_record(struct detect_part *part, struct client_event *event);

/** Make the evaluators; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int detect_create(struct detect **out, const struct detect_setup *setup);

void detect_free(struct detect *detect);

/** Return a bit for each detector whose parts have been counted into for long enough at `now_ns`,
 * and are to be taken before the evaluation. */
NONNULL unsigned detect_due(const struct detect *detect, uint64_t now_ns);

/** Exchange the parts of the detectors that are due. */
NONNULL void detect_part_exchange(struct detect_part *a, struct detect_part *b, unsigned due);

/** Take in what a worker has seen for the detectors that are due, and empty their parts. */
NONNULL void detect_merge(struct detect *detect, struct detect_part *part, unsigned due);

/** Time has come to `now_ns`: make the evaluations that are due, and call `changed` for each
 * finding that begins or ends. A clock that went back by a minute, or an hour on, ends all
 * findings. */
NONNULL void detect_evaluate(struct detect *detect, uint64_t now_ns, finding_changed changed,
                             void *context);

NONNULL const struct findings *detect_findings(const struct detect *detect);

/** Keys that the detector had no room for, so far. */
NONNULL uint64_t detect_overflows(const struct detect *detect, unsigned detector);
