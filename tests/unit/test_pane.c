/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "support/sight.h"
#include "top/pane.h"

#define ALL_LISTS     0x1fff
#define ALL_DISTINCTS 0x1f

static struct pane *new_pane(unsigned lists, unsigned distincts)
{
    const struct pane_shape shape = {.lists = lists, .distincts = distincts, .capacity = 100};
    struct pane *pane = NULL;

    assert_int_equal(pane_create(&pane, &shape), 0);
    return pane;
}

static void record(struct pane *pane, enum client_event_outcome outcome, uint32_t client,
                   const char *name)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(outcome, client, name, space);

    pane_record(pane, &event);
}

/* The sum of a list's counts, and its first key as text. */
static uint64_t total(const struct pane *pane, enum top_list list)
{
    return heavy_hitters_total(pane->lists[list]);
}

static const char *first(const struct pane *pane, enum top_list list)
{
    static char text[DNS_NAME_TEXT_SIZE];
    struct heavy_hitter top;

    if (heavy_hitters_top(pane->lists[list], &top, 1) == 0) {
        return "";
    }
    dns_name_print(top.key, text);
    return text;
}

static void test_each_outcome_counts_where_it_belongs(void **state)
{
    static const uint64_t expected[][TOP_LIST_COUNT] = {
        [CLIENT_EVENT_QUERY] = {1, 0, 0, 1, 0, 0, 1, 0, 0},
        [CLIENT_EVENT_EXISTS] = {0, 0, 100, 0, 0, 0, 0, 0, 0},
        [CLIENT_EVENT_NXDOMAIN] = {0, 1, 100, 0, 1, 0, 0, 1, 0},
        [CLIENT_EVENT_SERVFAIL] = {0, 0, 100, 0, 0, 1, 0, 0, 1},
        [CLIENT_EVENT_OTHER] = {0, 0, 100, 0, 0, 0, 0, 0, 0},
    };
    static const unsigned distinct[][DISTINCT_COUNT_COUNT] = {
        [CLIENT_EVENT_QUERY] = {1, 0, 1, 0, 1},    [CLIENT_EVENT_EXISTS] = {0, 0, 0, 0, 0},
        [CLIENT_EVENT_NXDOMAIN] = {0, 0, 0, 1, 0}, [CLIENT_EVENT_SERVFAIL] = {0, 0, 0, 0, 0},
        [CLIENT_EVENT_OTHER] = {0, 0, 0, 0, 0},
    };

    (void)state;
    for (enum client_event_outcome outcome = 0; outcome <= CLIENT_EVENT_OTHER; outcome++) {
        struct pane *pane = new_pane(ALL_LISTS, ALL_DISTINCTS);
        record(pane, outcome, 7, "www.site.example");
        for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
            assert_int_equal(total(pane, list), expected[outcome][list]);
        }
        for (enum distinct_count which = 0; which < DISTINCT_COUNT_COUNT; which++) {
            assert_int_equal(pane_distinct(pane, which) + 0.5, distinct[outcome][which]);
        }
        pane_free(pane);
    }
}

/* An upstream server counts in the list that is named, and its address is the key. */
static void test_upstreams(void **state)
{
    static const uint8_t ipv6[16] = {0x20, 1, 0xd, 0xb8, [15] = 53};
    const struct upstream upstream = {.address = {ipv6, sizeof ipv6}, .hash = 77, .server = 1};
    struct pane *pane = new_pane(ALL_LISTS, ALL_DISTINCTS);
    struct heavy_hitter top;

    (void)state;
    for (enum top_list list = TOP_UPSTREAM_QUERIES; list < TOP_LIST_COUNT; list++) {
        pane_count_upstream(pane, list, &upstream, 10 + list);
    }
    for (enum top_list list = 0; list < TOP_UPSTREAM_QUERIES; list++) {
        assert_int_equal(total(pane, list), 0);
    }
    for (enum top_list list = TOP_UPSTREAM_QUERIES; list < TOP_LIST_COUNT; list++) {
        assert_int_equal(heavy_hitters_top(pane->lists[list], &top, 1), 1);
        assert_int_equal(top.upper, 10 + list);
        assert_int_equal(top.key.len, sizeof ipv6);
        assert_memory_equal(top.key.data, ipv6, sizeof ipv6);
    }
    pane_free(pane);
}

/* The lists of upstream servers have half of the capacity, so the bound is twice as high. */
static void test_capacity_of_upstreams(void **state)
{
    struct pane *pane = new_pane(1u << TOP_UPSTREAM_QUERIES, 0); /* of capacity 100 */
    const size_t room = heavy_hitters_room(50);

    (void)state;
    for (uint32_t i = 0; i < room + 1; i++) {
        uint8_t address[4] = {192, 0, 2, (uint8_t)i};
        const struct upstream upstream = {.address = {address, sizeof address},
                                          .hash = i * UINT64_C(0x9e3779b97f4a7c15)};
        assert_int_equal(pane_evictions(pane, TOP_UPSTREAM_QUERIES), 0);
        pane_count_upstream(pane, TOP_UPSTREAM_QUERIES, &upstream, 1);
    }
    assert_true(pane_evictions(pane, TOP_UPSTREAM_QUERIES) > 0);
    pane_free(pane);
}

static void test_keys(void **state)
{
    struct pane *pane = new_pane(ALL_LISTS, ALL_DISTINCTS);
    struct heavy_hitter top;

    (void)state;
    record(pane, CLIENT_EVENT_QUERY, 0x0a000001, "www.site.example");
    record(pane, CLIENT_EVENT_QUERY, 0x0a000001, "mail.site.example");
    record(pane, CLIENT_EVENT_QUERY, 0x0a000002, "www.site.example");
    assert_string_equal(first(pane, TOP_QNAME_QUERIES), "www.site.example");
    assert_string_equal(first(pane, TOP_DOMAIN_QUERIES), "site.example");
    assert_int_equal(heavy_hitters_top(pane->lists[TOP_CLIENT_QUERIES], &top, 1), 1);
    assert_int_equal(top.upper, 2);
    assert_memory_equal(top.key.data, "\12\0\0\1", 4);
    assert_int_equal(pane_distinct(pane, DISTINCT_CLIENTS_IPV4) + 0.5, 2);
    assert_int_equal(pane_distinct(pane, DISTINCT_QNAMES) + 0.5, 2);
    assert_int_equal(pane_distinct(pane, DISTINCT_DOMAINS) + 0.5, 1);
    pane_free(pane);
}

static void test_families(void **state)
{
    struct pane *pane = new_pane(ALL_LISTS, ALL_DISTINCTS);
    struct client_event event = sight(CLIENT_EVENT_QUERY, 7, NULL, NULL);

    (void)state;
    event.is_ipv6 = true;
    pane_record(pane, &event);
    assert_int_equal(pane_distinct(pane, DISTINCT_CLIENTS_IPV4) + 0.5, 0);
    assert_int_equal(pane_distinct(pane, DISTINCT_CLIENTS_IPV6) + 0.5, 1);
    pane_free(pane);
}

/* A message without a client or a name counts for the other. */
static void test_half_known(void **state)
{
    struct pane *pane = new_pane(ALL_LISTS, ALL_DISTINCTS);

    (void)state;
    record(pane, CLIENT_EVENT_QUERY, 0, "www.site.example");
    record(pane, CLIENT_EVENT_QUERY, 7, NULL);
    record(pane, CLIENT_EVENT_NXDOMAIN, 0, NULL);
    assert_int_equal(total(pane, TOP_CLIENT_QUERIES), 1);
    assert_int_equal(total(pane, TOP_QNAME_QUERIES), 1);
    assert_int_equal(total(pane, TOP_CLIENT_NXDOMAINS), 0);
    assert_int_equal(total(pane, TOP_QNAME_NXDOMAINS), 0);
    pane_free(pane);
}

/* A response without a message sent nothing. */
static void test_no_bytes(void **state)
{
    struct pane *pane = new_pane(ALL_LISTS, ALL_DISTINCTS);
    struct client_event event = sight(CLIENT_EVENT_OTHER, 7, NULL, NULL);

    (void)state;
    event.message_size = 0;
    pane_record(pane, &event);
    assert_int_equal(heavy_hitters_size(pane->lists[TOP_CLIENT_RESPONSE_BYTES]), 0);
    pane_free(pane);
}

/* The same client and name of two servers are two keys, whose bytes begin with the server. */
static void test_by_server(void **state)
{
    const struct pane_shape shape = {
        .lists = ALL_LISTS, .distincts = ALL_DISTINCTS, .capacity = 100, .by_server = true};
    struct pane *pane = NULL;
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(CLIENT_EVENT_QUERY, 7, "www.site.example", space);
    struct heavy_hitter top[4];

    (void)state;
    assert_int_equal(pane_create(&pane, &shape), 0);
    for (unsigned i = 0; i < 5; i++) {
        event.server = i < 3 ? 0x0102 : 0xffffff;
        pane_record(pane, &event);
    }
    assert_int_equal(heavy_hitters_top(pane->lists[TOP_QNAME_QUERIES], top, 4), 2);
    assert_int_equal(top[0].upper, 3);
    assert_int_equal(pane_key_server(&top[0].key), 0x0102);
    assert_true(bytes_equal(top[0].key, event.qname));
    assert_int_equal(top[1].upper, 2);
    assert_int_equal(pane_key_server(&top[1].key), 0xffffff);
    assert_int_equal(heavy_hitters_size(pane->lists[TOP_CLIENT_QUERIES]), 2);
    assert_int_equal(pane_distinct(pane, DISTINCT_QNAMES) + 0.5, 1);
    pane_free(pane);
}

/* What is off takes neither memory nor counts. */
static void test_off(void **state)
{
    struct pane *pane = new_pane(1u << TOP_QNAME_QUERIES, 1u << DISTINCT_QNAMES);
    struct pane *other = new_pane(1u << TOP_QNAME_QUERIES, 1u << DISTINCT_QNAMES);

    (void)state;
    for (enum client_event_outcome outcome = 0; outcome <= CLIENT_EVENT_OTHER; outcome++) {
        record(other, outcome, 7, "www.site.example");
    }
    pane_merge(pane, other);
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        assert_int_equal(pane->lists[list] != NULL, list == TOP_QNAME_QUERIES);
    }
    assert_int_equal(total(pane, TOP_QNAME_QUERIES), 1);
    for (enum distinct_count which = 0; which < DISTINCT_COUNT_COUNT; which++) {
        assert_int_equal(pane_distinct(pane, which) + 0.5, which == DISTINCT_QNAMES);
    }
    pane_free(other);
    pane_free(pane);
}

static void test_add_and_clear(void **state)
{
    struct pane *sum = new_pane(ALL_LISTS, ALL_DISTINCTS);
    struct pane *part = new_pane(ALL_LISTS, ALL_DISTINCTS);

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%u.site.example", round);
        pane_clear(part);
        record(part, CLIENT_EVENT_QUERY, 7, name);
        record(part, CLIENT_EVENT_NXDOMAIN, 7, name);
        pane_merge(sum, part);
    }
    assert_int_equal(total(sum, TOP_CLIENT_QUERIES), 3);
    assert_int_equal(total(sum, TOP_CLIENT_RESPONSE_BYTES), 300);
    assert_int_equal(total(sum, TOP_DOMAIN_NXDOMAINS), 3);
    assert_int_equal(pane_distinct(sum, DISTINCT_NXDOMAIN_QNAMES) + 0.5, 3);
    assert_int_equal(pane_distinct(sum, DISTINCT_CLIENTS_IPV4) + 0.5, 1);
    pane_clear(sum);
    assert_int_equal(total(sum, TOP_CLIENT_QUERIES), 0);
    assert_int_equal(pane_distinct(sum, DISTINCT_QNAMES) + 0.5, 0);
    pane_free(part);
    pane_free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_outcome_counts_where_it_belongs),
        cmocka_unit_test(test_upstreams),
        cmocka_unit_test(test_capacity_of_upstreams),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_half_known),
        cmocka_unit_test(test_no_bytes),
        cmocka_unit_test(test_by_server),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_add_and_clear),
    };

    pane_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
