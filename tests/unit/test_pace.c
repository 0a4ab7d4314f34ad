/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/pace.h"

/* What a unix socket's default buffer holds of frames with a write each, as in the header. */
#define WRITES_THAT_FIT 277
#define SHORT_FRAME     100

/* At a steady rate the rest brings what it is to bring, never more. */
static void test_steady_rates(void **state)
{
    static const uint64_t bytes_per_ms[] = {1, 10, 100, 1000, 4000, 10000, 20000, 80000, 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof bytes_per_ms / sizeof bytes_per_ms[0]; i++) {
        uint64_t elapsed_ns = 1000000;
        for (unsigned turn = 0; turn < 50; turn++) {
            uint64_t got = bytes_per_ms[i] * elapsed_ns / 1000000;
            got = got > 0 ? got : 1;
            uint64_t rest_ns = pace_rest(got, elapsed_ns);
            assert_true(rest_ns <= PACE_REST_MAX_NS);
            assert_true(rest_ns == 0 || rest_ns >= PACE_REST_MIN_NS);
            assert_true(bytes_per_ms[i] * rest_ns / 1000000 <= PACE_BYTES);
            /* Between rates so high that a timer is not worth it and none there is always a rest.
             */
            uint64_t due_ns = 1000000 * PACE_BYTES / bytes_per_ms[i];
            if (turn > 0 && due_ns > 2 * PACE_REST_MIN_NS && due_ns < PACE_REST_MAX_NS) {
                assert_true(rest_ns > due_ns - due_ns / 8 && rest_ns <= due_ns + 1000);
            }
            elapsed_ns = rest_ns > 0 ? rest_ns : 20000;
        }
    }
}

/* Even if all that comes are the shortest frames, with a write each, a quarter of the buffer is
 * enough. */
static void test_budget_fits(void **state)
{
    (void)state;
    assert_true(4 * (PACE_BYTES / SHORT_FRAME) <= WRITES_THAT_FIT);
}

/* A read that brings much means that more is coming: no rest, however long it took. */
static void test_no_rest_under_load(void **state)
{
    (void)state;
    for (size_t got = PACE_BYTES + PACE_BYTES / 4 + 1; got <= (size_t)256 * 1024; got += 1000) {
        assert_int_equal(pace_rest(got, 1000), 0);
        assert_int_equal(pace_rest(got, UINT64_MAX), 0);
    }
}

/* The first read of a connection, or one after days, wraps nothing around. */
static void test_long_silence(void **state)
{
    (void)state;
    assert_int_equal(pace_rest(1, UINT64_MAX), PACE_REST_MAX_NS);
    assert_int_equal(pace_rest(PACE_BYTES, UINT64_MAX), PACE_REST_MAX_NS);
    assert_int_equal(pace_rest(PACE_BYTES, PACE_REST_MAX_NS - 1), PACE_REST_MAX_NS - 1);
    assert_int_equal(pace_rest(1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady_rates),
        cmocka_unit_test(test_budget_fits),
        cmocka_unit_test(test_no_rest_under_load),
        cmocka_unit_test(test_long_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
