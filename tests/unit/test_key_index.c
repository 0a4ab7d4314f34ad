/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "key_index_internal.h"

/* Hashes that want the same slot, and one at the end of the table, which goes on at its beginning.
 */
static void test_collisions(void **state)
{
    const uint64_t hashes[] = {5, 5 + 64, 5 + 128, 63, 63 + 64, 0};
    const size_t count = sizeof hashes / sizeof hashes[0];
    struct key_index index;

    (void)state;
    assert_int_equal(key_index_init(&index, 32), 0);
    assert_int_equal(index.mask, 63);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(key_index_find(&index, hashes[i]), KEY_INDEX_NONE);
        key_index_insert(&index, hashes[i], i);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(key_index_find(&index, hashes[i]), i);
    }
    assert_int_equal(key_index_find(&index, 6), KEY_INDEX_NONE);
    key_index_clear(&index);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(key_index_find(&index, hashes[i]), KEY_INDEX_NONE);
    }
    key_index_deinit(&index);
}

/* As many as it is made for. */
static void test_full(void **state)
{
    struct key_index index;

    (void)state;
    assert_int_equal(key_index_init(&index, 1000), 0);
    for (uint64_t i = 0; i < 1000; i++) {
        key_index_insert(&index, i * i * 7919, i);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(key_index_find(&index, i * i * 7919), i);
    }
    key_index_deinit(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
