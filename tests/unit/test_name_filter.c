/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "name_filter_internal.h"
#include "support/random.h"

static struct name_filter *filter;

static int set_up(void **state)
{
    (void)state;
    filter = calloc(1, sizeof *filter);
    return filter != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(filter);
    return 0;
}

static void test_new_once(void **state)
{
    uint64_t chance = 1;
    unsigned taken_for_known = 0;

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t hash = random_next(&chance);
        taken_for_known += !name_filter_insert(filter, hash);
        assert_false(name_filter_insert(filter, hash));
    }
    assert_true(taken_for_known < 10); /* the filter is nearly empty */
}

#define HALF ((uint64_t)(0.231 * 64 * (double)NAME_FILTER_WORDS)) /* hashes; ln 2 / 3 */

static void fill(uint64_t *chance, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        (void)name_filter_insert(filter, random_next(chance));
    }
}

/* A generation ends when it is half full; what is in the one before is known. */
static void test_ages(void **state)
{
    const uint64_t hash = UINT64_C(0x123456789abcdef1);
    uint64_t chance = 3;
    uint64_t first = chance;

    (void)state;
    assert_false(name_filter_has(filter, hash));
    assert_true(name_filter_insert(filter, hash));
    name_filter_age(filter);
    assert_int_equal(filter->newer, 0);
    fill(&chance, HALF + HALF / 20);
    name_filter_age(filter);
    assert_int_equal(filter->newer, 1);
    assert_true(name_filter_has(filter, hash));
    fill(&chance, HALF + HALF / 20);
    name_filter_age(filter);
    assert_int_equal(filter->newer, 0);
    unsigned known = 0;
    for (unsigned i = 0; i < 1000; i++) { /* those of the first generation */
        known += name_filter_has(filter, random_next(&first));
    }
    assert_true(known < 300);
}

/* Half full, about one in seven new hashes is taken for a known one; in two generations, in four.
 */
static void test_false_positives(void **state)
{
    uint64_t chance = 7;
    unsigned known = 0;

    (void)state;
    fill(&chance, HALF + HALF / 20);
    name_filter_age(filter);
    fill(&chance, HALF);
    for (unsigned i = 0; i < 10000; i++) {
        known += !name_filter_insert(filter, random_next(&chance));
    }
    print_message("%u of 10000 taken for known\n", known);
    assert_true(known < 3000);
}

static void test_uses(void **state)
{
    (void)state;
    for (unsigned use = NAME_FILTER_QUERIED; use <= NAME_FILTER_FOUND; use++) {
        assert_true(name_filter_insert(filter, name_filter_hash(use, 5, 6)));
    }
    assert_true(name_filter_hash(0, 5, 6) != name_filter_hash(0, 6, 5));
    assert_true(name_filter_has(filter, name_filter_hash(NAME_FILTER_DENIED, 5, 6)));
    assert_false(name_filter_has(filter, name_filter_hash(NAME_FILTER_DENIED, 5, 7)));
}

#define WITH_FILTER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILTER(test_new_once),
        WITH_FILTER(test_ages),
        WITH_FILTER(test_uses),
        WITH_FILTER(test_false_positives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
