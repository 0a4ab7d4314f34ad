/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/wire_name.h"
#include "client/client_event.h"

static struct client_event_rules rules = {
    .privacy = {.ipv4_prefix = 32, .ipv6_prefix = 128},
    .secret = {1, 2},
};

static struct event seen_as(enum role role, enum kind kind, enum dns_outcome outcome,
                            const char *name)
{
    static const uint8_t address[] = {192, 0, 2, 1};
    struct event event = {.role = role, .kind = kind, .message_size = 99};

    event.query_address = (struct bytes){address, sizeof address};
    event.dns.outcome = outcome;
    event.dns.has_question = true;
    event.dns.qname_len = (uint16_t)wire_name(name, event.dns.qname).len;
    return event;
}

static void read_client_event(const struct event *event, struct client_event *out)
{
    static struct dns_name_suffixes suffixes;

    dns_name_sum(&rules.secret, (struct bytes){event->dns.qname, event->dns.qname_len}, &suffixes);
    client_event_read(&rules, event, &suffixes, 7, out);
}

static void test_which_roles_count(void **state)
{
    (void)state;
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        struct event event = seen_as(role, KIND_QUERY, DNS_OUTCOME_OTHER, "a");
        struct client_event client_event;

        assert_int_equal(client_event_counts(&event), role == ROLE_CLIENT || role == ROLE_AUTH);
        read_client_event(&event, &client_event);
        assert_int_equal(client_event.role_is_client, role == ROLE_CLIENT);
    }
}

static void test_outcomes(void **state)
{
    static const enum client_event_outcome expected[] = {
        [DNS_OUTCOME_ANSWER] = CLIENT_EVENT_EXISTS,
        [DNS_OUTCOME_NODATA] = CLIENT_EVENT_EXISTS,
        [DNS_OUTCOME_REFERRAL] = CLIENT_EVENT_EXISTS,
        [DNS_OUTCOME_NXDOMAIN] = CLIENT_EVENT_NXDOMAIN,
        [DNS_OUTCOME_SERVFAIL] = CLIENT_EVENT_SERVFAIL,
        [DNS_OUTCOME_REFUSED] = CLIENT_EVENT_OTHER,
        [DNS_OUTCOME_OTHER] = CLIENT_EVENT_OTHER,
    };

    (void)state;
    for (enum dns_outcome outcome = 0; outcome <= DNS_OUTCOME_OTHER; outcome++) {
        struct event event = seen_as(ROLE_CLIENT, KIND_RESPONSE, outcome, "a.example");
        struct client_event client_event;

        read_client_event(&event, &client_event);
        assert_int_equal(client_event.outcome, expected[outcome]);
        assert_int_equal(client_event.message_size, 99);
        assert_int_equal(client_event.qname_hash, 7);
        assert_ptr_equal(client_event.qname.data, event.dns.qname);
        assert_int_equal(client_event.qname.len, 11);

        event.kind = KIND_QUERY; /* a query's own rcode means nothing */
        read_client_event(&event, &client_event);
        assert_int_equal(client_event.outcome, CLIENT_EVENT_QUERY);
    }
}

/* NXDOMAIN is said of the name at the end of an alias (RFC 6604 section 3), and of nothing else. */
static void test_alias_of_a_name_that_does_not_exist(void **state)
{
    static const struct {
        enum kind kind;
        enum dns_outcome outcome;
        const char *name;
        size_t domain_len; /* in wire format */
    } cases[] = {
        {KIND_RESPONSE, DNS_OUTCOME_NXDOMAIN, "gone.there.test", 12},
        {KIND_RESPONSE, DNS_OUTCOME_SERVFAIL, "www.here.example", 14},
        {KIND_QUERY, DNS_OUTCOME_NXDOMAIN, "www.here.example", 14},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = seen_as(ROLE_CLIENT, cases[i].kind, cases[i].outcome,
                                     "www.here.example");
        uint8_t space[DNS_NAME_MAX];
        struct client_event client_event;

        event.dns.target_len = (uint16_t)wire_name("gone.there.test", event.dns.target).len;
        read_client_event(&event, &client_event);
        assert_true(bytes_equal(client_event.name, wire_name(cases[i].name, space)));
        assert_int_equal(client_event.suffix.domain.len, cases[i].domain_len);
        assert_int_equal(client_event.name_hash == client_event.qname_hash, i > 0);
        assert_int_equal(client_event.qname_hash, 7);
        assert_true(bytes_equal(client_event.qname, wire_name("www.here.example", space)));
    }
}

static void test_query_of_a_response(void **state)
{
    struct event event = seen_as(ROLE_CLIENT, KIND_RESPONSE, DNS_OUTCOME_ANSWER, "a.b.example");
    struct dns_name_suffixes suffixes;
    struct client_event client_event;

    (void)state;
    dns_name_sum(&rules.secret, (struct bytes){event.dns.qname, event.dns.qname_len}, &suffixes);
    client_event_read_query(&rules, &event, &suffixes, 7, &client_event);
    assert_int_equal(client_event.outcome, CLIENT_EVENT_QUERY);
    assert_true(client_event.has_client);
    assert_int_equal(client_event.qname_hash, 7);
    assert_int_equal(client_event.suffix.domain.len, 11);
}

/* A further response adds its bytes, and nothing that its name tells. */
static void test_duplicate(void **state)
{
    struct event event = seen_as(ROLE_CLIENT, KIND_RESPONSE, DNS_OUTCOME_NXDOMAIN, "a.test");
    struct client_event client_event;

    (void)state;
    client_event_read_duplicate(&rules, &event, &client_event);
    assert_int_equal(client_event.outcome, CLIENT_EVENT_OTHER);
    assert_int_equal(client_event.message_size, 99);
    assert_true(client_event.has_client);
    assert_false(client_event.has_name);
}

static void test_client_and_domain(void **state)
{
    static const uint8_t ipv6[16] = {0x20, 1, 0xd, 0xb8};
    struct event event = seen_as(ROLE_CLIENT, KIND_QUERY, DNS_OUTCOME_OTHER, "a.b.c.example");
    struct client_event client_event;

    (void)state;
    read_client_event(&event, &client_event);
    assert_true(client_event.has_client);
    assert_false(client_event.is_ipv6);
    assert_int_equal(client_event.client.len, 4);
    assert_true(client_event.client_hash == client_key_hash(&rules.secret, &client_event.client));
    assert_ptr_equal(client_event.suffix.domain.data, event.dns.qname + 4);

    event.query_address = (struct bytes){ipv6, sizeof ipv6};
    read_client_event(&event, &client_event);
    assert_true(client_event.has_client);
    assert_true(client_event.is_ipv6);

    event.query_address = (struct bytes){NULL, 0};
    event.dns.has_question = false;
    read_client_event(&event, &client_event);
    assert_false(client_event.has_client);
    assert_false(client_event.has_name);
}

static void test_block_list_queries(void **state)
{
    static const struct {
        const char *name;
        bool expected;
    } cases[] = {
        {"4.3.2.1.zen.example", true},
        {"255.255.255.255.a", true},
        {"0.0.0.0.a", true},
        {"4.3.2.1", false}, /* no list's name */
        {"3.2.1.zen.example", false},
        {"256.3.2.1.zen.example", false},
        {"4.03.2.1.zen.example", false},
        {"4.3.2.x1.zen.example", false},
        {"4.3..1.zen.example", false},
        {"1000.3.2.1.zen.example", false},
        {"www.example.com", false},
        {"", false},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example", true},
        {"f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2", false},
        {"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example", false},
        {"f0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t space[DNS_NAME_MAX];
        assert_int_equal(client_event_is_block_list_query(wire_name(cases[i].name, space)),
                         cases[i].expected);
    }
}

static int set_up(void **state)
{
    static struct suffix_table *table;
    struct text error = {0};
    int result = suffix_table_create(&table, &rules.secret, NULL, NULL, 0, &error);

    rules.suffixes = table;
    *state = table;
    return result;
}

static int tear_down(void **state)
{
    suffix_table_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_roles_count),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_alias_of_a_name_that_does_not_exist),
        cmocka_unit_test(test_query_of_a_response),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_client_and_domain),
        cmocka_unit_test(test_block_list_queries),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
