/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ingest/connection.h"

#define MAX_FRAME 600

#define READY                                                                                      \
    "\0\0\0\0\0\0\0\42\0\0\0\4\0\0\0\1\0\0\0\26"                                                   \
    "protobuf:dnstap.Dnstap"
#define START                                                                                      \
    "\0\0\0\0\0\0\0\42\0\0\0\2\0\0\0\1\0\0\0\26"                                                   \
    "protobuf:dnstap.Dnstap"
#define OTHER                                                                                      \
    "\0\0\0\0\0\0\0\17\0\0\0\2\0\0\0\1\0\0\0\3"                                                    \
    "abc"
#define STOP "\0\0\0\0\0\0\0\4\0\0\0\3"
#define ACCEPT                                                                                     \
    "\0\0\0\0\0\0\0\42\0\0\0\1\0\0\0\1\0\0\0\26"                                                   \
    "protobuf:dnstap.Dnstap"
#define FINISH "\0\0\0\0\0\0\0\4\0\0\0\5"
#define QUERY  "\0\0\0\6\x72\2\x08\5\x78\1" /* a frame: a CLIENT_QUERY without anything */
#define LARGE  "\0\0\2\130"                 /* the length of the largest frame: 600 */

static struct label_limits limits = {.servers = 2,
                                     .series = 4,
                                     .qtypes = 2,
                                     .expiry_ns = 3600 * NS_PER_SECOND,
                                     .matching_capacity = 64,
                                     .matching_timeout_ns = 10 * NS_PER_SECOND};
static struct label_sets labels;
static struct shard *shard;
static struct shard_sum sum;
static struct frame_queue *const no_queues[] = {NULL};
static struct connection *connection;
static uint8_t buffer[CONNECTION_READ_SIZE];
static int peer; /* the other end */

static int set_up(void **state)
{
    const struct source source = {.input = 0, .server_name = "unix"};
    struct byte_stream *stream = NULL;
    int ends[2];

    (void)state;
    if (label_sets_init(&labels, &limits) < 0 ||
        shard_create(&shard, &labels, &limits, 1, SHARD_TIME_LIVE) < 0 ||
        shard_sum_init(&sum, &limits, 1) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0) {
        return -1;
    }
    peer = ends[1];
    if (byte_stream_create(&stream, ends[0], false, NULL) < 0) {
        return -1;
    }
    connection = connection_create(stream, &source, no_queues, MAX_FRAME, 1234);
    return connection == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    connection_free(connection);
    (void)close(peer);
    shard_sum_deinit(&sum);
    shard_free(shard);
    label_sets_deinit(&labels);
    return 0;
}

static void say_bytes(const char *bytes, size_t len)
{
    assert_int_equal(send(peer, bytes, len, MSG_NOSIGNAL), len);
}

#define SAY(literal) say_bytes(literal, sizeof(literal) - 1)

static enum close_reason why;

static enum connection_state receive(void)
{
    why = CLOSE_REASON_COUNT;
    return connection_receive(connection, buffer, shard, &why);
}

static void hears(const char *expected, size_t len)
{
    char heard[256];
    ssize_t got = recv(peer, heard, sizeof heard, 0);

    if (len == 0) {
        assert_true(got <= 0);
    } else {
        assert_int_equal(got, len);
        assert_memory_equal(heard, expected, len);
    }
}

#define HEARS(literal) hears(literal, sizeof(literal) - 1)

static const struct input_counters *input(void)
{
    shard_add_to(shard, &sum);
    return &sum.counters.inputs[0];
}

static void closes(enum close_reason expected)
{
    assert_int_equal(receive(), CONNECTION_CLOSED);
    assert_int_equal(why, expected);
}

static void test_a_life(void **state)
{
    (void)state;
    assert_int_equal(receive(), CONNECTION_WAITS);
    assert_int_equal(connection->deadline_ns, 1234);
    SAY(READY);
    assert_int_equal(receive(), CONNECTION_OPEN);
    HEARS(ACCEPT);
    SAY(START QUERY QUERY);
    assert_int_equal(receive(), CONNECTION_OPEN);
    SAY(QUERY);
    assert_int_equal(receive(), CONNECTION_OPEN);
    assert_int_equal(receive(), CONNECTION_WAITS);
    HEARS("");
    assert_int_equal(input()->frames, 3);
    assert_int_equal(input()->frame_bytes, 18);
    SAY(QUERY STOP);
    closes(CLOSED_FINISH);
    HEARS(FINISH);
    assert_int_equal(input()->frames, 4);
    assert_true(connection->has_frames);
}

/* Unbound does not wait for the FINISH. */
static void test_stop_and_gone(void **state)
{
    (void)state;
    SAY(READY);
    assert_int_equal(receive(), CONNECTION_OPEN);
    SAY(START QUERY STOP);
    (void)shutdown(peer, SHUT_RDWR);
    closes(CLOSED_FINISH);
    assert_int_equal(input()->frames, 1);
}

static void test_byte_by_byte(void **state)
{
    static const char stream[] = START QUERY QUERY;

    (void)state;
    for (size_t i = 0; i < sizeof stream - 1; i++) {
        say_bytes(stream + i, 1);
        assert_int_equal(receive(), CONNECTION_OPEN);
    }
    assert_int_equal(input()->frames, 2);
    SAY(STOP);
    closes(CLOSED_FINISH);
    HEARS(""); /* unidirectional */
}

static void test_largest_frame_in_two_parts(void **state)
{
    static const char part[MAX_FRAME] = {0};

    (void)state;
    SAY(START LARGE);
    say_bytes(part, MAX_FRAME - 1);
    assert_int_equal(receive(), CONNECTION_OPEN);
    assert_int_equal(input()->frames, 0);
    say_bytes(part, 1);
    SAY(QUERY);
    assert_int_equal(receive(), CONNECTION_OPEN);
    assert_int_equal(input()->frames, 2);
    assert_int_equal(input()->rejected[REJECTED_PROTOBUF], 1);
}

static void test_oversize_frame_harms_nothing(void **state)
{
    static const char part[MAX_FRAME + 1] = {0};

    (void)state;
    SAY(START "\0\0\2\131");
    assert_int_equal(receive(), CONNECTION_OPEN);
    assert_int_equal(input()->rejected[REJECTED_OVERSIZE], 1);
    say_bytes(part, sizeof part);
    SAY(QUERY);
    assert_int_equal(receive(), CONNECTION_OPEN);
    assert_int_equal(input()->frames, 2);
    assert_int_equal(input()->rejected[REJECTED_OVERSIZE], 1); /* once */
}

static void test_ends(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum close_reason why;
        bool at_eof; /* after the peer has gone */
    } cases[] = {
        {"", 0, CLOSED_EOF, true},
        {"\0\0", 2, CLOSED_EOF_IN_FRAME, true},
        {START, sizeof START - 1, CLOSED_EOF, true},
        {START QUERY, sizeof START QUERY - 1, CLOSED_EOF, true},
        {START "\0\0\0\6\x72", sizeof START - 1 + 5, CLOSED_EOF_IN_FRAME, true},
        {START "\0\20\0\0", sizeof START - 1 + 4, CLOSED_EOF_IN_FRAME, true}, /* 1 MiB */
        {START "\0\20\0\1", sizeof START - 1 + 4, CLOSED_FRAME_LENGTH, false},
        {START QUERY "\xff\xff\xff\xff", sizeof START QUERY - 1 + 4, CLOSED_FRAME_LENGTH, false},
        {START "\0\0\0\0\0\0", sizeof START - 1 + 6, CLOSED_EOF_IN_FRAME, true},
        {OTHER, sizeof OTHER - 1, CLOSED_CONTENT_TYPE, false},
        {QUERY, sizeof QUERY - 1, CLOSED_HANDSHAKE, false},
        {READY QUERY, sizeof READY QUERY - 1, CLOSED_HANDSHAKE, false},
        {READY READY, sizeof READY READY - 1, CLOSED_HANDSHAKE, false},
        {STOP, sizeof STOP - 1, CLOSED_HANDSHAKE, false},
        {"\xff\xff\xff\xff", 4, CLOSED_HANDSHAKE, false},
        {"GET / HTTP/1.1\r\n\r\n", 18, CLOSED_HTTP, false},
        {"POST /-/reload HTTP/1.1\r\n", 25, CLOSED_HTTP, false},
        {"\x16\x03\x01\x02\0\x01\0\x01\xfc", 9, CLOSED_TLS, false}, /* a TLS hello */
        {"\x16\x03\x01\0", 4, CLOSED_TLS, false},
        {"\0\x9a\x08\x01\x12\x10", 6, CLOSED_POWERDNS, false}, /* newRemoteLogger of dnsdist */
        {"\1\x2c\x08\x02\x12\x10", 6, CLOSED_POWERDNS, false},
        {READY "GET / HTTP/1.1\r\n\r\n", sizeof READY - 1 + 18, CLOSED_HANDSHAKE, false},
        {"\0\0\0\0\0\0\0\3", 8, CLOSED_HANDSHAKE, false},
        {START START, sizeof START START - 1, CLOSED_CONTROL, false},
        {START FINISH, sizeof START FINISH - 1, CLOSED_CONTROL, false},
        {START "\0\0\0\0\0\0\2\1", sizeof START - 1 + 8, CLOSED_CONTROL, false},
        {START "\0\0\0\0\0\0\0\4\0\0\0\x63", sizeof START - 1 + 12, CLOSED_CONTROL, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(set_up(state), 0);
        if (cases[i].len > 0) {
            say_bytes(cases[i].bytes, cases[i].len);
        }
        if (cases[i].at_eof) {
            (void)shutdown(peer, SHUT_WR);
            if (cases[i].len > 0) {
                assert_int_equal(receive(), CONNECTION_OPEN);
            }
        }
        closes(cases[i].why);
        (void)tear_down(state);
    }
}

/* The ACCEPT cannot be sent: the peer is not there any more. Its frames count all the same. */
static void test_peer_gone_before_accept(void **state)
{
    (void)state;
    SAY(READY START QUERY);
    (void)shutdown(peer, SHUT_RDWR);
    assert_int_equal(receive(), CONNECTION_OPEN);
    assert_int_equal(input()->frames, 1);
    closes(CLOSED_EOF);
}

/* What arrived before a TCP peer reset the connection counts. */
static void test_reset(void **state)
{
    const struct sockaddr_in any = {.sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct linger at_once = {.l_onoff = 1};
    const struct source source = {.input = 0, .server_name = "tcp"};
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(bind(listener, (const struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
    connection_free(connection);
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    struct byte_stream *stream;
    assert_int_equal(byte_stream_create(&stream, accepted, false, NULL), 0);
    connection = connection_create(stream, &source, no_queues, MAX_FRAME, 1234);
    assert_non_null(connection);
    assert_int_equal(send(client, START QUERY, sizeof START QUERY - 1, 0), sizeof START QUERY - 1);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    assert_int_equal(close(client), 0);
    assert_int_equal(receive(), CONNECTION_OPEN);
    assert_int_equal(input()->frames, 1);
    closes(CLOSED_ERROR);
    (void)close(listener);
}

/* After STOP nothing is pending, and FINISH waits for room for a second at the most. */
static void test_finish_waits_for_room(void **state)
{
    static char junk[4096];

    (void)state;
    SAY(READY);
    assert_int_equal(receive(), CONNECTION_OPEN);
    int fd = byte_stream_fd(connection->stream);
    while (send(fd, junk, sizeof junk, MSG_DONTWAIT) > 0) {
    }
    SAY(START STOP QUERY);
    assert_int_equal(receive(), CONNECTION_WAITS);
    assert_int_equal(connection->events, EPOLLOUT);
    assert_false(connection_is_pending(connection));
    assert_true(connection->deadline_ns > clock_monotonic_ns());
    assert_true(connection->deadline_ns < clock_monotonic_ns() + 2 * NS_PER_SECOND);
    while (recv(peer, junk, sizeof junk, MSG_DONTWAIT) > 0) {
    }
    closes(CLOSED_FINISH);
    HEARS(FINISH);
}

/* Cut at every place in two and in three: nothing is lost, and nothing is read twice. */
static void test_every_cut(void **state)
{
    static const char stream[] = START QUERY QUERY "\0\0\2\131"; /* and an oversize frame */
    size_t len = sizeof stream - 1;

    for (size_t first = 1; first < len; first++) {
        for (size_t second = first; second < len; second++) {
            assert_int_equal(set_up(state), 0);
            say_bytes(stream, first);
            assert_int_equal(receive(), CONNECTION_OPEN);
            if (second > first) {
                say_bytes(stream + first, second - first);
                assert_int_equal(receive(), CONNECTION_OPEN);
            }
            say_bytes(stream + second, len - second);
            assert_int_equal(receive(), CONNECTION_OPEN);
            assert_int_equal(input()->frames, 3);
            assert_int_equal(input()->frame_bytes, 12);
            assert_int_equal(input()->rejected[REJECTED_OVERSIZE], 1);
            (void)tear_down(state);
        }
    }
}

#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTED(test_a_life),
        CONNECTED(test_stop_and_gone),
        CONNECTED(test_byte_by_byte),
        CONNECTED(test_largest_frame_in_two_parts),
        CONNECTED(test_oversize_frame_harms_nothing),
        cmocka_unit_test(test_ends),
        CONNECTED(test_peer_gone_before_accept),
        CONNECTED(test_reset),
        CONNECTED(test_finish_waits_for_room),
        cmocka_unit_test(test_every_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
