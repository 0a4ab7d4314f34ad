/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/cursor.h"

static const uint8_t input[] = {1, 2, 3, 4, 5, 6, 7, 8};

static struct cursor cursor_of(size_t len)
{
    return cursor_over((struct bytes){input, len});
}

static void test_reads(void **state)
{
    struct cursor cursor = cursor_of(8);

    (void)state;
    assert_int_equal(cursor_left(&cursor), 8);
    assert_int_equal(cursor_u8(&cursor), 1);
    assert_int_equal(cursor_be16(&cursor), 0x0203);
    cursor_skip(&cursor, 1);
    assert_int_equal(cursor_be32(&cursor), 0x05060708);
    assert_int_equal(cursor_left(&cursor), 0);
    assert_false(cursor.failed);
    cursor = cursor_of(4);
    assert_int_equal(cursor_le32(&cursor), 0x04030201);
    cursor = cursor_of(8);
    struct bytes taken = cursor_take(&cursor, 3);
    assert_ptr_equal(taken.data, input);
    assert_int_equal(taken.len, 3);
    assert_int_equal(cursor_u8(&cursor), 4);
}

/* After the first failure everything yields zero and moves nothing. */
static void check_failed(struct cursor *cursor)
{
    assert_true(cursor->failed);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(cursor_left(cursor), 0);
        assert_int_equal(cursor_u8(cursor), 0);
        assert_int_equal(cursor_be16(cursor), 0);
        assert_int_equal(cursor_be32(cursor), 0);
        assert_int_equal(cursor_le32(cursor), 0);
        assert_int_equal(cursor_take(cursor, 1).len, 0);
        assert_int_equal(cursor_take(cursor, 0).len, 0);
        cursor_skip(cursor, 1);
        assert_true(cursor->failed);
    }
}

static void read_u8(struct cursor *cursor)
{
    (void)cursor_u8(cursor);
}

static void read_be16(struct cursor *cursor)
{
    (void)cursor_be16(cursor);
}

static void read_be32(struct cursor *cursor)
{
    (void)cursor_be32(cursor);
}

static void read_le32(struct cursor *cursor)
{
    (void)cursor_le32(cursor);
}

static void take_3(struct cursor *cursor)
{
    (void)cursor_take(cursor, 3);
}

static void skip_3(struct cursor *cursor)
{
    cursor_skip(cursor, 3);
}

static void skip_all_memory(struct cursor *cursor)
{
    cursor_skip(cursor, SIZE_MAX);
}

static void test_failures(void **state)
{
    static const struct {
        void (*read)(struct cursor *cursor);
        size_t needs;
    } reads[] = {
        {read_u8, 1},
        {read_be16, 2},
        {read_be32, 4},
        {read_le32, 4},
        {take_3, 3},
        {skip_3, 3},
        {skip_all_memory, SIZE_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        for (size_t len = 0; len <= 5; len++) {
            struct cursor cursor = cursor_of(len);
            reads[i].read(&cursor);
            assert_int_equal(cursor.failed, len < reads[i].needs);
            if (cursor.failed) {
                check_failed(&cursor);
            } else {
                assert_int_equal(cursor_left(&cursor), len - reads[i].needs);
            }
        }
    }
}

static void test_fail(void **state)
{
    struct cursor cursor = cursor_of(8);

    (void)state;
    cursor_fail(&cursor);
    check_failed(&cursor);
}

static void test_nothing(void **state)
{
    struct cursor cursor = cursor_over((struct bytes){input, 0});

    (void)state;
    assert_int_equal(cursor_take(&cursor, 0).len, 0);
    cursor_skip(&cursor, 0);
    assert_false(cursor.failed);
    read_u8(&cursor);
    check_failed(&cursor);
}

static void test_bytes_equal(void **state)
{
    struct bytes none = {NULL, 0};

    (void)state;
    assert_true(bytes_equal(none, (struct bytes){input, 0}));
    assert_true(bytes_equal(bytes_of_string("ab"), bytes_of_string("ab")));
    assert_false(bytes_equal(bytes_of_string("ab"), bytes_of_string("a")));
    assert_false(bytes_equal(bytes_of_string("ab"), bytes_of_string("ac")));
    assert_false(bytes_equal(bytes_of_string("a"), none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),       cmocka_unit_test(test_failures),
        cmocka_unit_test(test_fail),        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_bytes_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
