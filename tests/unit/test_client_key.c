/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "client/client_key.h"

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

static struct bytes address_of(const char *text, uint8_t space[16])
{
    if (inet_pton(AF_INET, text, space) == 1) {
        return (struct bytes){space, 4};
    }
    return (struct bytes){space, inet_pton(AF_INET6, text, space) == 1 ? 16 : 0};
}

/* The key as text, or "" where there is none. */
static const char *shown(const struct client_privacy *privacy, const char *address)
{
    static char text[CLIENT_KEY_TEXT_SIZE];
    struct client_key key;
    uint8_t space[16];

    text[0] = '\0';
    if (client_key_read(privacy, &secret, address_of(address, space), &key)) {
        client_key_print(privacy, (struct bytes){key.data, key.len}, text);
    }
    return text;
}

static void test_what_is_shown(void **state)
{
    static const struct {
        struct client_privacy privacy;
        const char *address, *expected;
    } cases[] = {
        {{32, 128, false}, "192.0.2.1", "192.0.2.1"},
        {{32, 128, false}, "2001:db8::1", "2001:db8::1"},
        {{32, 128, false}, "0.0.0.0", ""},
        {{32, 128, false}, "::", ""},
        {{32, 128, false}, "none", ""},
        {{32, 128, false}, "255.255.255.255", "255.255.255.255"},
        {{32, 128, false},
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {{24, 48, false}, "192.0.2.255", "192.0.2.0/24"},
        {{24, 48, false}, "2001:db8:ffff:ffff::1", "2001:db8:ffff::/48"},
        {{31, 127, false}, "192.0.2.255", "192.0.2.254/31"},
        {{31, 127, false}, "2001:db8::ffff", "2001:db8::fffe/127"},
        {{1, 1, false}, "255.0.2.1", "128.0.0.0/1"},
        {{1, 1, false}, "ffff::1", "8000::/1"},
        {{20, 61, false}, "10.1.255.1", "10.1.240.0/20"},
        {{20, 61, false}, "2001:db8::ffff:1:2:3:4", "2001:db8:0:fff8::/61"},
        {{8, 128, false}, "0.1.2.3", "0.0.0.0/8"}, /* somebody's, though nobody should have it */
        {{32, 128, false}, "::fffe:c000:24d", "::fffe:c000:24d"},
        {{0, 128, false}, "192.0.2.1", ""},
        {{0, 128, false}, "2001:db8::1", "2001:db8::1"},
        {{32, 0, false}, "2001:db8::1", ""},
        {{32, 128, true}, "0.0.0.0", ""},
        {{0, 128, true}, "192.0.2.1", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(shown(&cases[i].privacy, cases[i].address), cases[i].expected);
    }
}

/* A hash says that two are the same and nothing else. */
static void test_hashes(void **state)
{
    const struct client_privacy exact = {32, 128, true};
    const struct client_privacy grouped = {24, 48, true};
    char first[CLIENT_KEY_TEXT_SIZE];

    (void)state;
    strcpy(first, shown(&exact, "192.0.2.1"));
    assert_int_equal(strlen(first), 16);
    assert_int_equal(strspn(first, "0123456789abcdef"), 16);
    assert_string_equal(shown(&exact, "192.0.2.1"), first);
    assert_string_not_equal(shown(&exact, "192.0.2.2"), first);

    strcpy(first, shown(&grouped, "192.0.2.1"));
    assert_string_equal(shown(&grouped, "192.0.2.2"), first);
    assert_string_not_equal(shown(&grouped, "192.0.3.1"), first);
}

/* It is neither the place in a table that the address would have, nor the same after a restart. */
static void test_hash_is_of_its_own(void **state)
{
    const struct client_privacy privacy = {32, 128, true};
    const struct hash_key another = {1, 3};
    struct client_key key;
    struct client_key other;
    uint8_t space[16];
    struct bytes address = address_of("192.0.2.1", space);
    const struct client_key plain = {.len = 4, .data = {192, 0, 2, 1}};
    uint64_t place = client_key_hash(&secret, &plain);

    (void)state;
    assert_true(client_key_read(&privacy, &secret, address, &key));
    assert_true(client_key_read(&privacy, &another, address, &other));
    assert_int_equal(key.len, sizeof place);
    assert_memory_not_equal(key.data, &place, sizeof place);
    assert_memory_not_equal(key.data, other.data, sizeof place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_shown),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_hash_is_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
