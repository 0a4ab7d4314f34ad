/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/wire_name.h"
#include "client/client_event.h"

#define SUFFIXES "ad\ncom\nuk\nco.uk\nexample\ntest\n"

static struct client_event_rules rules = {
    .privacy = {.ipv4_prefix = 32, .ipv6_prefix = 128},
    .secret = {1, 2},
    .host_privacy = {.ipv4_prefix = 32, .ipv6_prefix = 64},
};

static struct event seen_as(enum role role, enum kind kind, enum dns_outcome outcome,
                            const char *name)
{
    static const uint8_t address[] = {192, 0, 2, 1};
    struct event event = {.role = role, .kind = kind, .message = {.len = 99}};

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

/* Which part of a name is an outside name, below a search domain. */
static void test_outside_names(void **state)
{
    static const struct {
        const char *name, *zone, *outside; /* "": none */
    } cases[] = {
        {"www.shop.com.corp.example", "corp.example", "www.shop.com"},
        {"shop.com.eu.corp.example", "corp.example", "shop.com"},
        {"www.shop.co.uk.corp.example", "corp.example", "www.shop.co.uk"},
        {"www.shop.com.ads", "", "www.shop.com"},
        {"www.shop.uk.corp.example", "corp.example", "www.shop.uk"},
        {"a1b2.uk.corp.example", "corp.example", ""}, /* it may be a name of its own */
        {"_ldap._tcp.uk.corp.example", "corp.example", ""},
        {"srv.berlin.ad.corp.example", "corp.example", ""},
        {"www.shop.com", "shop.com", ""},
        {"com.corp.example", "corp.example", ""},
        {"host.corp.example", "corp.example", ""},
        {"www.com.example", "com.example", ""},
        {"shop.com", "", ""},
        {"com", "", ""},
        {"", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = seen_as(ROLE_CLIENT, KIND_RESPONSE, DNS_OUTCOME_NXDOMAIN,
                                     cases[i].name);
        uint8_t space[DNS_NAME_MAX];
        struct client_event client_event;
        struct dns_name_suffixes suffixes;

        print_message("  %s\n", cases[i].name);
        event.dns.zone_len = (uint16_t)wire_name(cases[i].zone, space).len;
        read_client_event(&event, &client_event);
        const struct bytes outside = wire_name(cases[i].outside, space);
        size_t len = client_event_outside_len(&client_event);
        assert_int_equal(len, outside.len - 1);
        if (len > 0) {
            dns_name_sum(&rules.secret, outside, &suffixes);
            assert_int_equal(client_event_outside_hash(&client_event, len),
                             hash_finish(&rules.secret, suffixes.sums[0]));
        }
    }
}

/* Which zones say that there is no such registered domain. */
static void test_denied_domains(void **state)
{
    static const struct {
        const char *name, *zone;
        bool denies_domain;
    } cases[] = {
        {"www.gone.com", "com", true},
        {"gone.com", "com", true},
        {"gone.co.uk", "co.uk", true},
        {"gone.co.uk", "uk", true},
        {"gone.bazar", "", true},
        {"gone.bit", "", true},
        {"gone.bigfirm", "", false},
        {"www.here.com", "here.com", false},
        {"gone.unlisted", "unlisted", false},
        {"gone", "", false},
        {"www.gone.com", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = seen_as(ROLE_CLIENT, KIND_RESPONSE, DNS_OUTCOME_NXDOMAIN,
                                     cases[i].name);
        uint8_t space[DNS_NAME_MAX];
        struct client_event client_event;
        struct dns_name_suffixes suffixes;

        print_message("  %s\n", cases[i].name);
        if (cases[i].zone != NULL) {
            const struct bytes zone = wire_name(cases[i].zone, space);
            event.dns.zone_len = (uint16_t)zone.len;
            dns_name_sum(&rules.secret, zone, &suffixes);
        }
        read_client_event(&event, &client_event);
        assert_int_equal(client_event_denies_domain(&client_event), cases[i].denies_domain);
        if (cases[i].zone != NULL) {
            assert_int_equal(client_event_zone_hash(&client_event),
                             hash_finish(&rules.secret, suffixes.sums[0]));
        }
    }
}

/* Detectors take an IPv6 network for one host. */
static void test_hosts(void **state)
{
    static const uint8_t address[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static struct network forwarder = {.len = 16, .prefix = 32, .address = {0x20, 1, 0xd, 0xb8}};
    struct event event = seen_as(ROLE_CLIENT, KIND_QUERY, DNS_OUTCOME_OTHER, "a.example");
    struct client_event client_event;

    (void)state;
    read_client_event(&event, &client_event);
    assert_int_equal(client_event_host(&client_event)->hash, client_event.client_hash);
    event.query_address = (struct bytes){address, sizeof address};
    for (unsigned i = 0; i < 2; i++) {
        rules.forwarders = &forwarder;
        rules.forwarder_count = i;
        read_client_event(&event, &client_event);
        const struct client_host *host = client_event_host(&client_event);
        assert_int_equal(host->is_forwarder, i);
        assert_memory_equal(host->key.data, address, 8);
        assert_int_equal(host->key.data[15], 0);
        assert_true(host->hash != client_event.client_hash);
    }
    rules.forwarder_count = 0;
}

static int set_up(void **state)
{
    static struct suffix_table *table;
    struct text error = {0};
    char path[] = "/tmp/suffixes.XXXXXX";
    int fd = mkstemp(path);
    bool written = fd >= 0 && write(fd, SUFFIXES, strlen(SUFFIXES)) > 0;
    int result = written ? suffix_table_create(&table, &rules.secret, path, NULL, 0, &error) : -1;

    (void)close(fd);
    (void)unlink(path);

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
        cmocka_unit_test(test_outside_names),
        cmocka_unit_test(test_denied_domains),
        cmocka_unit_test(test_hosts),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
