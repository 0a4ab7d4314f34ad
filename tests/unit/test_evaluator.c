/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/evaluator.h"
#include "support/sight.h"

static struct analysis_setup setup = {
    .panes = {.lists = 1u << TOP_QNAME_QUERIES,
              .distincts = 1u << DISTINCT_QNAMES,
              .capacity = 100},
    .detect = {{{.enabled = true, .capacity = 16, .threshold = 150},
                {.enabled = true, .capacity = 16, .threshold = 6},
                {.enabled = true, .capacity = 16, .threshold = 1500}}},
    .findings_max = 5,
    .window_ns = 100 * NS_PER_SECOND,
};

static struct client_event_rules rules;
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

/* The process stood still: what comes after it does not leave the window too early. */
static void test_late_evaluation(void **state)
{
    const uint64_t late_ns = BEGIN_NS + 500 * NS_PER_SECOND;
    uint64_t evaluations;

    (void)state;
    evaluate(BEGIN_NS, 3);
    evaluate(late_ns, 4);
    assert_int_equal(published(&evaluations), 4);
    evaluate(late_ns + 99 * NS_PER_SECOND, 0);
    assert_int_equal(published(&evaluations), 4);
    evaluate(late_ns + 100 * NS_PER_SECOND, 0);
    assert_int_equal(published(&evaluations), 0);
}

/* In files the time between two frames may be any, and the part is of the first. */
static void test_gap_in_a_file(void **state)
{
    uint64_t evaluations;

    (void)state;
    evaluator_free(evaluator);
    assert_int_equal(evaluator_create(&evaluator, &setup, true), 0);
    evaluate(BEGIN_NS, 0);
    evaluate(BEGIN_NS + 500 * NS_PER_SECOND, 4);
    assert_int_equal(published(&evaluations), 0);
}

static void test_window_of_all(void **state)
{
    static const uint64_t years[] = {2026, 1970, 2029, 2000};
    struct analysis_setup all = setup;
    uint64_t evaluations;

    (void)state;
    all.window_ns = ANALYSIS_OF_ALL_NS;
    evaluator_free(evaluator);
    assert_int_equal(evaluator_create(&evaluator, &all, true), 0);
    for (size_t i = 0; i < sizeof years / sizeof years[0]; i++) {
        evaluate((years[i] - 1970) * 365 * 86400 * NS_PER_SECOND, 1);
    }
    assert_int_equal(published(&evaluations), 4);
}

/* What a detector had no room for is published, also if nothing else changes. */
static void test_overflows(void **state)
{
    uint8_t space[DNS_NAME_MAX];
    uint64_t evaluations;

    (void)state;
    evaluate(BEGIN_NS, 0);
    for (uint32_t i = 0; i < 20000; i++) { /* of what the tunnel's part has no room for */
        char name[32];
        (void)snprintf(name, sizeof name, "n%u.site.example", i);
        struct client_event event = sight(CLIENT_EVENT_QUERY, i + 1, name, space);
        event.rules = &rules;
        detect_part_record(part->detect, &event);
    }
    evaluator_take_detect(evaluator, part, BEGIN_NS + 10 * NS_PER_SECOND);
    evaluate(BEGIN_NS + 10 * NS_PER_SECOND, 0);
    const struct evaluator_view *view = evaluator_acquire(evaluator, &evaluations);
    assert_true(view->detect_overflows > 0);
    evaluator_release(evaluator, view);
}

/* One client sends a kilobyte or two in names; returns what that says in the log, for the caller to
 * free. */
static char *log_of_a_tunnel(char *folder)
{
    char *const paths[] = {folder};
    struct analysis_setup live = setup;
    uint64_t now_ns = clock_monotonic_ns();
    FILE *log = tmpfile();
    int standard_error = dup(STDERR_FILENO);
    char *text = calloc(1, 8192);

    assert_true(log != NULL && standard_error >= 0 && text != NULL);
    live.recordings = (struct recordings){paths, 1};
    evaluator_free(evaluator);
    assert_int_equal(evaluator_create(&evaluator, &live, false), 0);
    evaluate(now_ns, 0);
    for (unsigned i = 0; i < 40; i++) {
        uint8_t space[DNS_NAME_MAX];
        char name[80];
        (void)snprintf(name, sizeof name, "n%058u.evil.example", (unsigned)now_ns + i);
        struct client_event event = sight(CLIENT_EVENT_QUERY, 7, name, space);
        event.rules = &rules;
        detect_part_record(part->detect, &event);
    }
    assert_true(dup2(fileno(log), STDERR_FILENO) >= 0);
    evaluator_take_detect(evaluator, part, now_ns + NS_PER_SECOND);
    evaluate(now_ns + NS_PER_SECOND, 0);
    assert_true(dup2(standard_error, STDERR_FILENO) >= 0);
    (void)close(standard_error);
    rewind(log);
    assert_true(fread(text, 1, 8191, log) > 0);
    (void)fclose(log);
    return text;
}

/* A live evaluation has a clock that does not count from 1970; `print` does. */
static void test_command_in_the_log(void **state)
{
    char folder[] = "/var/lib/archive";
    char *text = log_of_a_tunnel(folder);
    const char *from = strstr(text, "command=\"dnstap_exporter print ");
    struct tm utc = {0};

    (void)state;
    assert_non_null(from);
    from = strstr(from, " --from=");
    assert_non_null(from);
    from = strptime(from + strlen(" --from="), "%Y-%m-%dT%H:%M:%SZ", &utc);
    assert_non_null(from);
    assert_memory_equal(from, " /var/lib/archive\"", 18);
    long long before = (long long)(clock_realtime_ns() / NS_PER_SECOND) - (long long)timegm(&utc);
    assert_in_range(before, 5, 60); /* servers may send late: it is ten */
    free(text);
}

/* A line has no half of a command. */
static void test_long_command(void **state)
{
    char folder[2000];

    (void)state;
    memset(folder, 'a', sizeof folder);
    folder[sizeof folder - 1] = '\0';
    char *text = log_of_a_tunnel(folder);
    assert_non_null(strstr(text, "DNS tunnel begins"));
    assert_null(strstr(text, "command="));
    free(text);
}

static int set_up(void **state)
{
    (void)state;
    return detect_share(&setup.detect) < 0 || evaluator_create(&evaluator, &setup, false) < 0 ||
                   part_create(&part, &setup.panes, &setup.detect) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    evaluator_free(evaluator);
    part_free(part);
    detect_unshare(&setup.detect);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts_add_up_and_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_evaluation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gap_in_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window_of_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overflows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_command_in_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_command, set_up, tear_down),
    };

    evaluator_free(NULL); /* is fine */
    part_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
