/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "decode/frame_stream.h"

#define MAX_FRAME  10
#define EVENTS_MAX 8

/* An event, and the offset of the stream behind it. */
struct event {
    enum frame_stream_event event;
    uint64_t offset;
    const char *payload;
    size_t payload_len;
};

#define DATA(offset, payload)                                                                      \
    {                                                                                              \
        FRAME_STREAM_DATA, offset, payload, sizeof(payload) - 1                                    \
    }
#define CONTROL(offset, payload)                                                                   \
    {                                                                                              \
        FRAME_STREAM_CONTROL, offset, payload, sizeof(payload) - 1                                 \
    }
#define OVERSIZE(offset)                                                                           \
    {                                                                                              \
        FRAME_STREAM_OVERSIZE, offset, NULL, 0                                                     \
    }
#define BAD(offset)                                                                                \
    {                                                                                              \
        FRAME_STREAM_BAD_CONTROL, offset, NULL, 0                                                  \
    }

#define STREAM(bytes) bytes, sizeof(bytes) - 1

/* Lengths are spelled in octal, four bytes each. */
static const struct stream {
    const char *what;
    const char *bytes;
    size_t len;
    struct event events[EVENTS_MAX];
    size_t count;
} streams[] = {
    {"nothing", STREAM(""), {{0}}, 0},
    {"one frame", STREAM("\0\0\0\1a"), {DATA(5, "a")}, 1},
    {"three frames",
     STREAM("\0\0\0\1a\0\0\0\3bcd\0\0\0\1e"),
     {DATA(5, "a"), DATA(12, "bcd"), DATA(17, "e")},
     3},
    {"as large as allowed",
     STREAM("\0\0\0\12"
            "0123456789"),
     {DATA(14, "0123456789")},
     1},
    {"one byte larger, then another",
     STREAM("\0\0\0\13"
            "0123456789A\0\0\0\1b"),
     {OVERSIZE(4), DATA(20, "b")},
     2},
    {"two oversize ones",
     STREAM("\0\0\0\13"
            "0123456789A\0\0\0\14"
            "0123456789AB\0\0\0\1b"),
     {OVERSIZE(4), OVERSIZE(19), DATA(36, "b")},
     3},
    {"a control frame inside an oversize frame",
     STREAM("\0\0\0\14\0\0\0\0\0\0\0\4\0\0\0\2\0\0\0\1b"),
     {OVERSIZE(4), DATA(21, "b")},
     2},
    {"a control frame", STREAM("\0\0\0\0\0\0\0\4\0\0\0\2"), {CONTROL(12, "\0\0\0\2")}, 1},
    {"a control frame over the data frames' bound, data",
     STREAM("\0\0\0\0\0\0\0\14\0\0\0\2"
            "01234567\0\0\0\1x"),
     {CONTROL(20, "\0\0\0\2"
                  "01234567"),
      DATA(25, "x")},
     2},
    {"control of no bytes", STREAM("\0\0\0\0\0\0\0\0"), {BAD(0)}, 1},
    {"control of three bytes", STREAM("\0\0\0\1a\0\0\0\0\0\0\0\3abc"), {DATA(5, "a"), BAD(5)}, 2},
    {"control of 513 bytes", STREAM("\0\0\0\0\0\0\2\1"), {BAD(0)}, 1},
    {"control of 4 GiB", STREAM("\0\0\0\0\377\377\377\377"), {BAD(0)}, 1},
};

/* --- Feeding
 * -------------------------------------------------------------------------------------- */

/* What is not consumed stays in a block of exactly its size, so that ASan sees a read past it. */
struct feed {
    struct frame_stream stream;
    uint8_t *block;
    size_t len;
    size_t events;
};

static void feed_begin(struct feed *feed)
{
    *feed = (struct feed){.len = 0};
    frame_stream_init(&feed->stream, MAX_FRAME);
}

static void feed_end(struct feed *feed)
{
    free(feed->block);
}

static void check_event(const struct feed *feed, const struct stream *expected,
                        enum frame_stream_event got, struct bytes payload)
{
    assert_true(feed->events < expected->count);
    const struct event *event = &expected->events[feed->events];
    assert_int_equal(got, event->event);
    assert_int_equal(feed->stream.offset, event->offset);
    if (event->payload != NULL) {
        assert_int_equal(payload.len, event->payload_len);
        assert_memory_equal(payload.data, event->payload, payload.len);
    }
}

/* Append bytes and take all events that they complete. False once the stream is unusable. */
static bool feed_add(struct feed *feed, const struct stream *expected, const char *bytes,
                     size_t count)
{
    uint8_t *block = malloc(feed->len + count + 1);

    assert_non_null(block);
    uint8_t *start = block + 1; /* the block ends where the bytes do, also for none */
    if (feed->len > 0) {
        memcpy(start, feed->block + 1, feed->len);
    }
    memcpy(start + feed->len, bytes, count);
    free(feed->block);
    feed->block = block;

    struct bytes input = {start, feed->len + count};
    for (;;) {
        struct bytes payload = {NULL, 0};
        enum frame_stream_event got = frame_stream_next(&feed->stream, &input, &payload);
        if (got == FRAME_STREAM_NEED_MORE) {
            break;
        }
        check_event(feed, expected, got, payload);
        feed->events++;
        if (got == FRAME_STREAM_BAD_CONTROL) {
            return false;
        }
    }
    assert_true(feed->stream.skip_left == 0 || input.len == 0);
    memmove(start, input.data, input.len);
    feed->len = input.len;
    return true;
}

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct feed feed;
        feed_begin(&feed);
        bool usable = feed_add(&feed, &streams[i], streams[i].bytes, streams[i].len);
        assert_int_equal(feed.events, streams[i].count);
        assert_true(!usable || feed.stream.offset == streams[i].len);
        feed_end(&feed);
    }
}

/* However the bytes come, the frames are the same. */
static void test_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        for (size_t piece = 1; piece <= 13; piece++) {
            struct feed feed;
            bool usable = true;
            feed_begin(&feed);
            for (size_t at = 0; at < streams[i].len && usable; at += piece) {
                size_t left = streams[i].len - at;
                usable = feed_add(&feed, &streams[i], streams[i].bytes + at,
                                  left < piece ? left : piece);
            }
            assert_int_equal(feed.events, streams[i].count);
            feed_end(&feed);
        }
    }
}

static size_t events_within(const struct stream *stream, size_t len)
{
    size_t count = 0;

    while (count < stream->count && stream->events[count].event != FRAME_STREAM_BAD_CONTROL &&
           stream->events[count].offset <= len) {
        count++;
    }
    bool bad = count < stream->count && stream->events[count].offset + 8 <= len;
    return count + (bad && stream->events[count].event == FRAME_STREAM_BAD_CONTROL);
}

static void test_truncated_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        for (size_t cut = 0; cut < streams[i].len; cut++) {
            struct feed feed;
            feed_begin(&feed);
            (void)feed_add(&feed, &streams[i], streams[i].bytes, cut);
            assert_int_equal(feed.events, events_within(&streams[i], cut));
            feed_end(&feed);
        }
    }
}

/* A frame of 1 MiB is passed over without being kept; with a byte more it is none. */
static void test_large_lengths(void **state)
{
    static const uint8_t largest[] = {0, 0x10, 0, 0};
    static const uint8_t after[] = {0, 0, 0, 1, 'x'};
    static const uint8_t too_large[][4] = {{0, 0x10, 0, 1}, {0xff, 0xff, 0xff, 0xff}};
    static uint8_t kilobyte[1 << 10];
    struct frame_stream stream;
    struct bytes input = {largest, sizeof largest};
    struct bytes payload;

    (void)state;
    frame_stream_init(&stream, MAX_FRAME);
    assert_int_equal(frame_stream_next(&stream, &input, &payload), FRAME_STREAM_OVERSIZE);
    for (unsigned i = 0; i < 1024; i++) {
        input = (struct bytes){kilobyte, sizeof kilobyte};
        assert_int_equal(frame_stream_next(&stream, &input, &payload), FRAME_STREAM_NEED_MORE);
        assert_int_equal(input.len, 0);
    }
    assert_int_equal(stream.skip_left, 0);
    input = (struct bytes){after, sizeof after};
    assert_int_equal(frame_stream_next(&stream, &input, &payload), FRAME_STREAM_DATA);
    assert_true(stream.offset == (1 << 20) + 4 + 5);
    for (size_t i = 0; i < 2; i++) {
        input = (struct bytes){too_large[i], 4};
        assert_int_equal(frame_stream_next(&stream, &input, &payload), FRAME_STREAM_BAD_LENGTH);
        assert_int_equal(input.len, 4);
    }
}

/* Eight times the largest frame, where that is more. */
static void test_lengths_passed_over(void **state)
{
    static const uint32_t sizes[][2] = {{512, 1 << 20},
                                        {131072, 1 << 20},
                                        {131073, 8 * 131073},
                                        {1 << 20, 8 << 20},
                                        {UINT32_MAX, UINT32_MAX}};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct frame_stream stream;
        frame_stream_init(&stream, sizes[i][0]);
        assert_int_equal(stream.max_length, sizes[i][1]);
    }
}

static void test_needed(void **state)
{
    static const struct {
        const char *bytes;
        size_t len, needed;
    } cases[] = {
        {"", 0, 4},
        {"\0\0\0", 3, 4},
        {"\0\0\1\2", 4, 4 + 258},
        {"\0\0\1\2xxx", 7, 4 + 258},
        {"\0\0\0\0", 4, 8},
        {"\0\0\0\0\0\0\0", 7, 8},
        {"\0\0\0\0\0\0\0\4", 8, 12},
        {"\0\0\0\0\0\0\0\4\0", 9, 12},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct bytes input = {(const uint8_t *)cases[i].bytes, cases[i].len};
        assert_int_equal(frame_stream_needed(input), cases[i].needed);
    }
}

static void test_control_bounds(void **state)
{
    uint8_t bytes[8 + FRAME_STREAM_CONTROL_MAX + 1];
    struct bytes payload;

    (void)state;
    for (size_t size = 0; size <= FRAME_STREAM_CONTROL_MAX + 1; size++) {
        bool sound = size >= 4 && size <= FRAME_STREAM_CONTROL_MAX;
        struct bytes input = {bytes, 8 + size};
        struct frame_stream stream;
        memset(bytes, 0, sizeof bytes);
        bytes[6] = (uint8_t)(size >> 8);
        bytes[7] = (uint8_t)size;
        frame_stream_init(&stream, MAX_FRAME);
        assert_int_equal(frame_stream_next(&stream, &input, &payload),
                         sound ? FRAME_STREAM_CONTROL : FRAME_STREAM_BAD_CONTROL);
        assert_int_equal(input.len, sound ? 0 : 8 + size);
        if (sound) {
            assert_int_equal(payload.len, size);
            assert_ptr_equal(payload.data, bytes + 8); /* cut in place */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_in_pieces),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_large_lengths),
        cmocka_unit_test(test_lengths_passed_over),
        cmocka_unit_test(test_needed),
        cmocka_unit_test(test_control_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
