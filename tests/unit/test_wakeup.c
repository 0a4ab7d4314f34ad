/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/wakeup.h"

static bool is_readable(const struct wakeup *wakeup)
{
    struct pollfd wanted = {.fd = wakeup->fd, .events = POLLIN};

    return poll(&wanted, 1, 0) == 1;
}

static void test_signal_and_clear(void **state)
{
    struct wakeup wakeup;

    (void)state;
    assert_int_equal(wakeup_init(&wakeup), 0);
    assert_false(is_readable(&wakeup));
    wakeup_clear(&wakeup); /* without a signal, too */
    wakeup_signal(&wakeup);
    wakeup_signal(&wakeup);
    assert_true(is_readable(&wakeup));
    wakeup_wait(&wakeup, UINT64_MAX); /* does not wait */
    wakeup_clear(&wakeup);
    assert_false(is_readable(&wakeup));
    wakeup_deinit(&wakeup);
}

static void test_time_out(void **state)
{
    uint64_t begin_ns = clock_monotonic_ns();
    struct wakeup wakeup;

    (void)state;
    assert_int_equal(wakeup_init(&wakeup), 0);
    wakeup_wait(&wakeup, begin_ns); /* is past */
    wakeup_wait(&wakeup, begin_ns + 20 * NS_PER_MS);
    assert_true(clock_monotonic_ns() - begin_ns >= 20 * NS_PER_MS);
    wakeup_deinit(&wakeup);
}

static void *signal_it(void *wakeup)
{
    wakeup_signal(wakeup);
    return NULL;
}

static void test_another_thread(void **state)
{
    struct wakeup wakeup;
    pthread_t thread;

    (void)state;
    assert_int_equal(wakeup_init(&wakeup), 0);
    assert_int_equal(pthread_create(&thread, NULL, signal_it, &wakeup), 0);
    wakeup_wait(&wakeup, UINT64_MAX);
    assert_true(is_readable(&wakeup));
    (void)pthread_join(thread, NULL);
    wakeup_deinit(&wakeup);
}

int main(void)
{
    struct wakeup not_made = {-1};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal_and_clear),
        cmocka_unit_test(test_time_out),
        cmocka_unit_test(test_another_thread),
    };

    wakeup_deinit(&not_made); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
