/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "count/label.h"

/* With the length, since values hold NULs. */
#define V(literal) literal, sizeof(literal) - 1

static const struct {
    const char *value;
    size_t len;
    const char *label;
} cases[] = {
    {V(""), ""},
    {V("plain-1.example"), "plain-1.example"},
    {V("with blank"), "with blank"},
    {V("quote\" back\\slash"), "quote\" back\\slash"},
    {V("a\nb\tc\rd"), "a\\x0ab\\x09c\\x0dd"},
    {V("nul\0x"), "nul\\x00x"},
    {V("\x7f"), "\\x7f"},
    {V("\xc2\x80"), "\\xc2\\x80"},               /* a control character */
    {V("\xc3\xa4"), "\xc3\xa4"},                 /* a with dots */
    {V("\xe2\x82\xac"), "\xe2\x82\xac"},         /* euro */
    {V("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80"}, /* beyond the basic plane */
    {V("\xff"), "\\xff"},
    {V("\xc3"), "\\xc3"}, /* cut off */
    {V("\xe2\x82"), "\\xe2\\x82"},
    {V("\xf0\x9f\x98"), "\\xf0\\x9f\\x98"},
    {V("\xc3x"), "\\xc3x"},
    {V("\x80\xbf"), "\\x80\\xbf"}, /* continuation without a start */
    {V("\xc0\x80"), "\\xc0\\x80"}, /* overlong NUL */
    {V("\xc1\xbf"), "\\xc1\\xbf"},
    {V("\xe0\x80\xaf"), "\\xe0\\x80\\xaf"},          /* overlong slash */
    {V("\xf0\x82\x82\xac"), "\\xf0\\x82\\x82\\xac"}, /* overlong euro */
    {V("\xed\xa0\x80"), "\\xed\\xa0\\x80"},          /* a surrogate */
    {V("\xed\xbf\xbf"), "\\xed\\xbf\\xbf"},
    {V("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"}, /* over U+10FFFF */
    {V("\xf8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80"},
    {V("\xe2\x80\xa8"), "\\xe2\\x80\\xa8"}, /* line separator: not printable */
    {V("\xe2\x80\xae"), "\\xe2\\x80\\xae"}, /* right-to-left override */
    {V("\xe2\x80\x8b"), "\\xe2\\x80\\x8b"}, /* a space without width */
    {V("\xef\xbb\xbf"), "\\xef\\xbb\\xbf"}, /* byte order mark */
};

static void write_exact(const char *value, size_t len, char *label)
{
    uint8_t *block = malloc(len > 0 ? len : 1);

    assert_non_null(block);
    memcpy(block, value, len);
    label_write((struct bytes){block, len}, label);
    free(block);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char label[LABEL_SIZE];
        write_exact(cases[i].value, cases[i].len, label);
        assert_string_equal(label, cases[i].label);
    }
}

/* Whatever four bytes there are, the label is valid UTF-8 without controls and has its room. */
static void check_label(const char *label)
{
    for (const unsigned char *p = (const unsigned char *)label; *p != '\0';) {
        unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
        assert_true(*p >= ' ' && *p != 0x7f && *p < 0xf5 && (*p < 0x80 || *p > 0xc1));
        for (p++; more > 0; more--, p++) {
            assert_int_equal(*p & 0xc0, 0x80);
        }
    }
}

static void test_any_bytes(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        char value[4];
        char label[LABEL_SIZE];
        random = random * 1664525u + 1013904223u;
        memcpy(value, &random, sizeof value);
        write_exact(value, sizeof value, label);
        assert_true(strlen(label) < sizeof label);
        check_label(label);
    }
}

static size_t printed_length(const char *label)
{
    size_t len = 0;

    for (; *label != '\0'; label++) {
        len += *label == '\\' || *label == '"' ? 2 : 1;
    }
    return len;
}

static void test_long_values(void **state)
{
    static const struct {
        const char *unit;
        size_t fits; /* how many of them */
    } kinds[] = {{"a", 64},  {"\xc3\xa4", 32}, {"\"", 32},
                 {"\\", 32}, {"\xff", 12},     {"\xf0\x9f\xa6\x86", 16}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char value[300] = "";
        char label[LABEL_SIZE];
        char previous[LABEL_SIZE] = "";

        for (size_t count = 1; count < 70; count++) {
            strcat(value, kinds[i].unit);
            write_exact(value, strlen(value), label);
            bool is_cut = strlen(label) > 9 && label[strlen(label) - 9] == '-';
            assert_int_equal(is_cut, count > kinds[i].fits);
            assert_true(printed_length(label) <= LABEL_PRINTED_MAX);
            check_label(label);
            assert_string_not_equal(label, previous);
            (void)snprintf(previous, sizeof previous, "%s", label);
        }
    }
    char known[LABEL_SIZE];
    const char *value = "dns.a-long-name-of-a-pod-as-kubernetes-makes-them-7d9f8c6b5-x2x4z.example";
    write_exact(value, strlen(value), known);
    assert_string_equal(known, "dns.a-long-name-of-a-pod-as-kubernetes-makes-them-7d9f8-c2230d89");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_long_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
