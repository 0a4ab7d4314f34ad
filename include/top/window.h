/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * window.h - a sliding window over panes (Li et al., "No pane, no gain", SIGMOD Record 2005)
 *
 * Time is cut into steps of equal length, numbered by the caller. A window has the panes of the
 * last WINDOW_STEPS steps, the one under way included, and slides by a step. Memory is taken when a
 * window is made. One thread at a time uses a window.
 */

#include "base/attr.h"
#include "top/pane.h"

#define WINDOW_STEPS 10 /* chosen: the window is exact to a tenth */

struct window; /* opaque: src/top/window.c */

/** Bytes that a window takes. */
NONNULL size_t window_memory(const struct pane_shape *shape);

/** Make an empty window of panes of this shape; on success the caller frees *out. Returns 0 or
 *  -ENOMEM. */
NONNULL MUST_USE int window_create(struct window **out, const struct pane_shape *shape);

void window_free(struct window *window);

/** Merge a pane that was counted in the step `step`, now that `now` is under way. Several may be of
 * the same step. One that is not in the window of now, before it or, where the clock went back,
 * after it, is not kept. */
NONNULL void window_merge(struct window *window, uint64_t step, uint64_t now,
                          const struct pane *pane);

/** Write the sum of the panes in the window when the step `now` is under way into *out. It takes a
 * merge of one pane, and once a step of all. */
NONNULL void window_sum(struct window *window, uint64_t now, struct pane *out);

/** Keys that the panes of the window had no room for, so far. */
NONNULL uint64_t window_evictions(const struct window *window, enum top_list list);
