/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "record/evaluator.h"
#include "support/sight.h"

static const struct analysis_setup setup = {
    .panes = {1u << TOP_QNAME_QUERIES, 1u << DISTINCT_QNAMES, 100},
    .detect = {{{true, 10, 300}, {true, 10, 30}}},
    .findings_max = 5,
    .window_ns = 100 * NS_PER_SECOND,
};

static struct evaluator *evaluator;
static struct part *part;

/* Queries that a worker counts, and the evaluation of these. */
static void evaluate(uint64_t now_ns, unsigned queries)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(CLIENT_EVENT_QUERY, 7, "www.site.example", space);

    for (unsigned i = 0; i < queries; i++) {
        pane_record(part->pane, &event);
        part->has_pane = true;
    }
    evaluator_take_pane(evaluator, part, now_ns);
    evaluator_advance(evaluator, now_ns);
    evaluator_publish(evaluator);
}

static uint64_t total(const struct evaluator_view *view)
{
    return heavy_hitters_total(view->window->lists[TOP_QNAME_QUERIES]);
}

static uint64_t published(uint64_t *evaluations)
{
    const struct evaluator_view *view = evaluator_acquire(evaluator, evaluations);
    uint64_t found = total(view);

    evaluator_release(evaluator, view);
    return found;
}

#define BEGIN_NS (1000 * NS_PER_SECOND)

static void test_parts_add_up_and_leave(void **state)
{
    uint64_t evaluations;

    (void)state;
    assert_int_equal(published(&evaluations), 0);
    assert_int_equal(evaluations, 0);
    evaluate(BEGIN_NS, 3);
    assert_false(part->has_pane);
    assert_int_equal(published(&evaluations), 3);
    evaluate(BEGIN_NS + NS_PER_SECOND, 4);
    assert_int_equal(published(&evaluations), 7);
    evaluate(BEGIN_NS + 2 * NS_PER_SECOND, 0); /* nothing new is an evaluation as well */
    assert_int_equal(published(&evaluations), 7);
    assert_int_equal(evaluations, 3);
    evaluate(BEGIN_NS + 99 * NS_PER_SECOND, 0);
    assert_int_equal(published(&evaluations), 7);
    evaluate(BEGIN_NS + 100 * NS_PER_SECOND, 0);
    assert_int_equal(published(&evaluations), 0);
}

/* A view stays as it is while somebody reads it, and what came meanwhile is in the next one. */
static void test_readers(void **state)
{
    uint64_t evaluations;

    (void)state;
    evaluate(BEGIN_NS, 3);
    const struct evaluator_view *first = evaluator_acquire(evaluator, &evaluations);
    evaluate(BEGIN_NS + NS_PER_SECOND, 4);
    const struct evaluator_view *second = evaluator_acquire(evaluator, &evaluations);
    assert_int_equal(total(first), 3);
    assert_int_equal(total(second), 7);
    assert_int_equal(evaluations, 2);
    evaluate(BEGIN_NS + 2 * NS_PER_SECOND, 5); /* there is no view to write */
    assert_int_equal(total(first), 3);
    assert_int_equal(published(&evaluations), 7);
    assert_int_equal(evaluations, 2);
    evaluator_release(evaluator, first);
    evaluate(BEGIN_NS + 3 * NS_PER_SECOND, 0);
    assert_int_equal(total(second), 7);
    assert_int_equal(published(&evaluations), 12);
    evaluator_release(evaluator, second);
}

static int set_up(void **state)
{
    (void)state;
    return evaluator_create(&evaluator, &setup, false) < 0 ||
                   part_create(&part, &setup.panes, &setup.detect) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    evaluator_free(evaluator);
    part_free(part);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts_add_up_and_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers, set_up, tear_down),
    };

    evaluator_free(NULL); /* is fine */
    part_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
