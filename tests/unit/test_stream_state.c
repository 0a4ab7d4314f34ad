/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "count/stream_state.h"

#define BEGIN_S 1000

static const struct server_ref server = {.number = 1, .generation = 1};
static struct stream_states *states;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(stream_states_create(&states, 3), 0);
    stream_states_begin(states, server);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stream_states_free(states);
    return 0;
}

static unsigned flags(void)
{
    return stream_states_flags(states, stream_index(server.number, ROLE_CLIENT));
}

/* Hand in so many messages, of which so many have no counterpart. */
static void add(unsigned second, uint32_t queries, uint32_t responses, uint32_t unanswered,
                uint32_t unmatched)
{
    struct stream_counts counts = {
        .messages = {[KIND_QUERY] = queries, [KIND_RESPONSE] = responses},
        .unanswered = unanswered,
        .unmatched = unmatched,
    };

    stream_states_add(states, server, ROLE_CLIENT, &counts, (BEGIN_S + second) * NS_PER_SECOND);
    assert_int_equal(counts.messages[KIND_QUERY] + counts.messages[KIND_RESPONSE], 0);
}

static void test_responses_only(void **state)
{
    (void)state;
    add(0, 0, 9, 0, 0);
    add(15, 0, 0, 0, 0);
    assert_int_equal(flags(), 0); /* nine are no sign of anything */
    add(15, 0, 1, 0, 0);
    assert_int_equal(flags(), STREAM_RESPONSES_ONLY);
    stream_states_seen(states, stream_index(server.number, ROLE_AUTH), KIND_QUERY);
    assert_int_equal(flags(), 0); /* client and auth are one stream */
    add(20, 0, 10, 0, 0);
    add(34, 0, 10, 0, 0);
    assert_int_equal(flags(), 0);
    add(35, 0, 10, 0, 0);
    assert_int_equal(flags(), STREAM_RESPONSES_ONLY);
    add(36, 1, 0, 0, 0);
    assert_int_equal(flags(), 0);
}

static void test_queries_only(void **state)
{
    (void)state;
    add(0, 10, 0, 0, 0);
    add(59, 10, 0, 0, 0);
    assert_int_equal(flags(), 0);
    add(60, 0, 0, 0, 0);
    assert_int_equal(flags(), STREAM_QUERIES_ONLY);
    add(61, 0, 1, 0, 0);
    assert_int_equal(flags(), 0);
}

/* More than half of both kinds without counterpart, in a minute with ten of each. */
static void test_sampled(void **state)
{
    static const struct {
        uint32_t queries, responses, unanswered, unmatched;
        unsigned flags;
    } cases[] = {
        {20, 20, 11, 11, STREAM_SAMPLED},
        {20, 20, 10, 11, 0},
        {20, 20, 11, 10, 0},
        {9, 20, 9, 20, 0},
        {20, 9, 20, 9, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stream_states_free(states);
        assert_int_equal(stream_states_create(&states, 3), 0);
        stream_states_begin(states, server);
        add(0, cases[i].queries, cases[i].responses, cases[i].unanswered, cases[i].unmatched);
        add(59, 0, 0, 0, 0);
        assert_int_equal(flags(), 0);
        add(60, 0, 0, 0, 0);
        assert_int_equal(flags(), cases[i].flags);
    }
}

/* The clock of files may go back: then the time begins anew. */
static void test_time_goes_back(void **state)
{
    (void)state;
    add(100, 0, 10, 0, 0);
    add(50, 0, 10, 0, 0);
    add(64, 0, 10, 0, 0);
    assert_int_equal(flags(), 0);
    add(65, 0, 10, 0, 0);
    assert_int_equal(flags(), STREAM_RESPONSES_ONLY);
}

/* A number that stands for another server has no state, and what comes late counts for nothing. */
static void test_generation(void **state)
{
    struct stream_counts late = {.messages = {[KIND_RESPONSE] = 100}};

    (void)state;
    add(0, 0, 10, 0, 0);
    add(15, 0, 10, 0, 0);
    assert_int_equal(flags(), STREAM_RESPONSES_ONLY);
    stream_states_begin(states, (struct server_ref){.number = 1, .generation = 2});
    assert_int_equal(flags(), 0);
    stream_states_add(states, server, ROLE_CLIENT, &late, (BEGIN_S + 20) * NS_PER_SECOND);
    late.messages[KIND_RESPONSE] = 100;
    stream_states_add(states, server, ROLE_CLIENT, &late, (BEGIN_S + 40) * NS_PER_SECOND);
    assert_int_equal(flags(), 0);
}

static void test_flags_that_are_set(void **state)
{
    struct stream_counts counts = {.messages = {[KIND_QUERY] = 1}, .sampled = true};

    (void)state;
    stream_states_set(states, stream_index(server.number, ROLE_CLIENT), STREAM_EMPTY_QUERIES);
    assert_int_equal(flags(), STREAM_EMPTY_QUERIES);
    stream_states_add(states, server, ROLE_CLIENT, &counts, BEGIN_S * NS_PER_SECOND);
    assert_int_equal(flags(), STREAM_EMPTY_QUERIES | STREAM_SAMPLED_INPUT);
    add(1, 1, 0, 0, 0);
    assert_int_equal(flags(), STREAM_EMPTY_QUERIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_responses_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queries_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sampled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_goes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_generation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flags_that_are_set, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
