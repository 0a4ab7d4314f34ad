/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sched.h>
#include <cmocka.h>

#include "base/cpu_limit.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        unsigned limit;
    } rows[] = {
        {"max 100000\n", 0},
        {"100000 100000\n", 1},
        {"100001 100000\n", 2},
        {"50000 100000\n", 1},
        {"250000 100000\n", 3},
        {"1 100000", 1},
        {"-1 100000", 0}, /* version 1 without a limit */
        {"", 0},
        {"100000", 0},
        {"100000 0", 0},
        {"0 100000", 0},
        {"9223372036854775807 1", 0},
        {"x y", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cpu_limit_parse(rows[i].text) != rows[i].limit) {
            fail_msg("%s: %u", rows[i].text, cpu_limit_parse(rows[i].text));
        }
    }
}

static void test_affinity(void **state)
{
    cpu_set_t all, one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_in_range(cpu_limit(), 1, (unsigned)CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cpu_limit(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_affinity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
