/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/span_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Before each span's bytes. A length of 0 says that the next one is at the ring's beginning. */
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

int span_queue_init(struct span_queue *queue, size_t size)
{
    *queue = (struct span_queue){.data = malloc(size), .size = size};
    return queue->data != NULL ? 0 : -ENOMEM;
}

void span_queue_deinit(struct span_queue *queue)
{
    free(queue->data);
    *queue = (struct span_queue){0};
}

static void write_header(struct span_queue *queue, size_t at, const struct header *header)
{
    memcpy(queue->data + at, header, sizeof *header);
}

static struct header read_header(const struct span_queue *queue, size_t at)
{
    struct header header;

    memcpy(&header, queue->data + at, sizeof header);
    return header;
}

/* Where a span of so many bytes, header and all, goes. The tail never comes up to the head, which
 * would look like an empty queue, and leaves room for the header that leads back to the beginning.
 */
static bool find_place(const struct span_queue *queue, size_t space, size_t *at)
{
    size_t end = queue->tail < queue->head ? queue->head : queue->size;

    if (end - queue->tail > space + sizeof(struct header)) {
        *at = queue->tail;
        return true;
    }
    *at = 0;
    return queue->tail >= queue->head && queue->head > space;
}

bool span_queue_push(struct span_queue *queue, const struct span *span)
{
    const struct header header = {(uint32_t)span->bytes.len, span->frames};
    const struct header back = {0};
    size_t space = space_of(span->bytes.len);
    size_t at;

    if (!find_place(queue, space, &at)) {
        return false;
    }
    if (at != queue->tail) {
        write_header(queue, queue->tail, &back);
    }
    write_header(queue, at, &header);
    memcpy(queue->data + at + sizeof header, span->bytes.data, span->bytes.len);
    queue->tail = at + space;
    return true;
}

/* Where the oldest one is, which there is. */
static size_t front_at(const struct span_queue *queue)
{
    return read_header(queue, queue->head).len > 0 ? queue->head : 0;
}

bool span_queue_front(const struct span_queue *queue, struct span *out)
{
    if (queue->head == queue->tail) {
        return false;
    }
    size_t at = front_at(queue);
    struct header header = read_header(queue, at);
    *out = (struct span){{queue->data + at + sizeof header, header.len}, header.frames};
    return true;
}

void span_queue_pop(struct span_queue *queue)
{
    size_t at = front_at(queue);

    queue->head = at + space_of(read_header(queue, at).len);
    if (queue->head == queue->tail) { /* all of the ring is free, in one piece */
        queue->head = queue->tail = 0;
    }
}
