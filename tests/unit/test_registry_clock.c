/* SPDX-License-Identifier: Apache-2.0 */
/* Machines without a battery boot in 1970 and set their clock later: what a page says of the start
 * and of the last reload follows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "support/registry_fixture.h"

#define YEAR_2026_NS (UINT64_C(1767225600) * NS_PER_SECOND)

static uint64_t boot_ns; /* the realtime clock's idea of when the monotonic clock began */

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    if (clock != CLOCK_REALTIME) {
        return __real_clock_gettime(clock, out);
    }
    uint64_t now_ns = boot_ns + clock_monotonic_ns();
    *out = (struct timespec){.tv_sec = (time_t)(now_ns / NS_PER_SECOND),
                             .tv_nsec = (long)(now_ns % NS_PER_SECOND)};
    return 0;
}

static double number_behind(const struct text *page, const char *key)
{
    const char *at = strstr(page->data, key);

    assert_non_null(at);
    return strtod(at + strlen(key), NULL);
}

/* The two clocks are read one after the other: half a second is enough for that anywhere. */
static void check_times(struct registry *registry, double expected)
{
    static const char reload[] = "\ndnstap_exporter_config_last_reload_success_timestamp_seconds ";
    struct text page = {0};

    assert_int_equal(registry_write_status(registry, 1, &page), 0);
    assert_true(number_behind(&page, "\"start_time_seconds\":") >= expected - 0.5);
    assert_true(number_behind(&page, "\"start_time_seconds\":") < expected + 60);
    assert_int_equal(registry_write_page(registry, EXPOSITION_TEXT, &page), 0);
    assert_true(number_behind(&page, reload) >= expected - 0.5);
    assert_true(number_behind(&page, reload) < expected + 60);
    text_deinit(&page);
}

static void test_clock_is_set_later(void **state)
{
    static const char *const names[] = {"unix"};
    const struct registry_fixture_setup setup = {
        .aggregator = {.limits = {8, 56, 3600 * NS_PER_SECOND, 4, 64, 10 * NS_PER_SECOND, false},
                       .time = SHARD_TIME_LIVE,
                       .shard_count = 1,
                       .input_count = 1},
        .input_names = names,
    };
    double began_seconds = (double)clock_monotonic_ns() / (double)NS_PER_SECOND;
    struct registry_fixture fixture = {0};

    (void)state;
    boot_ns = 0;
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    check_times(fixture.registry, began_seconds);
    boot_ns = YEAR_2026_NS;
    check_times(fixture.registry, (double)(YEAR_2026_NS / NS_PER_SECOND) + began_seconds);
    boot_ns -= 3600 * NS_PER_SECOND; /* and back */
    check_times(fixture.registry, (double)(YEAR_2026_NS / NS_PER_SECOND) - 3600 + began_seconds);
    registry_fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clock_is_set_later)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
