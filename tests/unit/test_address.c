/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/address.h"

static const struct {
    const char *text;
    const char *host, *port; /* NULL: none */
} cases[] = {
    {"127.0.0.1:9353", "127.0.0.1", "9353"},
    {"[::1]:9353", "::1", "9353"},
    {"[fe80::1%eth0]:1", "fe80::1%eth0", "1"},
    {"localhost:65535", "localhost", "65535"},
    {":9353", "", "9353"},
    {"a:1", "a", "1"},
    {"", NULL, NULL},
    {":", NULL, NULL},
    {"9353", NULL, NULL},
    {"localhost", NULL, NULL},
    {"localhost:", NULL, NULL},
    {"localhost:0", NULL, NULL},
    {"localhost:65536", NULL, NULL},
    {"localhost:100000", NULL, NULL},
    {"localhost:18446744073709551617", NULL, NULL},
    {"localhost:-1", NULL, NULL},
    {"localhost:+1", NULL, NULL},
    {"localhost: 1", NULL, NULL},
    {"localhost:1 ", NULL, NULL},
    {"localhost:http", NULL, NULL},
    {"::1:9353", NULL, NULL},
    {"::1", NULL, NULL},
    {"[::1]", NULL, NULL},
    {"[::1", NULL, NULL},
    {"::1]:80", NULL, NULL},
};

static void test_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address = {"untouched", "1"};
        bool is = address_split(cases[i].text, &address);

        print_message("  %s\n", cases[i].text);
        assert_int_equal(is, cases[i].host != NULL);
        assert_string_equal(address.host, is ? cases[i].host : "untouched");
        assert_string_equal(address.port, is ? cases[i].port : "1");
    }
}

static void test_longest_host(void **state)
{
    struct address address;
    char text[300];

    (void)state;
    memset(text, 'h', sizeof text);
    memcpy(text + 255, ":80", 4);
    assert_true(address_split(text, &address));
    assert_int_equal(strlen(address.host), 255);
    memset(text, 'h', sizeof text);
    memcpy(text + 256, ":80", 4);
    assert_false(address_split(text, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_longest_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
