/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "rate_limit_internal.h"

static void test_no_limit(void **state)
{
    struct rate_limit limit;

    (void)state;
    rate_limit_init(&limit, 0, 0);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(rate_limit_take(&limit, 0));
    }
    rate_limit_deinit(&limit);
}

/* The burst at once, then one each interval, and never more than the burst. */
static void test_burst_and_interval(void **state)
{
    struct rate_limit limit;

    (void)state;
    rate_limit_init(&limit, NS_PER_SECOND, 3);
    uint64_t now_ns = limit.seen_ns;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(rate_limit_take(&limit, now_ns), i < 3);
    }
    assert_false(rate_limit_take(&limit, now_ns + NS_PER_SECOND - 1));
    assert_true(rate_limit_take(&limit, now_ns + NS_PER_SECOND));
    assert_false(rate_limit_take(&limit, now_ns + NS_PER_SECOND));
    now_ns += 1000 * NS_PER_SECOND;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(rate_limit_take(&limit, now_ns), i < 3);
    }
    assert_false(
        rate_limit_take(&limit, now_ns - 500 * NS_PER_SECOND)); /* seen by another thread */
    rate_limit_deinit(&limit);
}

/* Without a burst nothing is within the limit. */
static void test_no_burst(void **state)
{
    struct rate_limit limit;

    (void)state;
    rate_limit_init(&limit, NS_PER_SECOND, 0);
    assert_false(rate_limit_take(&limit, limit.seen_ns + 10 * NS_PER_SECOND));
    rate_limit_deinit(&limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_burst_and_interval),
        cmocka_unit_test(test_no_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
