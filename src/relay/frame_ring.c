/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/frame_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Before each batch's bytes. A length of 0 says that the next one is at the ring's beginning. */
struct header {
    uint32_t len;
    uint32_t frames;
};

/* Spans begin where a header may. */
static size_t space_of(size_t len)
{
    size_t align = sizeof(struct header);
    return align + (len + align - 1) / align * align;
}

int frame_ring_init(struct frame_ring *queue, size_t size)
{
    *queue = (struct frame_ring){.data = malloc(size), .size = size};
    return queue->data != NULL ? 0 : -ENOMEM;
}

void frame_ring_deinit(struct frame_ring *queue)
{
    free(queue->data);
    *queue = (struct frame_ring){0};
}

static void write_header(struct frame_ring *queue, size_t at, const struct header *header)
{
    memcpy(queue->data + at, header, sizeof *header);
}

static struct header read_header(const struct frame_ring *queue, size_t at)
{
    struct header header;

    memcpy(&header, queue->data + at, sizeof header);
    return header;
}

/* Where a batch of so many bytes, header and all, goes. The tail never comes up to the head, which
 * would look like an empty queue, and leaves room for the header that leads back to the beginning.
 */
static bool find_place(const struct frame_ring *queue, size_t space, size_t *at)
{
    size_t end = queue->tail < queue->head ? queue->head : queue->size;

    if (end - queue->tail > space + sizeof(struct header)) {
        *at = queue->tail;
        return true;
    }
    *at = 0;
    return queue->tail >= queue->head && queue->head > space;
}

bool frame_ring_push(struct frame_ring *queue, const struct frame_batch *batch)
{
    const struct header header = {(uint32_t)batch->bytes.len, batch->frames};
    const struct header back = {0};
    size_t space = space_of(batch->bytes.len);
    size_t at;

    if (!find_place(queue, space, &at)) {
        return false;
    }
    if (at != queue->tail) {
        write_header(queue, queue->tail, &back);
    }
    write_header(queue, at, &header);
    memcpy(queue->data + at + sizeof header, batch->bytes.data, batch->bytes.len);
    queue->tail = at + space;
    return true;
}

/* Where the oldest one is, which there is. */
static size_t front_at(const struct frame_ring *queue)
{
    return read_header(queue, queue->head).len > 0 ? queue->head : 0;
}

bool frame_ring_front(const struct frame_ring *queue, struct frame_batch *out)
{
    if (queue->head == queue->tail) {
        return false;
    }
    size_t at = front_at(queue);
    struct header header = read_header(queue, at);
    *out = (struct frame_batch){{queue->data + at + sizeof header, header.len}, header.frames};
    return true;
}

void frame_ring_pop(struct frame_ring *queue)
{
    size_t at = front_at(queue);

    queue->head = at + space_of(read_header(queue, at).len);
    if (queue->head == queue->tail) { /* all of the ring is free, in one piece */
        queue->head = queue->tail = 0;
    }
}
