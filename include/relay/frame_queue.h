/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * frame_queue.h - frames on their way from the threads that read them to one that passes them on
 *
 * A frame ring of fixed size under a lock. Whoever pushes never waits for the other thread: a batch
 * that finds no room is dropped, and its frames are counted. Batches that one thread pushes keep
 * their order. The thread that takes them is woken by a system call only while it waits.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "base/attr.h"
#include "base/wakeup.h"
#include "relay/frame_ring.h"

struct frame_queue {
    pthread_mutex_t lock; /* over the ring and `waits` */
    struct frame_ring ring;
    bool waits; /* the thread that takes batches is to be woken */
    struct wakeup changed;
    _Atomic uint64_t *dropped; /* frames that found no room; borrowed */
};

/** Take `size` bytes. Returns 0 or a negative errno; on success the caller ends with
 * frame_queue_deinit(). `dropped` outlives the queue. */
NONNULL MUST_USE int frame_queue_init(struct frame_queue *queue, size_t size,
                                      _Atomic uint64_t *dropped);

/** No thread uses the queue any more. */
NONNULL void frame_queue_deinit(struct frame_queue *queue);

/** Copy a batch, of at least one byte, with the frames' length fields as in the stream, to the end.
 * Any thread. */
NONNULL void frame_queue_push(struct frame_queue *queue, const struct frame_batch *batch);

/** Let frame_queue_wait() return. Any thread. */
NONNULL void frame_queue_wake(struct frame_queue *queue);

/** Wait for a batch, at most until `until_ns` on the monotonic clock. Returns the oldest one, which
 * stays where it is until it is popped; or false: there is none yet. One thread. */
NONNULL bool frame_queue_wait(struct frame_queue *queue, uint64_t until_ns,
                              struct frame_batch *out);

/** Take the oldest batch, which there is, off. The thread that waits. */
NONNULL void frame_queue_pop(struct frame_queue *queue);
