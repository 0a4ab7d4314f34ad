/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "leaky_sum_internal.h"

static void test_leaky_sum(void **state)
{
    struct leaky_sums sums;
    const struct leaky_sum *sum;

    (void)state;
    assert_int_equal(leaky_sums_init(&sums, SET_WAYS, 0.5), 0);
    sum = leaky_sums_add(&sums, 7, 10, 100, 2, 1000);
    assert_true(leaky_sum_value(&sums, sum, 1000) == 10);
    assert_true(leaky_sums_value(&sums, 7, 1010) == 5);
    sum = leaky_sums_add(&sums, 7, 3, 100, 1, 1010);
    assert_true(leaky_sum_value(&sums, sum, 1010) == 8);
    assert_int_equal(sum->events, 3);
    sum = leaky_sums_add(&sums, 7, -20, 100, 0, 1010); /* never below 0 */
    assert_true(leaky_sum_value(&sums, sum, 1010) == 0);
    sum = leaky_sums_add(&sums, 7, 500, 100, 1, 1020); /* nor above what is allowed */
    assert_true(leaky_sum_value(&sums, sum, 1020) == 100);
    assert_int_equal(sum->events, 1); /* since it was 0 */
    assert_true(leaky_sums_value(&sums, 8, 1020) == 0);
    assert_true(leaky_sums_value(&sums, 7, 2000) == 0);
    for (unsigned i = 0; i < SET_WAYS; i++) { /* what has leaked away makes room */
        (void)leaky_sums_add(&sums, 100 + i, 1, 100, 1, 2000);
    }
    assert_int_equal(sums.table.evictions, 0);
    set_table_deinit(&sums.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaky_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
