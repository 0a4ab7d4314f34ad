/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "sketch/histogram.h"

static const uint64_t upper[] = {10, 20, 1000};
static const struct histogram_bounds bounds = {upper, 3, &histogram_numbers, .native_zero = -1};

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
        histogram_observe(&histogram, &bounds, cases[i].value);
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
        histogram_observe(&histogram, &bounds, value);
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
        histogram_observe(&histogram, &bounds, UINT64_C(1) << 62);
    }
    assert_true(histogram_sum(&histogram) == 6 * 0x1p62);
}

static void test_no_bounds_and_all_bounds(void **state)
{
    uint64_t many[HISTOGRAM_BOUNDS_MAX];
    const struct histogram_bounds none = {upper, 0, &histogram_numbers, .native_zero = -1};
    const struct histogram_bounds all = {many, HISTOGRAM_BOUNDS_MAX, &histogram_numbers,
                                         .native_zero = -1};
    struct histogram histogram = {.sum_low = 0};

    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS_MAX; i++) {
        many[i] = i;
    }
    histogram_observe(&histogram, &none, 5);
    assert_int_equal(histogram.buckets[0], 1);
    histogram_observe(&histogram, &all, HISTOGRAM_BOUNDS_MAX);
    assert_int_equal(histogram.buckets[HISTOGRAM_BOUNDS_MAX], 1);
    histogram_observe(&histogram, &all, HISTOGRAM_BOUNDS_MAX - 1);
    assert_int_equal(histogram.buckets[HISTOGRAM_BOUNDS_MAX - 1], 1);
    assert_int_equal(histogram_count(&histogram), 3);
}

/* Prepared or not, a value's bucket is the same. */
static void test_prepared(void **state)
{
    static const uint64_t close[] = {1, 2, 3, 100, 101, 102, 103, 5000, 1000000, UINT64_C(1) << 40};
    const struct histogram_bounds slow = {close, 10, &histogram_numbers, .native_zero = -1};
    struct histogram_bounds fast = {close, 10, &histogram_numbers, .native_zero = -1};

    (void)state;
    histogram_prepare(&fast);
    for (uint64_t value = 0; value < UINT64_C(1) << 42; value += value / 50 + 1) {
        struct histogram a = {.sum_low = 0};
        struct histogram b = {.sum_low = 0};
        histogram_observe(&a, &slow, value);
        histogram_observe(&b, &fast, value);
        assert_memory_equal(&a, &b, sizeof a);
    }
    assert_true(fast.below[HISTOGRAM_NATIVE_BUCKETS - 1] > 5);
}

/* --- Native buckets --- */

#define NS 1000000000

static const struct histogram_bounds times = {upper, 3, &histogram_nanoseconds,
                                              .native_zero = -160};
static const struct histogram_bounds sizes = {upper, 3, &histogram_numbers, .native_zero = -1};

/* The one bucket in use. */
static int bucket_in_use(const struct histogram_bounds *used, uint64_t value)
{
    struct histogram histogram = {.sum_low = 0};
    struct native_histogram native;

    histogram_observe(&histogram, used, value);
    histogram_native(&histogram, used, HISTOGRAM_SCHEMA_MAX, &native);
    assert_int_equal(native.schema, 3);
    if (native.count == 0) {
        assert_int_equal(native.zero_count, 1);
        return used->native_zero;
    }
    assert_int_equal(native.count, 1);
    assert_int_equal(native.zero_count, 0);
    assert_int_equal(native.values[0], 1);
    return native.index[0];
}

/* By the definition, in higher precision than ours. */
static void check_native(const struct histogram_bounds *used, uint64_t value)
{
    long double in_unit = (long double)value / (long double)used->unit->per_unit;
    int index = bucket_in_use(used, value);

    assert_true(in_unit <= exp2l(index / 8.0L) * (1 + 1e-16L));
    if (index > used->native_zero) {
        assert_true(in_unit > exp2l((index - 1) / 8.0L) * (1 - 1e-16L));
    }
}

static void test_native_buckets(void **state)
{
    (void)state;
    for (uint64_t value = 0; value <= 70000; value++) {
        check_native(&sizes, value);
    }
    for (uint64_t size = 1; size <= 1048576; size *= 2) {
        assert_true(exp2(bucket_in_use(&sizes, size) / 8.0) == (double)size);
        if (size >= 16) {
            assert_int_equal(bucket_in_use(&sizes, size + 1), bucket_in_use(&sizes, size) + 1);
        }
    }
    for (uint64_t ns = 1; ns <= 3600 * (uint64_t)NS; ns += ns / 50 + 1) {
        check_native(&times, ns);
    }
    assert_int_equal(bucket_in_use(&times, 0), -160);
    assert_int_equal(bucket_in_use(&times, 953), -160);
    assert_int_equal(bucket_in_use(&times, 954), -159);
    assert_int_equal(bucket_in_use(&times, NS), 0);
    assert_int_equal(bucket_in_use(&times, NS + 1), 1);
    assert_int_equal(bucket_in_use(&times, 2 * (uint64_t)NS), 8);
    assert_int_equal(bucket_in_use(&times, 3600 * (uint64_t)NS), 95);
    assert_int_equal(bucket_in_use(&times, UINT64_MAX), 95); /* the last one there is */
}

static void test_native_resolution(void **state)
{
    struct histogram histogram = {.sum_low = 0};
    struct native_histogram native[HISTOGRAM_SCHEMA_MAX + 1];

    (void)state;
    for (uint64_t ns = 500; ns <= 3600 * (uint64_t)NS; ns += ns / 20) {
        histogram_observe(&histogram, &times, ns);
    }
    for (int schema = HISTOGRAM_SCHEMA_MIN; schema <= HISTOGRAM_SCHEMA_MAX; schema++) {
        struct native_histogram *it = &native[schema];

        histogram_native(&histogram, &times, schema, it);
        /* 255 buckets are in use, too many for schema 3 */
        assert_int_equal(it->schema, schema < 2 ? schema : 2);
        assert_true(it->zero_threshold == exp2(-20));
        assert_true(it->zero_count > 0);
        assert_in_range(it->count, 1, HISTOGRAM_NATIVE_SHOWN_MAX);
        uint64_t count = it->zero_count;
        for (unsigned i = 0; i < it->count; i++) {
            assert_true(i == 0 || it->index[i] > it->index[i - 1]);
            count += it->values[i];
        }
        assert_int_equal(count, histogram_count(&histogram));
    }
    /* Bucket i of schema 0 is buckets 2i - 1 and 2i of schema 1. */
    for (unsigned i = 0; i < native[0].count; i++) {
        uint64_t both = 0;
        for (unsigned j = 0; j < native[1].count; j++) {
            int index = native[1].index[j];
            both += index == 2 * native[0].index[i] || index == 2 * native[0].index[i] - 1
                        ? native[1].values[j]
                        : 0;
        }
        assert_int_equal(both, native[0].values[i]);
    }
}

static void test_merge_and_clear(void **state)
{
    static const struct histogram zero;
    struct histogram a = {.sum_low = 0};
    struct histogram b = {.sum_low = 0};
    struct histogram both = {.sum_low = 0};

    (void)state;
    for (uint64_t value = 0; value < 3000; value += 7) {
        histogram_observe(value % 2 == 0 ? &a : &b, &bounds, value);
        histogram_observe(&both, &bounds, value);
    }
    histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof a);
    histogram_merge(&a, &zero);
    assert_memory_equal(&a, &both, sizeof a);
    histogram_clear(&a);
    assert_memory_equal(&a, &zero, sizeof a);
    histogram_clear(&a);
    assert_memory_equal(&a, &zero, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_sum_and_count),
        cmocka_unit_test(test_sum_beyond_64_bits),
        cmocka_unit_test(test_no_bounds_and_all_bounds),
        cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_native_buckets),
        cmocka_unit_test(test_native_resolution),
        cmocka_unit_test(test_merge_and_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
