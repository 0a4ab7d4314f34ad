/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/read_coalescing.h"

/* What a unix socket's default buffer holds of frames with a write each, as in the header. */
#define WRITES_THAT_FIT 277
#define SHORT_FRAME     100

#define START           UINT64_C(5000000000)

/* What the rest is after reads of `got` bytes, `elapsed_ns` apart. */
static uint64_t rest_of(size_t got, uint64_t elapsed_ns)
{
    struct read_coalescing coalescing = {0};

    read_coalescing_update(&coalescing, 1, START);
    read_coalescing_update(&coalescing, got, START + elapsed_ns);
    assert_int_equal(coalescing.read_ns, START + elapsed_ns);
    return coalescing.delay_ns;
}

/* At a steady rate the rest brings what it is to bring, never more. */
static void test_steady_rates(void **state)
{
    static const uint64_t bytes_per_ms[] = {1, 10, 100, 1000, 4000, 10000, 20000, 80000, 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof bytes_per_ms / sizeof bytes_per_ms[0]; i++) {
        struct read_coalescing coalescing = {.read_ns = START};
        uint64_t due_ns = 1000000 * COALESCE_BYTES / bytes_per_ms[i];
        uint64_t now_ns = START;
        uint64_t elapsed_ns = 20000;
        for (unsigned turn = 0; turn < 50; turn++) {
            uint64_t got = bytes_per_ms[i] * elapsed_ns / 1000000;
            now_ns += elapsed_ns;
            read_coalescing_update(&coalescing, got > 0 ? got : 1, now_ns);
            assert_true(coalescing.delay_ns <= COALESCE_DELAY_MAX_NS);
            assert_true(coalescing.delay_ns == 0 || coalescing.delay_ns >= COALESCE_DELAY_MIN_NS);
            /* Between rates where a timer is not worth it and none there is always a rest. */
            if (due_ns > 2 * COALESCE_DELAY_MIN_NS && due_ns < COALESCE_DELAY_MAX_NS) {
                assert_true(coalescing.delay_ns > due_ns - due_ns / 8 &&
                            coalescing.delay_ns < due_ns + due_ns / 8);
            }
            elapsed_ns = coalescing.delay_ns > 0 ? coalescing.delay_ns : 20000;
        }
    }
}

/* A sender that fills the buffer each time we come, and is slow to begin again: its first write is
 * found alone, after a while, and is no reason to look away. */
static void test_no_rest_between_bursts(void **state)
{
    struct read_coalescing coalescing = {0};
    uint64_t now_ns = START;

    (void)state;
    for (unsigned turn = 0; turn < 100; turn++) {
        read_coalescing_update(&coalescing, 27000, now_ns += 3000000);
        assert_int_equal(coalescing.delay_ns, 0);
        read_coalescing_update(&coalescing, SHORT_FRAME, now_ns += 3000000);
        assert_int_equal(coalescing.delay_ns, 0);
    }
    read_coalescing_update(&coalescing, SHORT_FRAME, now_ns += COALESCE_AFTER_BURST_NS);
    assert_int_equal(coalescing.delay_ns, COALESCE_DELAY_MAX_NS);
}

/* Even if all that comes are the shortest frames, with a write each, a quarter of the buffer is
 * enough. */
static void test_budget_fits(void **state)
{
    (void)state;
    assert_true(4 * (COALESCE_BYTES / SHORT_FRAME) <= WRITES_THAT_FIT);
}

/* A read that brings much means that more is coming: no rest, however long it took. */
static void test_no_rest_under_load(void **state)
{
    (void)state;
    for (size_t got = COALESCE_BYTES + COALESCE_BYTES / 4 + 1; got <= (size_t)256 * 1024;
         got += 1000) {
        assert_int_equal(rest_of(got, 1000), 0);
        assert_int_equal(rest_of(got, 1000 * COALESCE_AFTER_BURST_NS), 0);
    }
}

/* The first read of a connection, or one after days, wraps nothing around. */
static void test_long_silence(void **state)
{
    const uint64_t century = UINT64_C(3155760000) * 1000000000;

    (void)state;
    assert_int_equal(rest_of(1, century), COALESCE_DELAY_MAX_NS);
    assert_int_equal(rest_of(COALESCE_BYTES, century), COALESCE_DELAY_MAX_NS);
    assert_int_equal(rest_of(COALESCE_BYTES, COALESCE_DELAY_MAX_NS - 1), COALESCE_DELAY_MAX_NS - 1);
    assert_int_equal(rest_of(1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady_rates),       cmocka_unit_test(test_budget_fits),
        cmocka_unit_test(test_no_rest_under_load), cmocka_unit_test(test_no_rest_between_bursts),
        cmocka_unit_test(test_long_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
