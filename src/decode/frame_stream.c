/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/frame_stream.h"

#include "base/cursor.h"

/* Lengths up to here are taken for those of large frames. */
#define PASSED_OVER_MIN    (1024 * 1024) /* bytes: no DNS message comes near */
#define PASSED_OVER_FACTOR 8

void frame_stream_init(struct frame_stream *stream, uint32_t max_frame_size)
{
    uint32_t max_length = max_frame_size <= UINT32_MAX / PASSED_OVER_FACTOR
                              ? PASSED_OVER_FACTOR * max_frame_size
                              : UINT32_MAX;

    *stream = (struct frame_stream){
        .max_frame_size = max_frame_size,
        .max_length = max_length > PASSED_OVER_MIN ? max_length : PASSED_OVER_MIN,
    };
}

static void frame_stream_consume(struct frame_stream *stream, struct bytes *input, size_t count)
{
    input->data += count;
    input->len -= count;
    stream->offset += count;
}

static void pass_over_oversize(struct frame_stream *stream, struct bytes *input)
{
    size_t count = stream->skip_left < input->len ? stream->skip_left : input->len;

    frame_stream_consume(stream, input, count);
    stream->skip_left -= (uint32_t)count;
}

static enum frame_stream_event control_frame(struct frame_stream *stream, struct bytes *input,
                                             struct cursor *cursor, struct bytes *payload)
{
    uint32_t length = cursor_be32(cursor);

    if (cursor->failed) {
        return FRAME_STREAM_NEED_MORE;
    }
    if (length < 4 || length > FRAME_STREAM_CONTROL_MAX) { /* 4: the control frame's type */
        return FRAME_STREAM_BAD_CONTROL;
    }
    struct bytes control = cursor_take(cursor, length);
    if (cursor->failed) {
        return FRAME_STREAM_NEED_MORE;
    }
    *payload = control;
    frame_stream_consume(stream, input, 8 + (size_t)length);
    return FRAME_STREAM_CONTROL;
}

enum frame_stream_event frame_stream_next(struct frame_stream *stream, struct bytes *input,
                                          struct bytes *payload)
{
    if (stream->skip_left > 0) {
        pass_over_oversize(stream, input);
    }

    struct cursor cursor = cursor_over(*input);
    uint32_t length = cursor_be32(&cursor);

    if (cursor.failed) {
        return FRAME_STREAM_NEED_MORE;
    }
    if (length == 0) {
        return control_frame(stream, input, &cursor, payload);
    }
    if (length > stream->max_length) {
        return FRAME_STREAM_BAD_LENGTH;
    }
    if (length > stream->max_frame_size) {
        frame_stream_consume(stream, input, 4);
        stream->skip_left = length;
        return FRAME_STREAM_OVERSIZE;
    }
    struct bytes data = cursor_take(&cursor, length);
    if (cursor.failed) {
        return FRAME_STREAM_NEED_MORE;
    }
    *payload = data;
    frame_stream_consume(stream, input, 4 + (size_t)length);
    return FRAME_STREAM_DATA;
}

size_t frame_stream_needed(struct bytes input)
{
    struct cursor cursor = cursor_over(input);
    uint32_t length = cursor_be32(&cursor);

    if (cursor.failed || length > 0) {
        return cursor.failed ? 4 : 4 + (size_t)length;
    }
    length = cursor_be32(&cursor);
    return cursor.failed ? 8 : 8 + (size_t)length;
}
