/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "support/sight.h"
#include "top/window.h"

static const struct pane_shape shape = {
    .lists = 1u << TOP_QNAME_QUERIES, .distincts = 1u << DISTINCT_QNAMES, .capacity = 100};

static struct window *window;
static struct pane *pane;
static struct pane *sum;

static int set_up(void **state)
{
    (void)state;
    return window_create(&window, &shape) < 0 || pane_create(&pane, &shape) < 0 ||
                   pane_create(&sum, &shape) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    window_free(window);
    pane_free(pane);
    pane_free(sum);
    return 0;
}

/* `count` queries in a step, when `now` is under way. */
static void add(uint64_t step, uint64_t now, unsigned count)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(CLIENT_EVENT_QUERY, 7, "www.site.example", space);

    pane_clear(pane);
    for (unsigned i = 0; i < count; i++) {
        pane_record(pane, &event);
    }
    window_merge(window, step, now, pane);
}

static const struct pane *sum_of(uint64_t now)
{
    window_sum(window, now, sum);
    return sum;
}

static uint64_t total(uint64_t now)
{
    return heavy_hitters_total(sum_of(now)->lists[TOP_QNAME_QUERIES]);
}

/* What is counted in the step under way is there, too, whenever it comes. */
static void test_step_under_way(void **state)
{
    (void)state;
    add(100, 100, 5);
    assert_int_equal(total(100), 5);
    add(100, 100, 1);
    assert_int_equal(total(100), 6);
    add(101, 101, 3);
    assert_int_equal(total(101), 9);
    assert_int_equal(total(109), 9);
    assert_int_equal(total(110), 3);
}

/* Keys that the panes had no room for are counted, whichever let go of them. */
static void test_evictions(void **state)
{
    uint64_t names = 0;

    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        pane_clear(pane);
        for (unsigned i = 0; i < 100; i++) {
            uint8_t space[DNS_NAME_MAX];
            char name[32];
            (void)snprintf(name, sizeof name, "n%u.example", (unsigned)names++);
            struct client_event event = sight(CLIENT_EVENT_QUERY, 7, name, space);
            pane_record(pane, &event);
        }
        window_merge(window, 100, 100, pane);
    }
    uint64_t kept = heavy_hitters_size(sum_of(100)->lists[TOP_QNAME_QUERIES]);
    assert_true(kept < names);
    assert_int_equal(window_evictions(window, TOP_QNAME_QUERIES), names - kept);
}

/* Each step counts as long as it is one of the nine before the one under way. */
static void test_rolling(void **state)
{
    (void)state;
    for (uint64_t step = 100; step < 150; step++) {
        uint64_t expected = 0;

        add(step, step + 1, (unsigned)step);
        for (uint64_t i = step; i > step - (WINDOW_STEPS - 1) && i >= 100; i--) {
            expected += i;
        }
        assert_int_equal(total(step + 1), expected);
        assert_int_equal(total(step + 1), expected); /* reading changes nothing */
    }
}

static void test_silence_empties_it(void **state)
{
    (void)state;
    add(100, 101, 5);
    assert_int_equal(total(101), 5);
    assert_int_equal(total(109), 5);
    assert_int_equal(total(110), 0);
    assert_int_equal(total(100000), 0);
    assert_int_equal(total(101), 5); /* a clock that goes back finds what it left */
}

/* Workers hand in one step's panes one after the other, before and after a reading. */
static void test_several_of_one_step(void **state)
{
    (void)state;
    add(100, 101, 5);
    assert_int_equal(total(101), 5);
    add(100, 101, 7);
    assert_int_equal(total(101), 12);
}

/* Steps far apart share a place in the ring; the old one makes room. */
static void test_after_a_gap(void **state)
{
    (void)state;
    add(100, 101, 5);
    add(110, 110, 7); /* the same place as 100 */
    assert_int_equal(total(110), 7);
    add(1000, 1001, 3);
    assert_int_equal(total(1001), 3);
}

static void test_what_is_outside_is_not_kept(void **state)
{
    (void)state;
    add(100, 101, 5);
    add(90, 101, 7); /* too old, and in the place of 100 */
    assert_int_equal(total(101), 5);
    add(200, 101, 9); /* of a clock that went back since */
    assert_int_equal(total(101), 5);
    add(50, 59, 1); /* back in time */
    assert_int_equal(total(60), 0);
    assert_int_equal(total(59), 1);
}

static void test_distinct_counts_roll_too(void **state)
{
    (void)state;
    add(100, 101, 5);
    add(101, 102, 5);
    assert_int_equal(pane_distinct(sum_of(102), DISTINCT_QNAMES) + 0.5, 1);
    assert_int_equal(pane_distinct(sum_of(111), DISTINCT_QNAMES) + 0.5, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_step_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_evictions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rolling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silence_empties_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several_of_one_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_outside_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_distinct_counts_roll_too, set_up, tear_down),
    };

    window_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
