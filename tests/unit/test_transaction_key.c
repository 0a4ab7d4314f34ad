/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "count/transaction_key.h"

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
static const uint8_t client[16] = {192, 0, 2, 1};
static const uint8_t other[16] = {192, 0, 2, 2};

/* What is not set is noise, as the bytes behind a name are: the key must not depend on it. */
static struct event seen_as(enum role role, int noise)
{
    struct event event;

    memset(&event, noise, sizeof event);
    event.role = role;
    event.transport = TRANSPORT_UDP;
    event.query_address = (struct bytes){client, 4};
    event.response_address = (struct bytes){other, 4};
    event.query_port = 4000;
    event.dns.id = 7;
    event.dns.qtype = 1;
    event.dns.qname_len = 3;
    memcpy(event.dns.qname, "\1a", 3);
    return event;
}

static struct transaction_key key_of(const struct hash_key *key, const struct event *event)
{
    struct bytes qname = {event->dns.qname, event->dns.qname_len};

    return transaction_key_make(key, event, hash_bytes(key, qname));
}

static bool equal(const struct event *a, const struct event *b)
{
    return key_of(&secret, a).question == key_of(&secret, b).question;
}

static bool same_exchange(const struct event *a, const struct event *b)
{
    return key_of(&secret, a).transaction == key_of(&secret, b).transaction;
}

static bool same_addresses(const struct event *a, const struct event *b)
{
    struct transaction_key x = transaction_key_of_addresses(&secret, a);
    struct transaction_key y = transaction_key_of_addresses(&secret, b);

    assert_int_equal(x.transaction, x.question);
    return x.transaction == y.transaction;
}

static void test_noise_does_not_matter(void **state)
{
    (void)state;
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        struct event a = seen_as(role, 0x00);
        struct event b = seen_as(role, 0xff);
        assert_true(equal(&a, &b) && same_exchange(&a, &b) && same_addresses(&a, &b));
    }
}

static void test_roles(void **state)
{
    (void)state;
    for (enum role x = 0; x < ROLE_COUNT; x++) {
        for (enum role y = 0; y < ROLE_COUNT; y++) {
            struct event a = seen_as(x, 0);
            struct event b = seen_as(y, 0);
            bool bind = (x == ROLE_AUTH && y == ROLE_CLIENT) ||
                        (x == ROLE_CLIENT && y == ROLE_AUTH);
            assert_int_equal(equal(&a, &b), x == y || bind);
        }
    }
}

static void change_port(struct event *event)
{
    event->query_port++;
}

static void change_query_address(struct event *event)
{
    event->query_address.data = other;
}

static void lengthen_query_address(struct event *event)
{
    event->query_address.len = 16;
}

static void change_response_address(struct event *event)
{
    event->response_address.data = client;
}

static void change_id(struct event *event)
{
    event->dns.id ^= 0x8000;
}

static void change_qtype(struct event *event)
{
    event->dns.qtype ^= 0x8000;
}

static void change_name(struct event *event)
{
    event->dns.qname[1] = 'b';
}

static void drop_name(struct event *event)
{
    event->dns.qname_len = 0;
}

static void change_transport(struct event *event)
{
    event->transport = TRANSPORT_TCP;
}

static void test_each_part(void **state)
{
    static const struct {
        void (*change)(struct event *event);
        bool client_only; /* does not count where a server asks others */
        bool is_question; /* not of the exchange */
        bool is_dns;      /* not of the addresses */
    } parts[] = {
        {change_port, true, false, false},
        {change_query_address, true, false, false},
        {lengthen_query_address, true, false, false},
        {change_response_address, false, false, false},
        {change_id, false, false, true},
        {change_qtype, false, true, true},
        {change_name, false, true, true},
        {drop_name, false, true, true},
        {change_transport, false, false, false},
    };

    (void)state;
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        bool asks_others = role == ROLE_RESOLVER || role == ROLE_FORWARDER;
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            struct event a = seen_as(role, 0);
            struct event b = seen_as(role, 0);
            parts[i].change(&b);
            bool ignored = parts[i].client_only && asks_others;
            assert_int_equal(equal(&a, &b), ignored);
            assert_int_equal(same_exchange(&a, &b), ignored || parts[i].is_question);
            assert_int_equal(same_addresses(&a, &b), ignored || parts[i].is_dns);
        }
    }
}

/* DoH and DoQ use the id 0 for all queries of a connection. */
static void test_id_zero(void **state)
{
    struct event a = seen_as(ROLE_CLIENT, 0);
    struct event b = seen_as(ROLE_CLIENT, 0);

    (void)state;
    a.dns.id = b.dns.id = 0;
    assert_true(same_exchange(&a, &b));
    change_name(&b);
    assert_false(same_exchange(&a, &b));
}

static void test_secret(void **state)
{
    const struct hash_key another = {secret.k0 ^ 1, secret.k1};
    struct event event = seen_as(ROLE_CLIENT, 0);

    (void)state;
    assert_true(key_of(&secret, &event).question != key_of(&another, &event).question);
    assert_true(key_of(&secret, &event).transaction != key_of(&another, &event).transaction);
}

/* Who counts by the address that is asked need not hash it again. */
static void test_sum_of_the_address(void **state)
{
    struct event event = seen_as(ROLE_RESOLVER, 0);
    struct transaction_key key = key_of(&secret, &event);

    (void)state;
    assert_int_equal(key.asked_sum, hash_add_bytes(&secret, HASH_START, event.response_address));
    assert_int_equal(transaction_key_of_addresses(&secret, &event).asked_sum, key.asked_sum);
    event.response_address = (struct bytes){0};
    assert_true(key_of(&secret, &event).asked_sum != key.asked_sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise_does_not_matter),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_each_part),
        cmocka_unit_test(test_id_zero),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_sum_of_the_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
