/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * frame_ring.h - a bounded queue of pieces of a stream, each a number of whole frames
 *
 * A ring in one block of memory, taken once. The front stays where it is until it is popped, so
 * that one thread may send it while another one pushes, each call under the owner's lock.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"

struct frame_batch {
    struct bytes bytes;
    uint32_t frames;
};

struct frame_ring {
    uint8_t *data;
    size_t size;
    size_t head, tail; /* of the oldest and behind the newest; equal: nothing is there */
};

/** Take `size` bytes. Returns 0 or -ENOMEM; on success the caller ends with frame_ring_deinit(). */
NONNULL MUST_USE int frame_ring_init(struct frame_ring *queue, size_t size);

NONNULL void frame_ring_deinit(struct frame_ring *queue);

/** Copy a batch, of at least one byte, to the end. False, and nothing changed, without room for it.
 */
NONNULL bool frame_ring_push(struct frame_ring *queue, const struct frame_batch *batch);

/** The oldest one. False where there is none. */
NONNULL bool frame_ring_front(const struct frame_ring *queue, struct frame_batch *out);

/** Take the oldest one, which there is, off. */
NONNULL void frame_ring_pop(struct frame_ring *queue);
