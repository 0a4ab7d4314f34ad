/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/wire_name.h"
#include "client/sighting.h"

static struct sighting_rules rules = {
    .privacy = {.ipv4_prefix = 32, .ipv6_prefix = 128},
    .secret = {1, 2},
};

static struct observation seen_as(enum role role, enum kind kind, enum dns_outcome outcome,
                                  const char *name)
{
    static const uint8_t address[] = {192, 0, 2, 1};
    struct observation seen = {.role = role, .kind = kind, .message_size = 99};

    seen.query_address = (struct bytes){address, sizeof address};
    seen.dns.outcome = outcome;
    seen.dns.has_question = true;
    seen.dns.qname_len = (uint16_t)wire_name(name, seen.dns.qname).len;
    return seen;
}

static void read_sighting(const struct observation *seen, struct sighting *out)
{
    static struct dns_name_suffixes suffixes;

    dns_name_sum(&rules.secret, (struct bytes){seen->dns.qname, seen->dns.qname_len}, &suffixes);
    sighting_read(&rules, seen, &suffixes, 7, out);
}

static void test_which_roles_count(void **state)
{
    (void)state;
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        struct observation seen = seen_as(role, KIND_QUERY, DNS_OUTCOME_OTHER, "a");
        struct sighting sighting;

        assert_int_equal(sighting_counts(&seen), role == ROLE_CLIENT || role == ROLE_AUTH);
        read_sighting(&seen, &sighting);
        assert_int_equal(sighting.is_host, role == ROLE_CLIENT);
    }
}

static void test_outcomes(void **state)
{
    static const enum sighting_outcome expected[] = {
        [DNS_OUTCOME_ANSWER] = SIGHTING_EXISTS,     [DNS_OUTCOME_NODATA] = SIGHTING_EXISTS,
        [DNS_OUTCOME_REFERRAL] = SIGHTING_EXISTS,   [DNS_OUTCOME_NXDOMAIN] = SIGHTING_NXDOMAIN,
        [DNS_OUTCOME_SERVFAIL] = SIGHTING_SERVFAIL, [DNS_OUTCOME_REFUSED] = SIGHTING_OTHER,
        [DNS_OUTCOME_OTHER] = SIGHTING_OTHER,
    };

    (void)state;
    for (enum dns_outcome outcome = 0; outcome <= DNS_OUTCOME_OTHER; outcome++) {
        struct observation seen = seen_as(ROLE_CLIENT, KIND_RESPONSE, outcome, "a.example");
        struct sighting sighting;

        read_sighting(&seen, &sighting);
        assert_int_equal(sighting.outcome, expected[outcome]);
        assert_int_equal(sighting.message_size, 99);
        assert_int_equal(sighting.qname_hash, 7);
        assert_ptr_equal(sighting.qname.data, seen.dns.qname);
        assert_int_equal(sighting.qname.len, 11);

        seen.kind = KIND_QUERY; /* a query's own rcode means nothing */
        read_sighting(&seen, &sighting);
        assert_int_equal(sighting.outcome, SIGHTING_QUERY);
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
        struct observation seen = seen_as(ROLE_CLIENT, cases[i].kind, cases[i].outcome,
                                          "www.here.example");
        uint8_t space[DNS_NAME_MAX];
        struct sighting sighting;

        seen.dns.target_len = (uint16_t)wire_name("gone.there.test", seen.dns.target).len;
        read_sighting(&seen, &sighting);
        assert_true(bytes_equal(sighting.name, wire_name(cases[i].name, space)));
        assert_int_equal(sighting.suffix.domain.len, cases[i].domain_len);
        assert_int_equal(sighting.name_hash == sighting.qname_hash, i > 0);
        assert_int_equal(sighting.qname_hash, 7);
        assert_true(bytes_equal(sighting.qname, wire_name("www.here.example", space)));
    }
}

static void test_query_of_a_response(void **state)
{
    struct observation seen = seen_as(ROLE_CLIENT, KIND_RESPONSE, DNS_OUTCOME_ANSWER,
                                      "a.b.example");
    struct dns_name_suffixes suffixes;
    struct sighting sighting;

    (void)state;
    dns_name_sum(&rules.secret, (struct bytes){seen.dns.qname, seen.dns.qname_len}, &suffixes);
    sighting_read_query(&rules, &seen, &suffixes, 7, &sighting);
    assert_int_equal(sighting.outcome, SIGHTING_QUERY);
    assert_true(sighting.has_client);
    assert_int_equal(sighting.qname_hash, 7);
    assert_int_equal(sighting.suffix.domain.len, 11);
}

/* A further response adds its bytes, and nothing that its name tells. */
static void test_duplicate(void **state)
{
    struct observation seen = seen_as(ROLE_CLIENT, KIND_RESPONSE, DNS_OUTCOME_NXDOMAIN, "a.test");
    struct sighting sighting;

    (void)state;
    sighting_read_duplicate(&rules, &seen, &sighting);
    assert_int_equal(sighting.outcome, SIGHTING_OTHER);
    assert_int_equal(sighting.message_size, 99);
    assert_true(sighting.has_client);
    assert_false(sighting.has_name);
}

static void test_client_and_domain(void **state)
{
    static const uint8_t ipv6[16] = {0x20, 1, 0xd, 0xb8};
    struct observation seen = seen_as(ROLE_CLIENT, KIND_QUERY, DNS_OUTCOME_OTHER, "a.b.c.example");
    struct sighting sighting;

    (void)state;
    read_sighting(&seen, &sighting);
    assert_true(sighting.has_client);
    assert_false(sighting.is_ipv6);
    assert_int_equal(sighting.client.len, 4);
    assert_true(sighting.client_hash == client_key_hash(&rules.secret, &sighting.client));
    assert_ptr_equal(sighting.suffix.domain.data, seen.dns.qname + 4);

    seen.query_address = (struct bytes){ipv6, sizeof ipv6};
    read_sighting(&seen, &sighting);
    assert_true(sighting.has_client);
    assert_true(sighting.is_ipv6);

    seen.query_address = (struct bytes){NULL, 0};
    seen.dns.has_question = false;
    read_sighting(&seen, &sighting);
    assert_false(sighting.has_client);
    assert_false(sighting.has_name);
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
        assert_int_equal(sighting_is_block_list_query(wire_name(cases[i].name, space)),
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
