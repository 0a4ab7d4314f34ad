/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/history_scene.h"

#define PAIR counters_index(1, ROLE_CLIENT)

static void test_steps(void **state)
{
    (void)state;
    assert_int_equal(history_count(scene.history), 0);
    send(1, ROLE_CLIENT,
         (struct sent){.queries = 10,
                       .responses = 8,
                       .servfails = 3,
                       .refused = 1,
                       .unanswered = 2,
                       .response_time_ns = 1000000});
    step();
    send(1, ROLE_CLIENT, (struct sent){.queries = 5, .responses = 5, .unmatched = 4});
    step();
    assert_int_equal(history_count(scene.history), 2);
    const struct history_step *last = history_step_at(scene.history, PAIR, 0);
    assert_int_equal(last->queries, 5);
    assert_int_equal(last->unmatched, 4);
    assert_true(last->p99_seconds < 0);
    const struct history_step *first = history_step_at(scene.history, PAIR, 1);
    assert_int_equal(first->queries, 10);
    assert_int_equal(first->responses, 8);
    assert_int_equal(first->servfails, 3);
    assert_int_equal(first->refused, 1);
    assert_int_equal(first->unanswered, 2);
    assert_true(first->p90_seconds > 0.0009F && first->p90_seconds < 0.0011F);

    struct history_sum sum = history_sum(scene.history, PAIR, 0, 100);
    assert_int_equal(sum.steps, 2);
    assert_int_equal(sum.queries, 15);
    assert_int_equal(sum.unmatched, 4);
    assert_true(sum.p99_seconds > 0.0009 && sum.p99_seconds < 0.0011);
    assert_int_equal(history_sum(scene.history, PAIR, 1, 1).queries, 10);
    assert_int_equal(history_sum(scene.history, PAIR, 2, 1).steps, 0);
    assert_int_equal(history_totals_at(scene.history, 0)->frames, 28);
    assert_int_equal(history_totals_at(scene.history, 1)->frames, 18);
    assert_int_equal(history_totals_at(scene.history, 2)->frames, 0);
}

/* Quantiles are within a native bucket, which is 9 % wide. */
static void test_quantiles(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++) {
        send(1, ROLE_CLIENT, (struct sent){.responses = 1, .response_time_ns = i * 1000000});
    }
    step();
    const struct history_step *last = history_step_at(scene.history, PAIR, 0);
    assert_true(last->p90_seconds > 0.86F && last->p90_seconds < 0.94F);
    assert_true(last->p99_seconds > 0.95F && last->p99_seconds < 1.04F);
    send(1, ROLE_CLIENT, (struct sent){.responses = 1, .response_time_ns = 1});
    step();
    assert_true(history_step_at(scene.history, PAIR, 0)->p99_seconds == 0);
}

/* The oldest steps make room. */
static void test_ring(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= HISTORY_STEPS + 10; i++) {
        send(1, ROLE_CLIENT, (struct sent){.queries = i});
        step();
    }
    assert_int_equal(history_count(scene.history), HISTORY_STEPS);
    assert_int_equal(history_step_at(scene.history, PAIR, 0)->queries, HISTORY_STEPS + 10);
    assert_int_equal(history_step_at(scene.history, PAIR, HISTORY_STEPS - 1)->queries, 11);
    uint64_t frames = history_totals_at(scene.history, 0)->frames -
                      history_totals_at(scene.history, HISTORY_STEPS)->frames;
    assert_int_equal(frames, history_sum(scene.history, PAIR, 0, HISTORY_STEPS).queries);
}

/* Another server that takes the place has a history of its own. */
static void test_generations(void **state)
{
    (void)state;
    send(1, ROLE_CLIENT, (struct sent){.queries = 10});
    step();
    counters_replace_server(&scene.counters, 1, 7);
    scene.servers[1].generation = 7;
    send(1, ROLE_CLIENT, (struct sent){.queries = 3});
    step();
    assert_int_equal(history_sum(scene.history, PAIR, 0, 10).queries, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steps, scene_begin, scene_end),
        cmocka_unit_test_setup_teardown(test_quantiles, scene_begin, scene_end),
        cmocka_unit_test_setup_teardown(test_ring, scene_begin, scene_end),
        cmocka_unit_test_setup_teardown(test_generations, scene_begin, scene_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
