/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "config/config_value.h"

#define NONE UINT64_MAX
#define S    NS_PER_SECOND

struct sample {
    const char *text;
    uint64_t value; /* NONE: not one */
};

static void check(const struct sample *sample, bool (*parse)(const char *, uint64_t *))
{
    uint64_t value = 99;
    bool is = parse(sample->text, &value);

    print_message("  %s\n", sample->text);
    assert_int_equal(is, sample->value != NONE);
    assert_true(value == (is ? sample->value : 99)); /* untouched where it is none */
}

static void test_number(void **state)
{
    static const struct sample samples[] = {
        {"0", 0},
        {"7", 7},
        {"007", 7},
        {"4294967296", UINT64_C(4294967296)},
        {"18446744073709551614", UINT64_MAX - 1},
        {"18446744073709551616", NONE},
        {"99999999999999999999999", NONE},
        {"", NONE},
        {" 1", NONE},
        {"1 ", NONE},
        {"+1", NONE},
        {"-1", NONE},
        {"0x10", NONE},
        {"1e3", NONE},
        {"1.0", NONE},
        {"a", NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        check(&samples[i], config_parse_number);
    }
}

static void test_duration(void **state)
{
    static const struct sample samples[] = {
        {"10s", 10 * S},
        {"500ms", S / 2},
        {"1m30s", 90 * S},
        {"1h", 3600 * S},
        {"1d", 86400 * S},
        {"1d1h1m1s1ms", 90061 * S + NS_PER_MS},
        {"0s", 0},
        {"213503d", 213503 * 86400L * S},
        {"213504d", NONE}, /* over 64 bits of nanoseconds */
        {"213503d213503d", NONE},
        {"4294967295ms", 4294967295 * NS_PER_MS},
        {"4294967296ms", NONE},
        {"4294967295d", NONE},
        {"99999999999999999999s", NONE},
        {"", NONE},
        {"10", NONE},
        {"s", NONE},
        {"10 s", NONE},
        {" 10s", NONE},
        {"10s ", NONE},
        {"-1s", NONE},
        {"1.5s", NONE},
        {"10S", NONE},
        {"10us", NONE},
        {"1m30", NONE},
        {"10sec", NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        check(&samples[i], config_parse_duration);
    }
}

static void test_size(void **state)
{
    static const struct sample samples[] = {
        {"0", 0},
        {"65536", 65536},
        {"1KiB", 1024},
        {"64MiB", 64 << 20},
        {"3GiB", UINT64_C(3) << 30},
        {"8388607TiB", UINT64_C(8388607) << 40},
        {"16777216TiB", NONE}, /* over 64 bits */
        {"99999999999999999999", NONE},
        {"", NONE},
        {"MiB", NONE},
        {"1 MiB", NONE},
        {"1MB", NONE},
        {"1M", NONE},
        {"1mib", NONE},
        {"1.5GiB", NONE},
        {"1GiB1MiB", NONE},
        {"-1", NONE},
    };
    static const struct {
        uint64_t bytes;
        const char *text;
    } printed[] = {{1, "1"},       {1023, "1023"},      {1024, "1KiB"},
                   {1025, "1025"}, {64 << 20, "64MiB"}, {(uint64_t)1 << 50, "1024TiB"}};
    struct text text = {0};

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        check(&samples[i], config_parse_size);
    }
    for (size_t i = 0; i < sizeof printed / sizeof printed[0]; i++) {
        text_clear(&text);
        config_print_size(printed[i].bytes, &text);
        assert_string_equal(text.data, printed[i].text);
    }
    text_deinit(&text);
}

static void test_mode(void **state)
{
    static const struct {
        const char *text;
        int mode; /* -1: none */
    } cases[] = {
        {"0660", 0660}, {"660", 0660}, {"0777", 0777}, {"000", 0},    {"0000", 0},  {"0007", 7},
        {"", -1},       {"66", -1},    {"1777", -1},   {"4755", -1},  {"0888", -1}, {"00660", -1},
        {"0x1b", -1},   {"rw-", -1},   {"660 ", -1},   {"0o660", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned mode = 99;
        bool is = config_parse_mode(cases[i].text, &mode);
        print_message("  %s\n", cases[i].text);
        assert_int_equal(is, cases[i].mode >= 0);
        assert_int_equal(mode, is ? cases[i].mode : 99);
    }
}

static void test_user_and_group(void **state)
{
    static const struct {
        const char *text;
        int64_t id; /* -1: none */
    } cases[] = {
        {"root", 0},
        {"0", 0},
        {"12345", 12345},
        {"4294967294", 4294967294},
        {"4294967295", -1},
        {"", -1},
        {"4294967296", -1},
        {"-1", -1},
        {"no-such-name-here", -1},
        {"1x", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t uid = 99;
        uint32_t gid = 99;
        print_message("  %s\n", cases[i].text);
        assert_int_equal(config_parse_user(cases[i].text, &uid), cases[i].id >= 0);
        assert_int_equal(config_parse_group(cases[i].text, &gid), cases[i].id >= 0);
        assert_int_equal(uid, cases[i].id >= 0 ? cases[i].id : 99);
        assert_int_equal(gid, uid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),         cmocka_unit_test(test_duration),
        cmocka_unit_test(test_size),           cmocka_unit_test(test_mode),
        cmocka_unit_test(test_user_and_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
