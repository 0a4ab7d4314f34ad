/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "count/tally.h"

#define SERVERS 3
#define INPUTS  2

static struct tally new_tally(void)
{
    struct tally tally;

    assert_int_equal(tally_init(&tally, SERVERS, INPUTS), 0);
    return tally;
}

/* Every number of the tally different from its neighbours, all derived from `seed`. */
static void fill(struct tally *tally, uint64_t seed, unsigned server, enum role role)
{
    uint64_t *cell = (uint64_t *)tally_cell(tally, server, role);
    uint64_t *policy = (uint64_t *)&tally->policies[server];
    uint64_t *inputs = (uint64_t *)tally->inputs;
    uint64_t *common = (uint64_t *)&tally->common;

    for (size_t i = 0; i < sizeof(struct cell) / 8; i++) {
        cell[i] += seed + i;
    }
    for (size_t i = 0; i < sizeof(struct policy_tally) / 8; i++) {
        policy[i] += seed + i;
    }
    for (size_t i = 0; i < INPUTS * sizeof(struct input_tally) / 8; i++) {
        inputs[i] += seed + i;
    }
    for (size_t i = 0; i < sizeof(struct common_tally) / 8; i++) {
        common[i] += seed + i;
    }
}

static void same(const struct tally *a, const struct tally *b)
{
    assert_memory_equal(a->cells, b->cells, SERVERS * ROLE_COUNT * sizeof(struct cell));
    assert_memory_equal(a->seen, b->seen, SERVERS * ROLE_COUNT * sizeof(bool));
    assert_memory_equal(a->policies, b->policies, SERVERS * sizeof(struct policy_tally));
    assert_memory_equal(a->inputs, b->inputs, INPUTS * sizeof(struct input_tally));
    assert_memory_equal(&a->common, &b->common, sizeof a->common);
}

static void test_seen(void **state)
{
    struct tally tally = new_tally();

    (void)state;
    (void)tally_cell(&tally, 2, ROLE_TOOL);
    for (unsigned server = 0; server < SERVERS; server++) {
        for (enum role role = 0; role < ROLE_COUNT; role++) {
            assert_int_equal(tally.seen[tally_index(server, role)],
                             server == 2 && role == ROLE_TOOL);
        }
    }
    tally_deinit(&tally);
    tally_deinit(&tally);
    tally_deinit(NULL);
}

static void test_add(void **state)
{
    struct tally sum = new_tally();
    struct tally a = new_tally();
    struct tally b = new_tally();
    struct tally expected = new_tally();

    (void)state;
    fill(&a, 1000, 0, ROLE_CLIENT);
    fill(&a, 2000, 2, ROLE_UPDATE);
    fill(&b, 5, 2, ROLE_UPDATE);
    fill(&b, 7, 1, ROLE_AUTH);
    tally_add(&sum, &a);
    same(&sum, &a);
    tally_add(&sum, &b);
    fill(&expected, 1000, 0, ROLE_CLIENT);
    fill(&expected, 2000, 2, ROLE_UPDATE);
    fill(&expected, 5, 2, ROLE_UPDATE);
    fill(&expected, 7, 1, ROLE_AUTH);
    same(&sum, &expected);
    tally_deinit(&expected);
    tally_deinit(&b);
    tally_deinit(&a);
    tally_deinit(&sum);
}

static void test_clear(void **state)
{
    struct tally tally = new_tally();
    struct tally zero = new_tally();

    (void)state;
    fill(&tally, 1, 0, ROLE_AUTH);
    fill(&tally, 2, 2, ROLE_UPDATE);
    tally_clear(&tally);
    same(&tally, &zero);
    fill(&tally, 1, 1, ROLE_STUB);
    tally_clear(&tally);
    same(&tally, &zero);
    tally_deinit(&zero);
    tally_deinit(&tally);
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
        cmocka_unit_test(test_seen),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_bounds_ascend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
