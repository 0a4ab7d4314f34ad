/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/connection_table.h"

static struct connection_table table;

static int tear_down(void **state)
{
    (void)state;
    connection_table_deinit(&table);
    return 0;
}

static struct connection_entry *add(unsigned input, uint64_t now_ns)
{
    struct connection_entry *entry = connection_table_add(&table, input, 3, now_ns);

    assert_non_null(entry);
    assert_int_equal(entry->input, input);
    assert_int_equal(entry->worker, 3);
    return entry;
}

static void test_count(void **state)
{
    struct connection_entry *entries[300];

    (void)state;
    assert_int_equal(connection_table_count(&table, CONNECTION_TABLE_ALL), 0);
    for (unsigned i = 0; i < 300; i++) {
        entries[i] = add(i % 3, i);
    }
    assert_int_equal(connection_table_count(&table, CONNECTION_TABLE_ALL), 300);
    assert_int_equal(connection_table_count(&table, 1), 100);
    entries[1]->closing = true;
    atomic_store(&entries[4]->ended, true);
    assert_int_equal(connection_table_count(&table, 1), 98);
    assert_int_equal(connection_table_count(&table, 2), 100);
    atomic_store(&entries[1]->ended, true);
    assert_int_equal(connection_table_count(&table, CONNECTION_TABLE_ALL), 298);
    assert_int_equal(table.count, 298);
}

static void test_most_silent(void **state)
{
    (void)state;
    assert_null(connection_table_most_silent(&table, 0));
    struct connection_entry *busy = add(0, 1);
    struct connection_entry *idle = add(0, 2);
    struct connection_entry *silent = add(0, 3);
    struct connection_entry *later = add(0, 4);
    struct connection_entry *other = add(1, 0);

    atomic_store(&busy->has_frames, true);
    atomic_store(&busy->heard_ns, 90);
    atomic_store(&idle->has_frames, true);
    atomic_store(&idle->heard_ns, 50);
    assert_ptr_equal(connection_table_most_silent(&table, CONNECTION_TABLE_ALL), other);
    assert_ptr_equal(connection_table_most_silent(&table, 0), silent);
    silent->closing = true;
    assert_ptr_equal(connection_table_most_silent(&table, 0), later);
    atomic_store(&later->ended, true);
    assert_ptr_equal(connection_table_most_silent(&table, 0), idle);
    idle->closing = true;
    assert_ptr_equal(connection_table_most_silent(&table, 0), busy);
    busy->closing = true;
    assert_null(connection_table_most_silent(&table, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_count, tear_down),
        cmocka_unit_test_teardown(test_most_silent, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
