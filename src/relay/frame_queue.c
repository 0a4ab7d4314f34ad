/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/frame_queue.h"

int frame_queue_init(struct frame_queue *queue, size_t size, _Atomic uint64_t *dropped)
{
    *queue = (struct frame_queue){.dropped = dropped};
    int result = wakeup_init(&queue->changed);

    if (result < 0) {
        return result;
    }
    result = frame_ring_init(&queue->ring, size);
    if (result < 0) {
        wakeup_deinit(&queue->changed);
        return result;
    }
    (void)pthread_mutex_init(&queue->lock, NULL);
    return 0;
}

void frame_queue_deinit(struct frame_queue *queue)
{
    frame_ring_deinit(&queue->ring);
    wakeup_deinit(&queue->changed);
    (void)pthread_mutex_destroy(&queue->lock);
}

void frame_queue_push(struct frame_queue *queue, const struct frame_batch *batch)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool pushed = frame_ring_push(&queue->ring, batch);
    bool waits = queue->waits;
    (void)pthread_mutex_unlock(&queue->lock);
    if (waits) {
        wakeup_signal(&queue->changed);
    }
    if (!pushed) {
        atomic_fetch_add_explicit(queue->dropped, batch->frames, memory_order_relaxed);
    }
}

void frame_queue_wake(struct frame_queue *queue)
{
    wakeup_signal(&queue->changed);
}

static bool take_front(struct frame_queue *queue, bool waits, struct frame_batch *out)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool there = frame_ring_front(&queue->ring, out);
    queue->waits = waits && !there;
    (void)pthread_mutex_unlock(&queue->lock);
    return there;
}

bool frame_queue_wait(struct frame_queue *queue, uint64_t until_ns, struct frame_batch *out)
{
    if (take_front(queue, until_ns > 0, out)) {
        return true;
    }
    if (until_ns == 0) {
        return false;
    }
    wakeup_wait(&queue->changed, until_ns);
    wakeup_clear(&queue->changed);
    return take_front(queue, false, out);
}

void frame_queue_pop(struct frame_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    frame_ring_pop(&queue->ring);
    (void)pthread_mutex_unlock(&queue->lock);
}
