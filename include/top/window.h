/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * window.h - a rolling window over panes
 *
 * Time is cut into steps of equal length, numbered by the caller. A window of WINDOW_STEPS holds
 * the panes of the last WINDOW_STEPS - 1 that have ended; whoever counts the step under way adds
 * it. Memory is taken when a window is made. One thread at a time uses a window.
 */

#include "base/attr.h"
#include "top/pane.h"

#define WINDOW_STEPS 10

struct window; /* opaque: src/top/window.c */

/** Bytes that a window takes. */
NONNULL size_t window_memory(const struct pane_shape *shape);

/** Make an empty window of panes of this shape; on success the caller frees *out. Returns 0 or
 *  -ENOMEM. */
NONNULL MUST_USE int window_create(struct window **out, const struct pane_shape *shape);

void window_free(struct window *window);

/** Add a pane that was counted in the step `step`, now that `now` is under way. Several may be of
 * the same step. One that is not in the window of now, before it or, where the clock went back,
 * after it, is not kept. */
NONNULL void window_add(struct window *window, uint64_t step, uint64_t now,
                        const struct pane *pane);

/** Add to *sum the pane number `index`, below WINDOW_STEPS - 1, if it is in the window when `now`
 * is under way: all of them make the sum. */
NONNULL void window_add_to(const struct window *window, unsigned index, uint64_t now,
                           struct pane *sum);
