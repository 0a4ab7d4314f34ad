/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "stream/byte_stream.h"
#include "stream/socket.h"

static struct byte_stream *stream;
static int peer;

static int set_up(void **state)
{
    int ends[2];

    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0) {
        return -1;
    }
    peer = ends[1];
    return byte_stream_create(&stream, ends[0], false, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    byte_stream_free(stream);
    (void)close(peer);
    return 0;
}

static void test_read(void **state)
{
    uint8_t data[8];
    size_t count = 0;

    (void)state;
    assert_int_equal(byte_stream_open(stream), BYTE_STREAM_OK);
    assert_int_equal(byte_stream_read(stream, data, sizeof data, &count), BYTE_STREAM_AGAIN);
    assert_int_equal(byte_stream_poll_events(stream), EPOLLIN);
    assert_int_equal(send(peer, "abc", 3, 0), 3);
    assert_int_equal(byte_stream_read(stream, data, 2, &count), BYTE_STREAM_OK);
    assert_int_equal(count, 2);
    assert_memory_equal(data, "ab", 2);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    assert_int_equal(byte_stream_read(stream, data, sizeof data, &count), BYTE_STREAM_OK);
    assert_int_equal(count, 1);
    assert_int_equal(byte_stream_read(stream, data, sizeof data, &count), BYTE_STREAM_END);
    assert_false(byte_stream_pending(stream));
}

static void test_write_and_end(void **state)
{
    static const uint8_t data[100000];
    size_t sent = 0;
    size_t count = 0;

    (void)state;
    while (byte_stream_write(stream, (struct bytes){data, sizeof data}, &count) == BYTE_STREAM_OK) {
        sent += count;
    }
    assert_int_equal(byte_stream_poll_events(stream), EPOLLOUT);
    assert_int_equal(byte_stream_end(stream), BYTE_STREAM_OK);
    static uint8_t got[4096];
    ssize_t len;
    while ((len = recv(peer, got, sizeof got, 0)) > 0) {
        sent -= (size_t)len;
    }
    assert_int_equal(len, 0);
    assert_int_equal(sent, 0);
    assert_int_equal(byte_stream_write(stream, (struct bytes){data, 1}, &count), BYTE_STREAM_ERROR);
    assert_string_equal(byte_stream_error(stream), strerror(EPIPE));
}

/* A connection that is refused fails when it is opened. */
static void test_refused(void **state)
{
    struct endpoint endpoint;
    struct byte_stream *refused;
    int fd;

    (void)state;
    assert_true(endpoint_parse_tcp("127.0.0.1:1", &endpoint));
    int result = socket_connect(&endpoint, &fd);
    if (result < 0) {
        assert_int_equal(result, -ECONNREFUSED);
        return;
    }
    assert_int_equal(byte_stream_create(&refused, fd, true, NULL), 0);
    enum byte_stream_result opened;
    while ((opened = byte_stream_open(refused)) == BYTE_STREAM_AGAIN) {
        assert_int_equal(byte_stream_poll_events(refused), EPOLLOUT);
    }
    assert_int_equal(opened, BYTE_STREAM_ERROR);
    assert_string_equal(byte_stream_error(refused), strerror(ECONNREFUSED));
    byte_stream_free(refused);
    byte_stream_free(NULL);
}

#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTED(test_read),
        CONNECTED(test_write_and_end),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
