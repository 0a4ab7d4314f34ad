/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * evaluator.h - the window of the lists and the detectors, over the parts of all shards
 *
 * One thread takes the parts and evaluates them: the evaluating thread, or the one that reads
 * files. It publishes the result in a view, of which there are two: readers have one while it
 * writes the other. So nobody waits for the evaluation. Detections are logged as they begin and
 * end.
 */

#include "base/attr.h"
#include "detect/finding_command.h"
#include "record/part.h"
#include "top/window.h"

struct evaluator; /* opaque: src/record/evaluator.c */

/** A window that nothing leaves, as when a file is read. */
#define ANALYSIS_OF_ALL_NS UINT64_MAX

/** Lists, distinct counts and detectors; all zero: none. */
struct analysis_setup {
    struct pane_shape panes;
    struct detect_setup detect;
    size_t findings_max; /* in a view */
    uint64_t window_ns;  /* at least WINDOW_STEPS nanoseconds, or ANALYSIS_OF_ALL_NS */
    struct client_privacy privacy;
    struct client_privacy host_privacy; /* of the clients of findings */
    struct network *forwarders;         /* [forwarder_count] */
    size_t forwarder_count;
    const struct block_list_settings *block_lists; /* [block_list_count]; they outlive it */
    unsigned block_list_count;                     /* 0 where the detector is off */
    struct recordings recordings; /* that have the messages of findings; they outlive it */
};

#define EVALUATOR_NOTES_MAX 100 /* in a view; chosen */

/** What was published. */
struct evaluator_view {
    struct pane *window;
    uint64_t top_evictions[TOP_LIST_COUNT];
    struct findings_count detections[DETECTOR_COUNT];
    uint64_t detect_overflows; /* of all detectors */
    struct finding *findings;  /* [finding_count], the highest score first */
    size_t finding_count;
    struct finding *ended; /* [ended_count], the latest first */
    size_t ended_count;
    struct finding_note *notes; /* [note_count], the latest first */
    size_t note_count;
    unsigned readers;
};

/** Bytes that an evaluator takes, without parts. */
NONNULL size_t evaluator_memory(const struct analysis_setup *setup);

/** Make an evaluator; on success the caller frees *out. `of_frames`: its clock is that of frames in
 * files, and log lines tell it. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int evaluator_create(struct evaluator **out, const struct analysis_setup *setup,
                                      bool of_frames);

void evaluator_free(struct evaluator *evaluator);

/** Take what the part's pane has, counted until `now_ns`, and empty it. */
NONNULL void evaluator_take_pane(struct evaluator *evaluator, struct part *part, uint64_t now_ns);

/** Whether the detectors' parts are to be taken at `now_ns`: detect_is_due(). */
NONNULL bool evaluator_is_due(const struct evaluator *evaluator, uint64_t now_ns);

/** Take what the part has for the detectors, counted until `now_ns`, and empty it. */
NONNULL void evaluator_take_detect(struct evaluator *evaluator, struct part *part, uint64_t now_ns);

/** Whether a step of the window has ended at `now_ns`. */
NONNULL bool evaluator_slides(const struct evaluator *evaluator, uint64_t now_ns);

/** Time has come to `now_ns`: slide the window, and evaluate the detectors if it is time. */
NONNULL void evaluator_advance(struct evaluator *evaluator, uint64_t now_ns);

/** Evaluate the detectors alone: their time has come to `now_ns`. */
NONNULL void evaluator_detect(struct evaluator *evaluator, uint64_t now_ns);

/** Publish the window and the findings, unless a reader still has the view before last: then the
 * next call does. */
NONNULL void evaluator_publish(struct evaluator *evaluator);

/** Return the view that was published last, and how many evaluations it has. It stays as it is
 * until evaluator_release(). Any thread. */
NONNULL const struct evaluator_view *evaluator_acquire(struct evaluator *evaluator,
                                                       uint64_t *evaluations);

NONNULL void evaluator_release(struct evaluator *evaluator, const struct evaluator_view *view);
