/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "count/counters.h"

#define SERVERS 3
#define INPUTS  2

static struct counters new_counters(void)
{
    struct counters counters;

    assert_int_equal(counters_init(&counters, SERVERS, INPUTS, true), 0);
    return counters;
}

/* Every number of the counters different from its neighbours, all derived from `seed`. */
static void fill(struct counters *counters, uint64_t seed, unsigned server, enum role role)
{
    uint64_t *counts = (uint64_t *)counters_of_server(counters, server, role);
    uint64_t *answers = (uint64_t *)&counters->answers[counters_index(server, role)];
    uint64_t *policy = (uint64_t *)&counters->policies[server];
    uint64_t *inputs = (uint64_t *)counters->inputs;
    uint64_t *global = (uint64_t *)&counters->global;

    for (size_t i = 0; i < sizeof(struct server_counters) / 8; i++) {
        counts[i] += seed + i;
    }
    for (size_t i = 0; i < sizeof(struct answer_counters) / 8; i++) {
        answers[i] += seed + i;
    }
    for (size_t i = 0; i < sizeof(struct policy_counters) / 8; i++) {
        policy[i] += seed + i;
    }
    for (size_t i = 0; i < INPUTS * sizeof(struct input_counters) / 8; i++) {
        inputs[i] += seed + i;
    }
    for (size_t i = 0; i < sizeof(struct global_counters) / 8; i++) {
        global[i] += seed + i;
    }
}

static void same(const struct counters *a, const struct counters *b)
{
    assert_memory_equal(a->servers, b->servers,
                        SERVERS * ROLE_COUNT * sizeof(struct server_counters));
    assert_memory_equal(a->answers, b->answers,
                        SERVERS * ROLE_COUNT * sizeof(struct answer_counters));
    assert_memory_equal(a->in_use, b->in_use, SERVERS * ROLE_COUNT * sizeof(bool));
    assert_memory_equal(a->policies, b->policies, SERVERS * sizeof(struct policy_counters));
    assert_memory_equal(a->inputs, b->inputs, INPUTS * sizeof(struct input_counters));
    assert_memory_equal(&a->global, &b->global, sizeof a->global);
}

static void test_seen(void **state)
{
    struct counters counters = new_counters();

    (void)state;
    (void)counters_of_server(&counters, 2, ROLE_TOOL);
    for (unsigned server = 0; server < SERVERS; server++) {
        for (enum role role = 0; role < ROLE_COUNT; role++) {
            assert_int_equal(counters.in_use[counters_index(server, role)],
                             server == 2 && role == ROLE_TOOL);
        }
    }
    counters_deinit(&counters);
    counters_deinit(&counters);
    counters_deinit(NULL);
}

static void test_merge(void **state)
{
    const struct label_sets labels = {.servers = NULL}; /* no code has lost its label */
    struct counters sum = new_counters();
    struct counters a = new_counters();
    struct counters b = new_counters();
    struct counters expected = new_counters();

    (void)state;
    fill(&a, 1000, 0, ROLE_CLIENT);
    fill(&a, 2000, 2, ROLE_UPDATE);
    fill(&b, 5, 2, ROLE_UPDATE);
    fill(&b, 7, 1, ROLE_AUTH);
    counters_merge(&sum, &a, &labels);
    same(&sum, &a);
    counters_merge(&sum, &b, &labels);
    fill(&expected, 1000, 0, ROLE_CLIENT);
    fill(&expected, 2000, 2, ROLE_UPDATE);
    fill(&expected, 5, 2, ROLE_UPDATE);
    fill(&expected, 7, 1, ROLE_AUTH);
    same(&sum, &expected);
    counters_deinit(&expected);
    counters_deinit(&b);
    counters_deinit(&a);
    counters_deinit(&sum);
}

static void test_clear(void **state)
{
    struct counters counters = new_counters();
    struct counters zero = new_counters();

    (void)state;
    fill(&counters, 1, 0, ROLE_AUTH);
    fill(&counters, 2, 2, ROLE_UPDATE);
    counters_clear(&counters);
    same(&counters, &zero);
    fill(&counters, 1, 1, ROLE_STUB);
    counters_clear(&counters);
    same(&counters, &zero);
    counters_deinit(&zero);
    counters_deinit(&counters);
}

/* Of the server that was there before nothing is left. */
static void test_replace_server(void **state)
{
    struct counters counters = new_counters();
    struct counters zero = new_counters();

    (void)state;
    fill(&counters, 1, 1, ROLE_AUTH);
    fill(&counters, 2, 1, ROLE_UPDATE);
    counters_replace_server(&counters, 1, 9);
    assert_int_equal(counters.generations[1], 9);
    assert_true(counters.global.expired_messages > 0);
    memset(&counters.global, 0, sizeof counters.global);
    memset(counters.inputs, 0, INPUTS * sizeof *counters.inputs);
    same(&counters, &zero);
    counters_deinit(&zero);
    counters_deinit(&counters);
}

static void test_bounds_ascend(void **state)
{
    static const struct {
        const struct histogram_bounds *bounds;
        uint64_t first, last;
    } cases[] = {
        {&response_time_bounds, 10000, UINT64_C(10000000000)}, /* 10 us to 10 s */
        {&ingest_delay_bounds, 100000, UINT64_C(60000000000)},
        {&query_size_bounds, 20, 4096},
        {&response_size_bounds, 32, 65535},
        {&qname_size_bounds, 4, 255},
        {&answer_ttl_bounds, 0, 172800},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct histogram_bounds *bounds = cases[i].bounds;
        assert_in_range(bounds->count, 2, HISTOGRAM_BOUNDS_MAX);
        assert_true(bounds->upper[0] == cases[i].first);
        assert_true(bounds->upper[bounds->count - 1] == cases[i].last);
        for (size_t j = 1; j < bounds->count; j++) {
            assert_true(bounds->upper[j - 1] < bounds->upper[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen),          cmocka_unit_test(test_merge),
        cmocka_unit_test(test_clear),         cmocka_unit_test(test_replace_server),
        cmocka_unit_test(test_bounds_ascend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
