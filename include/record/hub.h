/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * hub.h - where the shards' panes and evidence meet: one window and one watch for all
 *
 * A shard hands in what it has counted when a step of the window or an interval of the watch ends,
 * so that the memory of what is past does not grow with the shards, and a burst that comes in
 * through two of them is found once. Bursts are logged here as they begin and end. Any thread; a
 * shard holds its own lock meanwhile, a reader holds none.
 */

#include "base/attr.h"
#include "detect/watch.h"
#include "top/window.h"

struct hub; /* opaque: src/record/hub.c */

struct hub_setup {
    struct pane_shape panes;
    struct watch_setup watch;
    struct client_privacy privacy; /* for the log */
    bool of_frames;                /* the clock is that of frames in files: log lines tell it */
};

/** Make a hub; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int hub_create(struct hub **out, const struct hub_setup *setup);

void hub_free(struct hub *hub);

/** Hand in the pane of a step that ended; see window_add(). */
NONNULL void hub_add_pane(struct hub *hub, uint64_t step, uint64_t now, const struct pane *pane);

/** Hand in the evidence of an interval that ended. */
NONNULL void hub_add_evidence(struct hub *hub, const struct evidence *evidence);

/** Time has come to `now_ns` for all shards: judge the evidence, if it is time. */
NONNULL void hub_advance(struct hub *hub, uint64_t now_ns);

/** A number that changes when a pane is handed in: who adds up shards and then the window has
 *  missed nothing, and nothing twice, if it is the same before and after. */
NONNULL uint64_t hub_version(struct hub *hub);

/** Add the window, as of the step `now`, to `sum`. */
NONNULL void hub_add_window(struct hub *hub, uint64_t now, struct pane *sum);

/** What a detector has found so far. */
struct hub_detections {
    uint64_t begun;
    uint64_t lasting;
    uint64_t overflows; /* see watch_overflows() */
};

/** Write the detectors' counts, and at most `burst_max` bursts that last, as watch_list(). Returns
 * how many bursts there are. */
NONNULL size_t hub_read(struct hub *hub, struct hub_detections detections[DETECTOR_COUNT],
                        struct burst *bursts, size_t burst_max);
