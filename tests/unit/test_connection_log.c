/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ingest/connection_log.h"

static struct connection_log limited;
static int saved_stderr;
static int ends[2];
static char output[65536];

static int set_up(void **state)
{
    (void)state;
    memset(&limited, 0, sizeof limited);
    return 0;
}

static void capture_begin(void)
{
    assert_int_equal(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
}

/* Returns the lines. */
static unsigned capture_end(void)
{
    unsigned lines = 0;

    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)close(saved_stderr);
    (void)close(ends[1]);
    ssize_t got = read(ends[0], output, sizeof output - 1);
    assert_true(got >= 0);
    (void)close(ends[0]);
    output[got] = '\0';
    for (const char *p = output; (p = strchr(p, '\n')) != NULL; p++) {
        lines++;
    }
    return lines;
}

static const char accepted[] = "connection accepted";
static const char closed[] = "connection closed";
static const char why[] = "no handshake";
static const char other_reason[] = "gone";
static const char input[] = "unix";

static void write_one(const char *message, const char *reason, const char *host, unsigned port,
                      uint64_t now_ns)
{
    struct connection_event event = {
        .level = LOG_LEVEL_INFO, .message = message, .input = input, .reason = reason};

    (void)snprintf(event.peer.text, sizeof event.peer.text, "%s port %u", host, port);
    event.peer.id_len = strlen(host);
    connection_log_write(&limited, &event, now_ns);
}

/* A reconnect loop from many ports is one line a minute for each message and reason, and nothing is
 * lost from the count. */
static void test_reconnect_loop(void **state)
{
    const uint64_t begin_ns = CONNECTION_LOG_MINUTE_NS;

    (void)state;
    capture_begin();
    for (unsigned i = 0; i < 10000; i++) {
        write_one(accepted, NULL, "192.0.2.1", i, begin_ns + i);
        write_one(closed, why, "192.0.2.1", i, begin_ns + i);
    }
    assert_int_equal(capture_end(), 2);
    assert_null(strstr(output, "repeats"));
    capture_begin();
    connection_log_advance(&limited, begin_ns + CONNECTION_LOG_MINUTE_NS - 1);
    assert_int_equal(capture_end(), 0);
    capture_begin();
    connection_log_advance(&limited, begin_ns + CONNECTION_LOG_MINUTE_NS);
    assert_int_equal(capture_end(), 2);
    assert_non_null(strstr(output, "peer=\"192.0.2.1 port 9999\" reason=\"no handshake\" "
                                   "repeats=9999\n"));
    capture_begin();
    connection_log_advance(&limited, begin_ns + 2 * CONNECTION_LOG_MINUTE_NS);
    assert_int_equal(capture_end(), 0); /* it is over, and the places are free */
    capture_begin();
    write_one(accepted, NULL, "192.0.2.1", 1, begin_ns + 2 * CONNECTION_LOG_MINUTE_NS);
    assert_int_equal(capture_end(), 1);
}

static void test_other_peers_and_reasons(void **state)
{
    (void)state;
    capture_begin();
    write_one(closed, why, "192.0.2.1", 1, 1);
    write_one(closed, other_reason, "192.0.2.1", 1, 1);
    write_one(closed, why, "192.0.2.12", 1, 1);
    write_one(closed, why, "192.0.2.1", 2, 1);
    assert_int_equal(capture_end(), 3);
}

static void test_every_event_at_level_debug(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    capture_begin();
    for (unsigned i = 0; i < 10; i++) {
        write_one(closed, why, "192.0.2.1", i, 1);
    }
    assert_int_equal(capture_end(), 10);
    assert_non_null(strstr(output, "level=debug msg=\"connection closed\""));
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
}

static void test_many_peers(void **state)
{
    char host[24];

    (void)state;
    capture_begin();
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(host, sizeof host, "2001:db8::%x", i);
        write_one(accepted, NULL, host, 1, 1);
    }
    assert_int_equal(capture_end(), CONNECTION_LOG_PEERS + 1);
    assert_non_null(strstr(output, "further connection events of other peers"));
    capture_begin();
    write_one(accepted, NULL, "2001:db8::ffff", 1, CONNECTION_LOG_MINUTE_NS + 1);
    assert_int_equal(capture_end(), 2); /* places are free again */
    assert_non_null(strstr(output, "events=967\n"));
}

/* What is counted when the worker ends has its line. */
static void test_end(void **state)
{
    (void)state;
    capture_begin();
    write_one(closed, why, "192.0.2.1", 1, 1);
    write_one(closed, why, "192.0.2.1", 2, 1);
    assert_int_equal(capture_end(), 1);
    capture_begin();
    connection_log_end(&limited, 2);
    assert_int_equal(capture_end(), 1);
    assert_non_null(strstr(output, "repeats=1\n"));
    capture_begin();
    connection_log_end(&limited, 3);
    assert_int_equal(capture_end(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reconnect_loop, set_up),
        cmocka_unit_test_setup(test_other_peers_and_reasons, set_up),
        cmocka_unit_test_setup(test_every_event_at_level_debug, set_up),
        cmocka_unit_test_setup(test_many_peers, set_up),
        cmocka_unit_test_setup(test_end, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
