/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "set_table_internal.h"

struct entry {
    struct set_entry entry;
    unsigned value;
};

static struct set_table table;

static void put(uint64_t key, double weight, unsigned value)
{
    struct entry *entry = set_table_take(&table, key, 0);

    entry->entry.weight = weight;
    entry->value = value;
}

/* The upper half chooses the set. */
static uint64_t in_first_set(unsigned number)
{
    return number;
}

static void test_find(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SET_WAYS; i++) { /* 0 is a key, too */
        assert_null(set_table_find(&table, in_first_set(2 * i)));
        put(in_first_set(2 * i), 1, i);
    }
    for (unsigned i = 0; i < SET_WAYS; i++) {
        const struct entry *entry = set_table_find(&table, in_first_set(2 * i));
        assert_non_null(entry);
        assert_int_equal(entry->value, i);
    }
    assert_int_equal(table.used, SET_WAYS);
    assert_int_equal(table.evictions, 0);
}

static void test_the_lightest_makes_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SET_WAYS; i++) {
        put(in_first_set(2 * i), i == 3 ? 1 : SET_KEEP, i);
    }
    const struct entry *entry = set_table_take(&table, in_first_set(100), 0);
    assert_int_equal(entry->value, 0); /* it is new */
    assert_null(set_table_find(&table, in_first_set(6)));
    assert_int_equal(table.evictions, 1);
    assert_int_equal(table.used, SET_WAYS);
    put(in_first_set(100), 5, 1);
    (void)set_table_take(&table, in_first_set(102), 5); /* it was worth nothing */
    assert_int_equal(table.evictions, 1);
}

static void test_what_is_kept_makes_no_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SET_WAYS; i++) {
        put(in_first_set(2 * i), SET_KEEP, i);
    }
    assert_null(set_table_take(&table, in_first_set(100), 0));
    assert_int_equal(table.evictions, 1);
    assert_non_null(set_table_find(&table, in_first_set(0)));
}

static void test_remove_and_clear(void **state)
{
    unsigned found = 0;

    (void)state;
    put(1, 1, 1);
    put(UINT64_C(1) << 32, 1, 2);
    for (size_t i = 0; i < table.count; i++) {
        found += set_table_at(&table, i) != NULL;
    }
    assert_int_equal(found, 2);
    set_table_remove(&table, set_table_find(&table, 1));
    assert_null(set_table_find(&table, 1));
    assert_int_equal(table.used, 1);
    set_table_clear(&table);
    assert_null(set_table_find(&table, UINT64_C(1) << 32));
    assert_int_equal(table.used, 0);
}

static void test_count(void **state)
{
    (void)state;
    assert_int_equal(set_table_count(1), SET_WAYS);
    assert_int_equal(set_table_count(500), 512);
    assert_int_equal(set_table_count(512), 512);
}

static int set_up(void **state)
{
    (void)state;
    return set_table_init(&table, 4 * SET_WAYS, sizeof(struct entry));
}

static int tear_down(void **state)
{
    (void)state;
    set_table_deinit(&table);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_find),
        TEST(test_the_lightest_makes_room),
        TEST(test_what_is_kept_makes_no_room),
        TEST(test_remove_and_clear),
        cmocka_unit_test(test_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
