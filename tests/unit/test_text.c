/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"

static void test_pieces(void **state)
{
    struct text text = {0};

    (void)state;
    text_append_string(&text, "a");
    text_append_char(&text, 'b');
    text_append_bytes(&text, (struct bytes){(const uint8_t *)"cde", 2});
    text_append_bytes(&text, (struct bytes){NULL, 0});
    text_append_string(&text, "");
    text_append_format(&text, "%s-%d", "x", 7);
    text_append_format(&text, "%s", "");
    assert_string_equal(text.data, "abcdx-7");
    assert_int_equal(text.len, 7);
    assert_false(text.failed);
    text_clear(&text);
    assert_int_equal(text.len, 0);
    text_append_char(&text, 'z');
    assert_string_equal(text.data, "z");
    text_deinit(&text);
    assert_null(text.data);
    text_deinit(&text);
}

/* Whatever the lengths, what was there stays and a NUL follows. */
static void test_growth(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 600; piece += 7) {
        struct text text = {0};
        char long_piece[600];

        memset(long_piece, 'p', piece);
        long_piece[piece] = '\0';
        for (size_t i = 1; i <= 20; i++) {
            if (i % 2) {
                text_append_string(&text, long_piece);
            } else {
                text_append_format(&text, "%s", long_piece);
            }
            assert_int_equal(text.len, i * piece);
            assert_int_equal(strlen(text.data), text.len);
            assert_int_equal(strspn(text.data, "p"), text.len);
            assert_true(text.space > text.len);
        }
        text_deinit(&text);
    }
}

static void test_u64(void **state)
{
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {9, "9"},
        {10, "10"},
        {1234567890, "1234567890"},
        {UINT64_C(9007199254740993), "9007199254740993"}, /* no double */
        {UINT64_MAX, "18446744073709551615"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text text = {0};
        text_append_u64(&text, cases[i].value);
        assert_string_equal(text.data, cases[i].text);
        text_deinit(&text);
    }
}

static void test_double(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {-1, "-1"},
        {0.1, "0.1"},
        {0.00001, "1e-05"},
        {0.0025, "0.0025"},
        {2.5, "2.5"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1700000000.123, "1700000000.123"},
        {1e300, "1e+300"},
        {131072, "131072"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text text = {0};
        text_append_double(&text, cases[i].value);
        assert_string_equal(text.data, cases[i].text);
        text_deinit(&text);
    }
}

static void test_double_beyond_numbers(void **state)
{
    struct text text = {0};

    (void)state;
    text_append_double(&text, (double)INFINITY);
    text_append_char(&text, ' ');
    text_append_double(&text, (double)-INFINITY);
    text_append_char(&text, ' ');
    text_append_double(&text, (double)NAN);
    assert_string_equal(text.data, "+Inf -Inf NaN");
    text_deinit(&text);
}

static void test_double_round_trip(void **state)
{
    struct text text = {0};
    uint64_t bits = 1;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        double value;
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            text_clear(&text);
            text_append_double(&text, value);
            assert_true(strtod(text.data, NULL) == value);
        }
    }
    text_deinit(&text);
}

static void test_shell_word(void **state)
{
    static const struct {
        const char *word, *text;
    } cases[] = {
        {"plain.Name_0:9/=@%+,-", "plain.Name_0:9/=@%+,-"},
        {"", "''"},
        {"two words", "'two words'"},
        {"it's", "'it'\\''s'"},
        {"'", "''\\'''"},
        {"a\\b", "'a\\b'"},
        {"~", "'~'"},
        {"a\n$(id)`id`\"!*", "'a\n$(id)`id`\"!*'"},
        {"\xc3\xa4", "'\xc3\xa4'"},
    };
    struct text text = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_clear(&text);
        text_append_shell_word(&text, cases[i].word);
        assert_string_equal(text.data, cases[i].text);
    }
    text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_double_beyond_numbers),
        cmocka_unit_test(test_double_round_trip),
        cmocka_unit_test(test_shell_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
