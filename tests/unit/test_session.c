/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/session.h"

#define MAX_FRAME 600

#define CONTENT   "\0\0\0\1\0\0\0\26protobuf:dnstap.Dnstap"
#define READY     "\0\0\0\0\0\0\0\42\0\0\0\4" CONTENT
#define ACCEPT    "\0\0\0\0\0\0\0\42\0\0\0\1" CONTENT
#define START     "\0\0\0\0\0\0\0\42\0\0\0\2" CONTENT
#define STOP      "\0\0\0\0\0\0\0\4\0\0\0\3"
#define FINISH    "\0\0\0\0\0\0\0\4\0\0\0\5"
#define OTHER     "\0\0\0\0\0\0\0\17\0\0\0\2\0\0\0\1\0\0\0\3abc"
#define FRAME     "\0\0\0\2ab"

/* The bytes in a block of exactly their size. */
static enum session_event next_of(struct session *session, const char *bytes, size_t len)
{
    uint8_t *block = malloc(len);

    assert_non_null(block);
    memcpy(block, bytes, len);
    struct bytes input = {block, len};
    struct bytes payload;
    enum session_event event = session_next(session, &input, &payload);
    if (event == SESSION_PROGRESS) {
        assert_int_equal(input.len, 0);
    } else if (event == SESSION_DATA) {
        assert_int_equal(payload.len, 2);
    }
    free(block);
    return event;
}

#define NEXT(literal) next_of(&session, literal, sizeof(literal) - 1)

static struct session session;

static void sends(const char *expected, size_t len)
{
    assert_int_equal(session.outgoing_len, len);
    assert_memory_equal(session.outgoing, expected, len);
    session.outgoing_len = 0;
}

#define SENDS(literal) sends(literal, sizeof(literal) - 1)

static void test_bidirectional(void **state)
{
    (void)state;
    session_init(&session, SESSION_RECEIVER, MAX_FRAME);
    assert_int_equal(session.state, SESSION_BEGINS);
    assert_int_equal(NEXT(READY), SESSION_PROGRESS);
    assert_int_equal(session.state, SESSION_ACCEPTED);
    SENDS(ACCEPT);
    assert_int_equal(NEXT(START), SESSION_PROGRESS);
    SENDS("");
    assert_int_equal(session.state, SESSION_OPEN);
    assert_int_equal(NEXT(FRAME), SESSION_DATA);
    assert_int_equal(NEXT(STOP), SESSION_PROGRESS);
    SENDS(FINISH);
    assert_int_equal(session.state, SESSION_ENDED);
}

static void test_unidirectional(void **state)
{
    (void)state;
    session_init(&session, SESSION_RECEIVER, MAX_FRAME);
    assert_int_equal(NEXT(START), SESSION_PROGRESS);
    assert_int_equal(NEXT(FRAME), SESSION_DATA);
    assert_int_equal(NEXT(STOP), SESSION_PROGRESS);
    SENDS(""); /* nobody reads one */
    assert_int_equal(session.state, SESSION_ENDED);
}

/* A server that does not wait for ACCEPT: both answers wait. */
static void test_all_at_once(void **state)
{
    (void)state;
    session_init(&session, SESSION_RECEIVER, MAX_FRAME);
    assert_int_equal(NEXT(READY), SESSION_PROGRESS);
    assert_int_equal(NEXT(START), SESSION_PROGRESS);
    assert_int_equal(NEXT(STOP), SESSION_PROGRESS);
    SENDS(ACCEPT FINISH);
}

static void test_sender(void **state)
{
    (void)state;
    session_init(&session, SESSION_SENDER, 0);
    SENDS(READY);
    assert_int_equal(NEXT(ACCEPT), SESSION_PROGRESS);
    assert_int_equal(session.state, SESSION_OPEN);
    session_stop(&session);
    SENDS(START STOP);
    assert_int_equal(NEXT(FINISH), SESSION_PROGRESS);
    assert_int_equal(session.state, SESSION_ENDED);
}

/* Recordings that follow each other, with STOP between them or without. */
static void test_file(void **state)
{
    (void)state;
    session_init(&session, SESSION_FILE, MAX_FRAME);
    assert_int_equal(NEXT(START), SESSION_PROGRESS);
    assert_int_equal(NEXT(FRAME), SESSION_DATA);
    assert_int_equal(NEXT(START), SESSION_PROGRESS);
    assert_int_equal(session.state, SESSION_OPEN);
    assert_int_equal(NEXT(STOP), SESSION_PROGRESS);
    assert_int_equal(session.state, SESSION_BEGINS);
    assert_int_equal(NEXT(FRAME), SESSION_UNEXPECTED_DATA);
    assert_int_equal(NEXT(START), SESSION_PROGRESS);
    SENDS("");
}

/* --- Mistakes --- */

static void test_mistakes(void **state)
{
    static const struct {
        enum session_role role;
        enum session_state from; /* after the frames that lead there */
        const char *bytes;
        size_t len;
        enum session_event event;
    } cases[] = {
#define CASE(role, from, literal, event)                                                           \
    {SESSION_##role, SESSION_##from, literal, sizeof(literal) - 1, SESSION_##event}
        CASE(RECEIVER, BEGINS, FRAME, UNEXPECTED_DATA),
        CASE(RECEIVER, BEGINS, "\xff\xff\xff\xff", UNEXPECTED_DATA),
        CASE(RECEIVER, BEGINS, "\0\0\3\0", UNEXPECTED_DATA),
        CASE(RECEIVER, BEGINS, OTHER, BAD_CONTENT_TYPE),
        CASE(RECEIVER, BEGINS, "\0\0\0\0\0\0\0\4abcd", BAD_CONTROL),
        CASE(RECEIVER, BEGINS, "\0\0\0\0\0\0\2\1", BAD_CONTROL_LENGTH),
        CASE(RECEIVER, BEGINS, "\0\0\0", NEED_MORE),
        CASE(RECEIVER, ACCEPTED, FRAME, UNEXPECTED_DATA),
        CASE(RECEIVER, OPEN, "\0\0\3\0", OVERSIZE),
        CASE(RECEIVER, OPEN, "\xff\xff\xff\xff", BAD_LENGTH),
        CASE(RECEIVER, OPEN, START, BAD_CONTROL),
        CASE(RECEIVER, ENDED, FRAME, UNEXPECTED_DATA),
        CASE(SENDER, BEGINS, FRAME, UNEXPECTED_DATA),
        CASE(SENDER, BEGINS, READY, BAD_CONTROL),
        CASE(SENDER, OPEN, FINISH, BAD_CONTROL),
        CASE(SENDER, OPEN, FRAME, UNEXPECTED_DATA),
        CASE(SENDER, STOPPING, ACCEPT, BAD_CONTROL),
        CASE(SENDER, BEGINS, "\0\0\0\0\0\0\0\17\0\0\0\1\0\0\0\1\0\0\0\3abc", BAD_CONTENT_TYPE),
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        session_init(&session, cases[i].role, MAX_FRAME);
        session.state = cases[i].from;
        print_message("  %zu\n", i);
        assert_int_equal(next_of(&session, cases[i].bytes, cases[i].len), cases[i].event);
        assert_int_equal(session.state, cases[i].from);
    }
}

/* The state after a control frame, or -1 if it is out of place. */
static int next_state(enum session_role role, enum session_state from, enum control_type type)
{
    bool is_file = role == SESSION_FILE;

    if (role == SESSION_SENDER) {
        return type == CONTROL_ACCEPT && from == SESSION_BEGINS     ? SESSION_OPEN
               : type == CONTROL_FINISH && from == SESSION_STOPPING ? SESSION_ENDED
                                                                    : -1;
    }
    switch (type) {
    case CONTROL_READY:
        return from == SESSION_BEGINS ? SESSION_ACCEPTED : -1;
    case CONTROL_START:
        return from == SESSION_BEGINS || from == SESSION_ACCEPTED ||
                       (from == SESSION_OPEN && is_file)
                   ? SESSION_OPEN
                   : -1;
    case CONTROL_STOP:
        return from != SESSION_OPEN ? -1 : is_file ? SESSION_BEGINS : SESSION_ENDED;
    case CONTROL_ACCEPT:
    case CONTROL_FINISH:
        break;
    }
    return -1;
}

static void test_every_control_in_every_state(void **state)
{
    (void)state;
    for (enum session_role role = SESSION_RECEIVER; role <= SESSION_FILE; role++) {
        for (enum session_state from = SESSION_BEGINS; from <= SESSION_ENDED; from++) {
            for (enum control_type type = CONTROL_READY; type <= CONTROL_FINISH; type++) {
                uint8_t frame[CONTROL_FRAME_SIZE];
                size_t len = control_frame_write(type, frame);
                int expected = next_state(role, from, type);

                session_init(&session, role, MAX_FRAME);
                session.state = from;
                session.outgoing_len = 0;
                enum session_event event = next_of(&session, (const char *)frame, len);
                assert_int_equal(event, expected < 0 ? SESSION_BAD_CONTROL : SESSION_PROGRESS);
                assert_int_equal(session.state, expected < 0 ? (int)from : expected);
            }
        }
    }
}

/* --- Sending --- */

static void test_flush(void **state)
{
    struct byte_stream *stream;
    uint8_t got[200];
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(byte_stream_create(&stream, ends[0], false, NULL), 0);
    session_init(&session, SESSION_SENDER, 0);
    assert_int_equal(session_flush(&session, stream), BYTE_STREAM_OK);
    assert_int_equal(session.outgoing_len, 0);
    assert_int_equal(session_flush(&session, stream), BYTE_STREAM_OK);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), sizeof READY - 1);
    assert_memory_equal(got, READY, sizeof READY - 1);

    /* A full socket buffer: it waits, and nothing is lost. */
    static const uint8_t junk[4096];
    size_t count;
    while (byte_stream_write(stream, (struct bytes){junk, sizeof junk}, &count) == BYTE_STREAM_OK) {
    }
    session_stop(&session);
    assert_int_equal(session_flush(&session, stream), BYTE_STREAM_AGAIN);
    assert_int_equal(session.outgoing_len, sizeof STOP - 1);
    while (recv(ends[1], got, sizeof got, 0) > 0) {
    }
    assert_int_equal(session_flush(&session, stream), BYTE_STREAM_OK);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), sizeof STOP - 1);
    (void)close(ends[1]);
    session_stop(&session);
    assert_int_equal(session_flush(&session, stream), BYTE_STREAM_ERROR);
    byte_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bidirectional),
        cmocka_unit_test(test_unidirectional),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_sender),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_every_control_in_every_state),
        cmocka_unit_test(test_flush),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
