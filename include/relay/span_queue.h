/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * span_queue.h - a bounded queue of pieces of a stream, each a number of whole frames
 *
 * A ring in one block of memory, taken once. The front stays where it is until it is popped, so
 * that one thread may send it while another one pushes, each call under the owner's lock.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"

struct span {
    struct bytes bytes;
    uint32_t frames;
};

struct span_queue {
    uint8_t *data;
    size_t size;
    size_t head, tail; /* of the oldest and behind the newest; equal: nothing is there */
};

/** Take `size` bytes. Returns 0 or -ENOMEM; on success the caller ends with span_queue_deinit(). */
NONNULL MUST_USE int span_queue_init(struct span_queue *queue, size_t size);

NONNULL void span_queue_deinit(struct span_queue *queue);

/** Copy a span, of at least one byte, to the end. False, and nothing changed, without room for it.
 */
NONNULL bool span_queue_push(struct span_queue *queue, const struct span *span);

/** The oldest one. False where there is none. */
NONNULL bool span_queue_front(const struct span_queue *queue, struct span *out);

/** Take the oldest one, which there is, off. */
NONNULL void span_queue_pop(struct span_queue *queue);
