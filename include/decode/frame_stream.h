/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * frame_stream.h - cut a Frame Streams byte stream into frames
 * (https://farsightsec.github.io/fstrm)
 *
 * A data frame is its length (32 bits, most significant byte first) and that many bytes; length 0
 * escapes a control frame: a second length and its payload. Frames are cut in place, nothing is
 * copied. A data frame over the bound is announced once and its bytes are passed over, so one large
 * frame costs nothing but itself. A length far beyond the bound is no frame: the sender is out of
 * step, as after a partial write, and nothing that follows can be told apart.
 */

#include "base/attr.h"
#include "base/bytes.h"

/** libfstrm's bound on a control frame's payload, in bytes. */
#define FRAME_STREAM_CONTROL_MAX 512

struct frame_stream {
    uint32_t max_frame_size; /* bytes of the largest data frame taken */
    uint32_t max_length;     /* bytes of the largest data frame that is passed over */
    uint32_t skip_left;      /* bytes of an oversize frame still to pass over */
    uint64_t offset; /* bytes consumed since the stream's start: where the next frame begins */
};

enum frame_stream_event {
    FRAME_STREAM_NEED_MORE,   /* what is left of the input is the beginning of a frame */
    FRAME_STREAM_DATA,        /* payload: a data frame */
    FRAME_STREAM_CONTROL,     /* payload: a control frame, from its type on */
    FRAME_STREAM_OVERSIZE,    /* a data frame over the bound begins; it will be passed over */
    FRAME_STREAM_BAD_LENGTH,  /* a data frame's length is impossible: the stream is unusable */
    FRAME_STREAM_BAD_CONTROL, /* a control frame's length is impossible: the stream is unusable */
};

/** Start a stream whose data frames may have up to `max_frame_size` bytes. Up to eight times as
 * many, and at least 1 MiB, are passed over. */
NONNULL void frame_stream_init(struct frame_stream *stream, uint32_t max_frame_size);

/** Take the next frame off the front of `input`. `payload` is borrowed from the input and set for
 *  DATA and CONTROL only. Give what NEED_MORE leaves in `input` again, with more bytes behind. */
NONNULL enum frame_stream_event frame_stream_next(struct frame_stream *stream, struct bytes *input,
                                                  struct bytes *payload);

/** Bytes that the frame which begins `input` has, its length fields included, as far as `input`
 * tells: those of its length fields where they are not whole. `input` is what NEED_MORE left. */
size_t frame_stream_needed(struct bytes input);
