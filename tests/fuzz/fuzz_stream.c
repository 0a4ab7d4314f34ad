/* SPDX-License-Identifier: Apache-2.0 */
/* A Frame Streams stream gives the same frames whether it comes whole or in pieces, and each of
 * them lies within it. Frames themselves are the matter of fuzz_frames. */
#include <stdlib.h>

#include "decode/frame_stream.h"
#include "fuzz/fuzz.h"

#define FRAME_SIZE_MAX 128

/* What was cut from the stream, as a number that any difference changes. */
struct cut {
    struct frame_stream stream;
    uint64_t sum;
    enum frame_stream_event event; /* the last one */
};

static void cut_begin(struct cut *cut)
{
    frame_stream_init(&cut->stream, FRAME_SIZE_MAX);
    cut->sum = 0;
    cut->event = FRAME_STREAM_NEED_MORE;
}

static void cut_note(struct cut *cut, const uint8_t *start, struct bytes payload)
{
    bool has_payload = cut->event == FRAME_STREAM_DATA || cut->event == FRAME_STREAM_CONTROL;
    size_t place = has_payload ? (size_t)(payload.data - start) : 0;
    size_t len = has_payload ? payload.len : 0;

    if (has_payload && (len == 0 || place + len != cut->stream.offset)) {
        abort();
    }
    cut->sum = cut->sum * 1000003 + cut->event;
    cut->sum = cut->sum * 1000003 + place;
    cut->sum = cut->sum * 1000003 + len;
}

/* Cut what has come so far, the first `len` bytes, and not what was cut before. */
static void cut_follow(struct cut *cut, const uint8_t *data, size_t len)
{
    struct bytes input = {data + cut->stream.offset, len - (size_t)cut->stream.offset};
    struct bytes payload;

    while (cut->event != FRAME_STREAM_BAD_LENGTH && cut->event != FRAME_STREAM_BAD_CONTROL) {
        cut->event = frame_stream_next(&cut->stream, &input, &payload);
        if (input.data != data + cut->stream.offset || input.data + input.len != data + len) {
            abort();
        }
        if (cut->event == FRAME_STREAM_NEED_MORE) {
            if (cut->stream.skip_left == 0 && frame_stream_needed(input) <= input.len) {
                abort();
            }
            return;
        }
        cut_note(cut, data, payload);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cut whole, pieces;

    cut_begin(&whole);
    cut_follow(&whole, data, size);
    cut_begin(&pieces);
    for (size_t len = 0; len <= size; len++) {
        cut_follow(&pieces, data, len);
    }
    if (whole.sum != pieces.sum || whole.event != pieces.event ||
        whole.stream.offset != pieces.stream.offset) {
        abort();
    }
    return 0;
}
