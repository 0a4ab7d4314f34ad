/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "metrics/pair_key.h"

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
static const uint8_t client[16] = {192, 0, 2, 1};
static const uint8_t other[16] = {192, 0, 2, 2};

/* What is not set is noise, as the bytes behind a name are: the key must not depend on it. */
static struct observation seen_as(enum role role, int noise)
{
    struct observation seen;

    memset(&seen, noise, sizeof seen);
    seen.role = role;
    seen.transport = TRANSPORT_UDP;
    seen.query_address = (struct bytes){client, 4};
    seen.response_address = (struct bytes){other, 4};
    seen.query_port = 4000;
    seen.dns.id = 7;
    seen.dns.qtype = 1;
    seen.dns.qname_len = 3;
    memcpy(seen.dns.qname, "\1a", 3);
    return seen;
}

static uint64_t hash_of(const struct hash_key *key, unsigned server, const struct observation *seen)
{
    struct bytes qname = {seen->dns.qname, seen->dns.qname_len};

    return pair_key_hash(key, server, seen, hash_bytes(key, qname));
}

static bool equal(const struct observation *a, const struct observation *b)
{
    return hash_of(&secret, 1, a) == hash_of(&secret, 1, b);
}

static void test_noise_does_not_matter(void **state)
{
    (void)state;
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        struct observation a = seen_as(role, 0x00);
        struct observation b = seen_as(role, 0xff);
        assert_true(equal(&a, &b));
    }
}

static void test_roles(void **state)
{
    (void)state;
    for (enum role x = 0; x < ROLE_COUNT; x++) {
        for (enum role y = 0; y < ROLE_COUNT; y++) {
            struct observation a = seen_as(x, 0);
            struct observation b = seen_as(y, 0);
            bool bind = (x == ROLE_AUTH && y == ROLE_CLIENT) ||
                        (x == ROLE_CLIENT && y == ROLE_AUTH);
            assert_int_equal(equal(&a, &b), x == y || bind);
        }
    }
}

static void change_port(struct observation *seen)
{
    seen->query_port++;
}

static void change_query_address(struct observation *seen)
{
    seen->query_address.data = other;
}

static void lengthen_query_address(struct observation *seen)
{
    seen->query_address.len = 16;
}

static void change_response_address(struct observation *seen)
{
    seen->response_address.data = client;
}

static void change_id(struct observation *seen)
{
    seen->dns.id ^= 0x8000;
}

static void change_qtype(struct observation *seen)
{
    seen->dns.qtype ^= 0x8000;
}

static void change_name(struct observation *seen)
{
    seen->dns.qname[1] = 'b';
}

static void drop_name(struct observation *seen)
{
    seen->dns.qname_len = 0;
}

static void change_transport(struct observation *seen)
{
    seen->transport = TRANSPORT_TCP;
}

static void test_each_part(void **state)
{
    static const struct {
        void (*change)(struct observation *seen);
        bool client_only; /* does not count where a server asks others */
    } parts[] = {
        {change_port, true},
        {change_query_address, true},
        {lengthen_query_address, true},
        {change_response_address, false},
        {change_id, false},
        {change_qtype, false},
        {change_name, false},
        {drop_name, false},
        {change_transport, false},
    };

    (void)state;
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        bool asks_others = role == ROLE_RESOLVER || role == ROLE_FORWARDER;
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            struct observation a = seen_as(role, 0);
            struct observation b = seen_as(role, 0);
            parts[i].change(&b);
            assert_int_equal(equal(&a, &b), parts[i].client_only && asks_others);
        }
    }
}

static void test_server_and_secret(void **state)
{
    const struct hash_key another = {secret.k0, secret.k1 ^ 1};
    struct observation seen = seen_as(ROLE_CLIENT, 0);
    uint64_t hash = hash_of(&secret, 1, &seen);

    (void)state;
    assert_true(hash_of(&secret, 2, &seen) != hash);
    assert_true(hash_of(&another, 1, &seen) != hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise_does_not_matter),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_each_part),
        cmocka_unit_test(test_server_and_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
