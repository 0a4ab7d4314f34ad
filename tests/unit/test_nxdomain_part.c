/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/text.h"
#include "support/sight.h"
#include "nxdomain_internal.h"

#define CLIENT UINT32_C(0x0a000001)

/* The parts of the two detectors. */
static struct parts {
    struct heavy_hitters *clients;
    struct heavy_hitters *domains;
} parts;

static const struct detector_settings settings = {.enabled = true, .capacity = 50};
static struct client_event_rules rules;

static void record(struct client_event *event)
{
    event->rules = &rules;
    if (event->has_name) {
        nxdomain_domain_record(parts.domains, event);
        nxdomain_client_record(parts.clients, event);
    }
}

static int parts_init(struct parts *out)
{
    void *clients = NULL;
    void *domains = NULL;
    int result = detector_nxdomain_client.part_create(&clients, &settings);

    if (result == 0) {
        result = detector_nxdomain_domain.part_create(&domains, &settings);
    }
    *out = (struct parts){clients, domains};
    return result;
}

static void parts_deinit(struct parts *of)
{
    detector_nxdomain_client.part_free(of->clients);
    detector_nxdomain_domain.part_free(of->domains);
}

static void parts_clear(struct parts *of)
{
    detector_nxdomain_client.part_clear(of->clients);
    detector_nxdomain_domain.part_clear(of->domains);
}

static void parts_merge(struct parts *to, const struct parts *from)
{
    heavy_hitters_merge(to->clients, from->clients, nxdomain_client_join);
    heavy_hitters_merge(to->domains, from->domains, nxdomain_domain_join);
}

static void note(enum client_event_outcome outcome, uint32_t client, const char *name)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(outcome, client, name, space);

    record(&event);
}

/* "<number>.<domain>" */
static void note_child(enum client_event_outcome outcome, uint32_t client, unsigned number,
                       const char *domain)
{
    char name[128];

    (void)snprintf(name, sizeof name, "%u.%s", number, domain);
    note(outcome, client, name);
}

static const struct nxdomain_client_part *client_of(const struct parts *from, uint32_t client)
{
    struct client_event event = sight(CLIENT_EVENT_QUERY, client, NULL, NULL);

    return heavy_hitters_find(from->clients, event.client_hash);
}

static const struct nxdomain_domain_part *domain_of(const struct parts *from, const char *domain)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(CLIENT_EVENT_QUERY, 0, domain, space);

    return heavy_hitters_find(from->domains, event.qname_hash);
}

static double count(const uint8_t *counter)
{
    return distinct_estimate(counter, NXDOMAIN_PRECISION);
}

static void names_are(const struct nxdomain_names *names, double failing, uint64_t messages)
{
    assert_true(count(names->failing) > 0.85 * failing && count(names->failing) < 1.15 * failing);
    assert_int_equal(names->messages, messages);
}

static void is_example(const struct nxdomain_names *names, const char *name, const char *domain)
{
    uint8_t space[DNS_NAME_MAX];
    struct bytes expected = wire_name(name, space);

    assert_int_equal(names->example_len, expected.len);
    assert_memory_equal(names->example, expected.data, expected.len);
    expected = wire_name(domain, space);
    assert_int_equal(names->example_len - names->domain_offset, expected.len);
    assert_memory_equal(names->example + names->domain_offset, expected.data, expected.len);
}

static void test_failures(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        note_child(CLIENT_EVENT_NXDOMAIN, CLIENT + i % 20, i / 2, "site.example");
    }
    const struct nxdomain_domain_part *domain = domain_of(&parts, "site.example");
    assert_non_null(domain);
    names_are(&domain->names, 100, 200);
    is_example(&domain->names, "0.site.example", "site.example");
    double clients = distinct_estimate(domain->clients, NXDOMAIN_SAMPLED_PRECISION);
    assert_true(clients > 15 && clients < 25);

    const struct nxdomain_client_part *client = client_of(&parts, CLIENT);
    assert_non_null(client);
    names_are(&client->names, 10, 10);
    assert_int_equal(client->domain_votes, 10);
}

/* Names asked for that are aliases of one that does not exist are many of the client's and one of
 * the domain's; block-list queries are told by what was asked for. */
static void test_aliases(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        uint8_t spaces[2][DNS_NAME_MAX];
        char name[64];
        (void)snprintf(name, sizeof name, "%u.asked.example", i);
        struct client_event event = sight(CLIENT_EVENT_NXDOMAIN, CLIENT, name, spaces[0]);
        struct client_event target = sight(CLIENT_EVENT_NXDOMAIN, CLIENT, "gone.site.example",
                                           spaces[1]);
        event.name = target.name;
        event.name_hash = target.name_hash;
        event.suffix = target.suffix;
        record(&event);
        event.qname = wire_name("1.0.0.127.list.example", spaces[0]);
        record(&event);
    }
    names_are(&domain_of(&parts, "site.example")->names, 1, 100);
    names_are(&client_of(&parts, CLIENT)->names, 100, 100);
}

/* Only failures make a client or a domain known, and then names that exist count. */
static void test_found_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        note_child(CLIENT_EVENT_EXISTS, CLIENT, i, "site.example");
    }
    assert_null(client_of(&parts, CLIENT));
    assert_null(domain_of(&parts, "site.example"));

    note(CLIENT_EVENT_NXDOMAIN, CLIENT, "gone.site.example");
    for (unsigned i = 0; i < 1000; i++) {
        note_child(CLIENT_EVENT_EXISTS, CLIENT, i, "site.example");
        note_child(CLIENT_EVENT_EXISTS, CLIENT + 1, i, "site.example");
    }
    assert_null(client_of(&parts, CLIENT + 1));
    double found = count(client_of(&parts, CLIENT)->names.found);
    assert_true(found > 800 && found < 1200);
    found = count(domain_of(&parts, "site.example")->names.found) * NXDOMAIN_SAMPLING;
    assert_true(found > 700 && found < 1300);
}

/* Names that are left alone say nothing for a client either. */
static void test_found_names_that_are_left_alone(void **state)
{
    (void)state;
    note(CLIENT_EVENT_NXDOMAIN, CLIENT, "gone.site.example");
    for (unsigned i = 0; i < 200; i++) {
        note_child(CLIENT_EVENT_EXISTS, CLIENT, i, "3.2.1.list.example");
        note_child(CLIENT_EVENT_EXISTS, CLIENT, i, "allowed.test");
    }
    assert_true(count(client_of(&parts, CLIENT)->names.found) == 0);
}

static void test_what_is_none(void **state)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event allowed = sight(CLIENT_EVENT_NXDOMAIN, CLIENT, "x.spam.example", space);

    (void)state;
    allowed.suffix.allowed = true;
    record(&allowed);
    note(CLIENT_EVENT_NXDOMAIN, CLIENT, "4.3.2.1.list.example");
    note(CLIENT_EVENT_NXDOMAIN, CLIENT, NULL);
    note(CLIENT_EVENT_SERVFAIL, CLIENT, "a.site.example");
    note(CLIENT_EVENT_QUERY, CLIENT, "a.site.example");
    note(CLIENT_EVENT_OTHER, CLIENT, "a.site.example");
    assert_int_equal(heavy_hitters_size(parts.clients), 0);
    assert_int_equal(heavy_hitters_size(parts.domains), 0);
    note(CLIENT_EVENT_NXDOMAIN, 0, "a.site.example"); /* nobody's, but the domain's */
    assert_int_equal(heavy_hitters_size(parts.clients), 0);
    assert_int_equal(heavy_hitters_size(parts.domains), 1);
}

/* An authoritative server's clients are resolvers, which ask for others. */
static void test_resolvers(void **state)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(CLIENT_EVENT_NXDOMAIN, CLIENT, "a.site.example", space);

    (void)state;
    event.role_is_client = false;
    record(&event);
    assert_null(client_of(&parts, CLIENT));
    assert_int_equal(domain_of(&parts, "site.example")->names.messages, 1);
}

/* Three quarters of one client's failures are below one domain. */
static void test_majority(void **state)
{
    static const char *const domains[] = {"one.example", "two.example", "one.example",
                                          "one.example"};
    (void)state;
    note(CLIENT_EVENT_NXDOMAIN, CLIENT, "first.three.example");
    for (unsigned i = 0; i < 40; i++) {
        note_child(CLIENT_EVENT_NXDOMAIN, CLIENT, i, domains[i % 4]);
    }
    const struct nxdomain_client_part *client = client_of(&parts, CLIENT);
    assert_in_range(client->domain_votes, 18, 20);
    const char *example = "0.one.example"; /* the first that won it the vote */
    assert_int_equal(client->names.example_len, strlen(example) + 2);
    uint8_t space[DNS_NAME_MAX];
    struct bytes domain = wire_name("one.example", space);
    assert_memory_equal(client->names.example + client->names.domain_offset, domain.data,
                        domain.len);
}

/* The parts of two workers are, merged, that of one which saw everything. */
static void test_add(void **state)
{
    struct parts other;
    struct parts sum;

    (void)state;
    assert_int_equal(parts_init(&sum), 0);
    for (unsigned i = 0; i < 300; i++) {
        note_child(CLIENT_EVENT_NXDOMAIN, CLIENT, i, i % 3 == 0 ? "two.example" : "one.example");
    }
    note_child(CLIENT_EVENT_NXDOMAIN, CLIENT + 1, 1, "one.example");
    parts_merge(&sum, &parts);
    other = parts;
    assert_int_equal(parts_init(&parts), 0);
    for (unsigned i = 200; i < 500; i++) { /* of which 100 are the same names */
        note_child(CLIENT_EVENT_NXDOMAIN, CLIENT, i, i % 3 == 0 ? "two.example" : "one.example");
    }
    parts_merge(&sum, &parts);

    const struct nxdomain_client_part *client = client_of(&sum, CLIENT);
    names_are(&client->names, 500, 600);
    assert_int_equal(client->domain_votes, 200);
    names_are(&client_of(&sum, CLIENT + 1)->names, 1, 1);
    names_are(&domain_of(&sum, "one.example")->names, 333, 401);
    assert_int_equal(domain_of(&sum, "one.example")->names.example_len, 15);

    parts_clear(&sum);
    assert_null(client_of(&sum, CLIENT));
    parts_deinit(&sum);
    parts_deinit(&other);
}

/* Votes for different domains speak against each other also where two workers counted them. */
static void test_add_against(void **state)
{
    struct parts sum;

    (void)state;
    assert_int_equal(parts_init(&sum), 0);
    for (unsigned i = 0; i < 3; i++) {
        note_child(CLIENT_EVENT_NXDOMAIN, CLIENT, i, "one.example");
    }
    parts_merge(&sum, &parts);
    parts_clear(&parts);
    for (unsigned i = 0; i < 5; i++) {
        note_child(CLIENT_EVENT_NXDOMAIN, CLIENT, i, "two.example");
    }
    parts_merge(&sum, &parts);
    const struct nxdomain_client_part *client = client_of(&sum, CLIENT);
    assert_int_equal(client->domain_votes, 2);
    is_example(&client->names, "0.two.example", "two.example");
    parts_deinit(&sum);
}

/* Those with many failures stay, whoever else comes. */
static void test_more_than_there_is_room_for(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "a.d%u.example", i);
        note(CLIENT_EVENT_NXDOMAIN, CLIENT + 1 + i, name);
        if (i % 10 == 0) {
            note_child(CLIENT_EVENT_NXDOMAIN, CLIENT, i, "site.example");
        }
    }
    assert_non_null(client_of(&parts, CLIENT));
    names_are(&domain_of(&parts, "site.example")->names, 2000, 2000);
    assert_true(heavy_hitters_evictions(parts.clients) > 19000);
}

static int set_up(void **state)
{
    const struct bytes allowed = {(const uint8_t *)"\7allowed\4test", 14};
    struct suffix_table *table;
    struct text error = {0};

    rules.secret = SIGHT_SECRET;
    if (suffix_table_create(&table, &rules.secret, NULL, &allowed, 1, &error) < 0) {
        return -1;
    }
    rules.suffixes = table;
    *state = table;
    return parts_init(&parts);
}

static int tear_down(void **state)
{
    parts_deinit(&parts);
    suffix_table_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_aliases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_found_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_found_names_that_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_majority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resolvers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_add, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_add_against, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_than_there_is_room_for, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
