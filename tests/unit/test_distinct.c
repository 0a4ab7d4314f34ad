/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "sketch/distinct.h"
#include "support/random.h"

#define PRECISION 12

/* 1.04 / sqrt(2^precision); below a tenth of the registers collisions alone decide, and the error
 * is smaller still. */
static void close_enough(const uint8_t *registers, unsigned precision, double exact)
{
    double standard_error = 1.04 / sqrt((double)DISTINCT_SIZE(precision));
    double estimate = distinct_estimate(registers, precision);

    assert_true(fabs(estimate - exact) <= 3 * standard_error * exact + 0.5);
}

/* From 1 to 10 million, looked at 20 times in each power of ten, within three standard errors. */
static void test_one_to_ten_million(void **state)
{
    (void)state;
    for (uint64_t stream = 0; stream < 3; stream++) {
        uint8_t registers[DISTINCT_SIZE(PRECISION)] = {0};
        uint64_t seed = stream * 1000;
        double next = 1;

        for (uint64_t count = 1; count <= 10000000; count++) {
            distinct_insert(registers, PRECISION, random_next(&seed));
            if ((double)count >= next) {
                close_enough(registers, PRECISION, (double)count);
                next = fmax(next * pow(10, 0.05), next + 1);
            }
        }
    }
}

/* The error that the header states is the one that there is, at every precision in use. */
static void test_standard_error(void **state)
{
    static const unsigned precisions[] = {6, 8, 12};
    static const unsigned sizes[] = {30, 300, 3000, 30000};

    (void)state;
    for (size_t p = 0; p < 3; p++) {
        unsigned precision = precisions[p];
        double stated = 1.04 / sqrt((double)DISTINCT_SIZE(precision));

        for (size_t s = 0; s < 4; s++) {
            double squares = 0;
            double sum = 0;

            for (uint64_t run = 0; run < 200; run++) {
                uint8_t registers[DISTINCT_SIZE(12)] = {0};
                uint64_t seed = run << 32 | sizes[s];

                for (unsigned i = 0; i < sizes[s]; i++) {
                    distinct_insert(registers, precision, random_next(&seed));
                }
                double off = distinct_estimate(registers, precision) / sizes[s] - 1;
                squares += off * off;
                sum += off;
            }
            assert_true(sqrt(squares / 200) < 1.2 * stated);
            assert_true(fabs(sum / 200) < 0.3 * stated); /* unbiased: 4 of its standard errors */
        }
    }
}

static void test_empty_is_zero(void **state)
{
    const uint8_t registers[DISTINCT_SIZE(PRECISION)] = {0};

    (void)state;
    assert_true(distinct_estimate(registers, PRECISION) == 0);
}

static void test_repetition_does_not_count(void **state)
{
    uint8_t registers[DISTINCT_SIZE(PRECISION)] = {0};

    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        uint64_t seed = 9;
        for (unsigned i = 0; i < 100; i++) {
            distinct_insert(registers, PRECISION, random_next(&seed));
        }
    }
    close_enough(registers, PRECISION, 100);
}

/* Merged counters are, to the bit, the one that saw everything. */
static void test_merged_is_single(void **state)
{
    uint8_t single[DISTINCT_SIZE(PRECISION)] = {0};
    uint8_t parts[7][DISTINCT_SIZE(PRECISION)] = {{0}};
    uint8_t merged[DISTINCT_SIZE(PRECISION)] = {0};
    uint64_t seed = 3;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t hash = random_next(&seed);
        distinct_insert(single, PRECISION, hash);
        distinct_insert(parts[i % 7], PRECISION, hash);
        distinct_insert(parts[i % 5], PRECISION, hash); /* what two have seen counts once */
    }
    for (unsigned i = 0; i < 7; i++) {
        distinct_merge(merged, parts[i], PRECISION);
    }
    assert_memory_equal(merged, single, sizeof single);
}

/* The hashes that fill a register as far as it goes, and the estimate at the end of the world. */
static void test_extreme_hashes(void **state)
{
    uint8_t registers[DISTINCT_SIZE(PRECISION)] = {0};

    (void)state;
    distinct_insert(registers, PRECISION, 0);
    assert_int_equal(registers[0], 64 - PRECISION + 1);
    distinct_insert(registers, PRECISION, UINT64_MAX);
    assert_int_equal(registers[DISTINCT_SIZE(PRECISION) - 1], 1);
    assert_true(isfinite(distinct_estimate(registers, PRECISION)));
    memset(registers, 64 - PRECISION + 1, sizeof registers);
    assert_true(distinct_estimate(registers, PRECISION) > 0x1p60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_to_ten_million), cmocka_unit_test(test_standard_error),
        cmocka_unit_test(test_empty_is_zero),      cmocka_unit_test(test_repetition_does_not_count),
        cmocka_unit_test(test_merged_is_single),   cmocka_unit_test(test_extreme_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
