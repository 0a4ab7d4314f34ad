/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * findings.h - the findings of all detectors, from begin to end
 *
 * Detectors report levels: in each evaluation every finding that is active. From these, begins and
 * ends are derived here, so that no detector can forget to end a finding. Memory is taken when it
 * is made. One thread owns the findings.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "detect/detector.h"

#define FINDINGS_ENDED_MAX 100  /* that are kept; chosen */
#define FINDINGS_NOTES_MAX 100  /* chosen */
#define FINDINGS_NOTED_MAX 8192 /* domains that were noted; chosen: 128 KiB */

struct findings; /* opaque: src/detect/findings.c */

/** Bytes that `capacity` findings take. */
size_t findings_memory(size_t capacity);

/** Make room for `capacity` active findings: as many as all detectors together can report. On
 * success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int findings_create(struct findings **out, size_t capacity);

void findings_free(struct findings *findings);

/** Called for each finding that begins or ends; ended_ns says which. */
typedef void (*finding_changed)(void *context, const struct finding *finding);

/** Called for each note. */
typedef void (*finding_noted)(void *context, const struct finding_note *note);

/** Who hears of what happens in an evaluation. */
struct findings_listener {
    finding_changed changed;
    finding_noted noted;
    void *context;
};

/** Begin the evaluation at `now_ns`. */
NONNULL void findings_begin(struct findings *findings, uint64_t now_ns,
                            const struct findings_listener *listener);

/** Report a finding, which is copied; its began_ns and ended_ns are ignored, and of its since_ns
 * the earliest stays. A new finding that finds no room is ignored. If a finding has just ended,
 * report it once more with `is_active` false: then it ends with these last details. */
NONNULL void findings_report(struct findings *findings, const struct finding *finding,
                             bool is_active);

/** Note something, which counts as begun and is not active. */
NONNULL void findings_note(struct findings *findings, const struct finding_note *note);

/** Whether the detector has noted the domain in the last day, unless there were more than
 *  FINDINGS_NOTED_MAX notes since. */
NONNULL bool findings_noted_lately(const struct findings *findings, const struct detector *detector,
                                   uint64_t domain_hash);

/** Return the finding whose subject is this domain alone, if a detector has reported it in this
 * evaluation; NULL otherwise. Valid until the next report. */
NONNULL const struct finding *findings_find_domain(const struct findings *findings,
                                                   uint64_t domain_hash);

/** End the evaluation: what was not reported as active ends. */
NONNULL void findings_end(struct findings *findings);

/** The findings of one detector. */
struct findings_count {
    uint64_t begun;  /* so far */
    uint64_t active; /* now */
};

NONNULL struct findings_count findings_count(const struct findings *findings, unsigned detector);

/** Copy at most `count` of the active findings: of each detector, and of each block list, at least
 * an equal share, if it has as many, those with the highest scores, which come first. Returns how
 * many were copied. */
NONNULL size_t findings_list(const struct findings *findings, struct finding *out, size_t count);

/** Copy at most `count` of the findings that have ended, the latest first. Returns how many were
 * copied. */
NONNULL size_t findings_list_ended(const struct findings *findings, struct finding *out,
                                   size_t count);

/** Copy at most `count` of the notes, the latest first. Returns how many were copied. */
NONNULL size_t findings_list_notes(const struct findings *findings, struct finding_note *out,
                                   size_t count);
