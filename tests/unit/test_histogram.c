/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "sketch/histogram.h"

static const uint64_t upper[] = {10, 20, 1000};
static const struct histogram_bounds bounds = {upper, 3};

static void test_edges(void **state)
{
    static const struct {
        uint64_t value;
        size_t bucket;
    } cases[] = {
        {0, 0}, {9, 0}, {10, 0}, {11, 1}, {20, 1}, {21, 2}, {1000, 2}, {1001, 3}, {UINT64_MAX, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct histogram histogram = {.sum_low = 0};
        histogram_add(&histogram, &bounds, cases[i].value);
        for (size_t bucket = 0; bucket <= HISTOGRAM_BOUNDS_MAX; bucket++) {
            assert_int_equal(histogram.buckets[bucket], bucket == cases[i].bucket);
        }
        assert_true(histogram_sum(&histogram) == (double)cases[i].value);
        assert_int_equal(histogram_count(&histogram), 1);
    }
}

static void test_sum_and_count(void **state)
{
    struct histogram histogram = {.sum_low = 0};

    (void)state;
    assert_int_equal(histogram_count(&histogram), 0);
    for (uint64_t value = 1; value <= 2000; value++) {
        histogram_add(&histogram, &bounds, value);
    }
    assert_int_equal(histogram_count(&histogram), 2000);
    assert_true(histogram_sum(&histogram) == 2000.0 * 2001 / 2);
    assert_int_equal(histogram.buckets[0], 10);
    assert_int_equal(histogram.buckets[1], 10);
    assert_int_equal(histogram.buckets[2], 980);
    assert_int_equal(histogram.buckets[3], 1000);
}

/* A sum in one 64-bit number would wrap here, and look like a restart to Prometheus. */
static void test_sum_beyond_64_bits(void **state)
{
    struct histogram histogram = {.sum_low = 0};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        histogram_add(&histogram, &bounds, UINT64_C(1) << 62);
    }
    assert_true(histogram_sum(&histogram) == 6 * 0x1p62);
}

static void test_no_bounds_and_all_bounds(void **state)
{
    uint64_t many[HISTOGRAM_BOUNDS_MAX];
    const struct histogram_bounds none = {upper, 0};
    const struct histogram_bounds all = {many, HISTOGRAM_BOUNDS_MAX};
    struct histogram histogram = {.sum_low = 0};

    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS_MAX; i++) {
        many[i] = i;
    }
    histogram_add(&histogram, &none, 5);
    assert_int_equal(histogram.buckets[0], 1);
    histogram_add(&histogram, &all, HISTOGRAM_BOUNDS_MAX);
    assert_int_equal(histogram.buckets[HISTOGRAM_BOUNDS_MAX], 1);
    histogram_add(&histogram, &all, HISTOGRAM_BOUNDS_MAX - 1);
    assert_int_equal(histogram.buckets[HISTOGRAM_BOUNDS_MAX - 1], 1);
    assert_int_equal(histogram_count(&histogram), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_sum_and_count),
        cmocka_unit_test(test_sum_beyond_64_bits),
        cmocka_unit_test(test_no_bounds_and_all_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
