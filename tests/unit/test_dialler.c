/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/dialler.h"

#define S NS_PER_SECOND

/* When the next attempt is made, looked at each second from `now_ns` on. */
static uint64_t next_attempt(struct dialler *dialler, uint64_t now_ns)
{
    while (!dialler_is_due(dialler, now_ns)) {
        now_ns += S;
    }
    return now_ns;
}

static void test_backoff(void **state)
{
    static const uint64_t seconds[] = {0, 1, 3, 7, 15, 31, 61, 91, 121};
    struct dialler dialler = {0};
    uint64_t now_ns = 100 * S;

    (void)state;
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        now_ns = next_attempt(&dialler, now_ns);
        assert_int_equal(now_ns, (100 + seconds[i]) * S);
        assert_false(dialler_is_due(&dialler, now_ns + 1000 * S)); /* it is under way */
        assert_int_equal(dialler_note_failure(&dialler), i == 0);  /* one line */
    }
}

static void check_restart_after(uint64_t seconds)
{
    struct dialler dialler = {0};
    uint64_t now_ns = 100 * S;

    for (unsigned i = 0; i < 8; i++) {
        now_ns = next_attempt(&dialler, now_ns);
        (void)dialler_note_failure(&dialler);
    }
    now_ns = next_attempt(&dialler, now_ns);
    dialler_note_connected(&dialler, now_ns);
    assert_false(dialler_is_due(&dialler, now_ns + 1000 * S));
    now_ns += seconds * S;
    dialler_note_end(&dialler, now_ns);
    assert_int_equal(next_attempt(&dialler, now_ns), now_ns);
    assert_true(dialler_note_failure(&dialler)); /* a line again */
    assert_int_equal(next_attempt(&dialler, now_ns), now_ns + S);
}

/* A connection that lasted is dialled again at once, whatever was before. */
static void test_restart_of_the_server(void **state)
{
    (void)state;
    check_restart_after(10);
    check_restart_after(1000);
}

/* One that takes the connection and hangs up is not besieged. */
static void test_server_that_hangs_up(void **state)
{
    struct dialler dialler = {0};
    uint64_t now_ns = 100 * S;
    unsigned attempts = 0;

    (void)state;
    while (now_ns < 400 * S) {
        now_ns = next_attempt(&dialler, now_ns);
        dialler_note_connected(&dialler, now_ns);
        dialler_note_end(&dialler, now_ns + S);
        attempts++;
    }
    assert_in_range(attempts, 10, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_restart_of_the_server),
        cmocka_unit_test(test_server_that_hangs_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
