/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ingest/opener.h"
#include "support/certificates.h"
#include "support/temp_folder.h"

static char folder[] = "/tmp/test_opener.XXXXXX";
static struct tls_context *server, *client;
static struct opener *opener;

static int make_contexts(void **state)
{
    static const struct certificate_plan plan = {
        .name = "server", .dns = "server.test", .days_from = -1, .days_to = 5, .is_ca = true};
    struct text error = {0};

    (void)state;
    if (mkdtemp(folder) == NULL || !certificate_make_files(folder, &plan, NULL)) {
        return -1;
    }
    struct tls_settings of_server = certificate_settings(folder, false, "server", NULL);
    struct tls_settings of_client = certificate_settings(folder, true, NULL, "server");
    int result = tls_context_load(&server, &of_server, "", "", &error) |
                 tls_context_load(&client, &of_client, "", "server.test", &error);
    tls_settings_deinit(&of_server);
    tls_settings_deinit(&of_client);
    text_deinit(&error);
    return result;
}

static int free_contexts(void **state)
{
    (void)state;
    tls_context_release(server);
    tls_context_release(client);
    temp_folder_remove(folder);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return opener_create(&opener);
}

static int tear_down(void **state)
{
    (void)state;
    opener_free(opener);
    return 0;
}

/* Give the opener a server's stream. Returns the other end. */
static int give(unsigned number, uint64_t seconds, bool is_dialled)
{
    int ends[2];
    struct opening opening = {
        .input = number,
        .is_dialled = is_dialled,
        .deadline_ns = clock_monotonic_ns() + seconds * NS_PER_SECOND,
    };

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(byte_stream_create(&opening.stream, ends[0], false, server), 0);
    assert_true(opener_give(opener, &opening));
    return ends[1];
}

/* Wait for a stream to come back. */
static struct opening take(void)
{
    struct pollfd wanted = {.fd = opener_fd(opener), .events = POLLIN};
    struct opening opening;

    while (!opener_take(opener, &opening)) {
        if (poll(&wanted, 1, 60000) <= 0) {
            fail_msg("nothing comes back");
        }
    }
    return opening;
}

static void check_next(unsigned number, enum opening_result result)
{
    struct opening opening = take();

    assert_int_equal(opening.input, number);
    assert_int_equal(opening.result, result);
    byte_stream_free(opening.stream);
}

/* The other end does its part. */
static struct byte_stream *open_client(int fd)
{
    struct byte_stream *stream;
    enum byte_stream_result result;

    assert_int_equal(byte_stream_create(&stream, fd, true, client), 0);
    while ((result = byte_stream_open(stream)) == BYTE_STREAM_AGAIN) {
        struct pollfd wanted = {.fd = fd, .events = (short)byte_stream_poll_events(stream)};
        assert_int_equal(poll(&wanted, 1, 60000), 1);
    }
    assert_int_equal(result, BYTE_STREAM_OK);
    return stream;
}

static void test_results(void **state)
{
    (void)state;
    struct byte_stream *other = open_client(give(1, 60, false));
    check_next(1, OPENING_OPEN);
    byte_stream_free(other);

    int peer = give(2, 60, false);
    (void)close(peer);
    check_next(2, OPENING_ENDED);

    peer = give(3, 60, false);
    assert_int_equal(send(peer, "GET / HTTP/1.1\r\n", 16, 0), 16);
    check_next(3, OPENING_FAILED);
    (void)close(peer);

    peer = give(4, 0, false);
    check_next(4, OPENING_TIMED_OUT);
    (void)close(peer);
}

/* Who says nothing makes room, the oldest first, and who does a handshake gets through; but what
 * the exporter dials does not. */
static void test_crowd(void **state)
{
    enum { SILENT = OPENER_STREAMS + 10 };
    int peers[SILENT];

    (void)state;
    for (unsigned i = 0; i < SILENT; i++) {
        peers[i] = give(i, 600, i == 2);
    }
    for (unsigned i = 0; i < 10; i++) {
        check_next(i < 2 ? i : i + 1, OPENING_EVICTED);
    }
    struct byte_stream *other = open_client(give(1000, 600, false));
    check_next(11, OPENING_EVICTED);
    check_next(1000, OPENING_OPEN);
    byte_stream_free(other);
    for (unsigned i = 0; i < SILENT; i++) {
        (void)close(peers[i]);
    }
}

/* It takes no more than it has room for; what it has at its end it closes. */
static void test_full(void **state)
{
    int peers[OPENER_PENDING];
    int ends[2];
    struct opening opening = {.deadline_ns = UINT64_MAX};
    char byte;

    (void)state;
    for (unsigned i = 0; i < OPENER_PENDING; i++) {
        peers[i] = give(i, 600, false);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(byte_stream_create(&opening.stream, ends[0], false, server), 0);
    assert_false(opener_give(opener, &opening));
    check_next(0, OPENING_EVICTED);
    assert_true(opener_give(opener, &opening));
    opener_free(opener);
    opener = NULL;
    for (unsigned i = 0; i < OPENER_PENDING; i++) {
        assert_int_equal(recv(peers[i], &byte, 1, 0), 0);
        (void)close(peers[i]);
    }
    assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crowd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, make_contexts, free_contexts);
}
