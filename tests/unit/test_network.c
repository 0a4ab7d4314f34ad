/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/network.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        bool is_network;
    } cases[] = {{"192.0.2.1", true},
                 {"192.0.2.0/24", true},
                 {"0.0.0.0/0", true},
                 {"2001:db8::/32", true},
                 {"::1", true},
                 {"192.0.2.0/33", false},
                 {"192.0.2/24", false},
                 {"2001:db8::/129", false},
                 {"", false},
                 {"192.0.2.0/", false},
                 {"192.0.2.0/2x", false},
                 {"example.com", false},
                 {"192.0.2.0/-1", false},
                 {"192.0.2.0/0024", false}};

    struct network network;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].text);
        assert_int_equal(network_parse(cases[i].text, &network), cases[i].is_network);
    }
}

static void test_contains(void **state)
{
    static const struct {
        const char *network;
        uint8_t len, address[16];
        bool is_in;
    } cases[] = {
        {"192.0.2.0/24", 4, {192, 0, 2, 255}, true},
        {"192.0.2.0/24", 4, {192, 0, 3, 0}, false},
        {"192.0.2.77/24", 4, {192, 0, 2, 1}, true}, /* bits behind the prefix do not matter */
        {"192.0.2.128/25", 4, {192, 0, 2, 127}, false},
        {"192.0.2.128/25", 4, {192, 0, 2, 128}, true},
        {"192.0.2.1", 4, {192, 0, 2, 1}, true},
        {"192.0.2.1", 4, {192, 0, 2, 2}, false},
        {"0.0.0.0/0", 4, {8, 8, 8, 8}, true},
        {"0.0.0.0/0", 16, {0}, false},
        {"2001:db8::/33", 16, {0x20, 1, 0xd, 0xb8, 0x7f}, true},
        {"2001:db8::/33", 16, {0x20, 1, 0xd, 0xb8, 0x80}, false},
        {"::/0", 16, {1}, true},
        {"::/0", 0, {0}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network network;

        print_message("  %s\n", cases[i].network);
        assert_true(network_parse(cases[i].network, &network));
        assert_int_equal(network_contains(&network, (struct bytes){cases[i].address, cases[i].len}),
                         cases[i].is_in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_contains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
