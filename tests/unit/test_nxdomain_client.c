/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/detector_scene.h"

#define CAPACITY    64
#define DOMAINS     6
#define FORWARDER   UINT32_C(0x0a00fe01)
#define QUIET_S     900
#define HALF_HOUR_S 1800

/* A registered domain that does not exist. */
static void note_missing(uint32_t client)
{
    note_new(CLIENT_EVENT_NXDOMAIN, client, "com", "com");
}

static void note_found(uint32_t client)
{
    note_new(CLIENT_EVENT_EXISTS, client, "org", NULL);
}

static void test_infected_client(void **state)
{
    unsigned seconds = 0;

    (void)state;
    for (; scene.begun == 0; seconds++) {
        note_missing(CLIENT);
        note_found(CLIENT);
        pass_seconds(1);
        assert_true(seconds <= 12);
    }
    assert_true(seconds >= DOMAINS);
    assert_true(evidence_seconds() > seconds / 2 && evidence_seconds() <= seconds);
    assert_ptr_equal(scene.last.detector, &detector_nxdomain_client);
    assert_true(is_client(&scene.last, CLIENT));
    assert_int_equal(scene.last.domain.len, 0);
    assert_true(scene.last.score >= 1);
    assert_true(detail("missing_domains") >= DOMAINS && detail("missing_domains") <= seconds);
    assert_true(detail("responses") <= seconds);
    assert_true(example_is_below(&scene.last.examples[2], "com"));
    assert_true(example_is_below(&scene.last.found_names[0], "org"));

    for (unsigned i = 0; i < HALF_HOUR_S; i++) { /* the same ones again: it goes on */
        note(CLIENT_EVENT_NXDOMAIN, CLIENT, "n1.com", "com");
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.ended, 0);
    pass_seconds(QUIET_S + 1);
    assert_int_equal(scene.ended, 1);
    assert_true(detail("responses") >= HALF_HOUR_S);
    for (unsigned i = 0; i < HALF_HOUR_S; i++) { /* known domains are no news */
        note(CLIENT_EVENT_NXDOMAIN, CLIENT, "n1.com", "com");
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
}

/* Missing and existing domains a minute, and whether an algorithm is likelier. */
static void test_walk(void **state)
{
    static const struct {
        unsigned missing, found;
        bool is_reported;
    } cases[] = {{1, 0, true},  {2, 4, true},   {10, 20, true},
                 {1, 3, false}, {1, 19, false}, {0, 30, false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned before = scene.begun;
        uint32_t client = CLIENT + (uint32_t)i;

        for (unsigned minute = 0; minute < 30; minute++) {
            for (unsigned k = 0; k < cases[i].missing; k++) {
                note_missing(client);
            }
            pass_seconds(3);
            for (unsigned k = 0; k < cases[i].found; k++) {
                note_found(client);
            }
            pass_seconds(57);
        }
        print_message("  %u missing, %u found\n", cases[i].missing, cases[i].found);
        assert_int_equal(scene.begun - before, cases[i].is_reported);
    }
}

/* Names that fail for another reason than that there is no such domain. */
static void test_what_is_no_evidence(void **state)
{
    static const struct {
        const char *what, *domain, *zone;
    } cases[] = {
        {"a domain that exists", "exists.com", "exists.com"},
        {"a zone in it", "a.exists.com", "a.exists.com"},
        {"without a SOA record", "com", NULL},
        {"one label", "", ""},
        {"a search domain", "www.shop.com.bit", ""},
        {"a private network", "bigfirm", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned k = 0; k < 20; k++) {
            char name[64];
            (void)snprintf(name, sizeof name, "x%u%s%s", k, cases[i].domain[0] != '\0' ? "." : "",
                           cases[i].domain);
            note(CLIENT_EVENT_NXDOMAIN, CLIENT, name, cases[i].zone);
            pass_seconds(1);
        }
        print_message("  %s\n", cases[i].what);
        assert_int_equal(scene.begun, 0);
    }
}

/* Top-level domains of alternative roots. */
static void test_no_such_top_level(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, "bazar", "");
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
}

static void test_forwarder(void **state)
{
    static struct network forwarder = {.len = 4, .prefix = 24, .address = {10, 0, 254}};
    static const uint8_t address[] = {10, 0, 254, 1};

    (void)state;
    scene.rules.forwarders = &forwarder;
    scene.rules.forwarder_count = 1;
    for (unsigned i = 0; i < 50; i++) {
        uint8_t space[DNS_NAME_MAX];
        char name[32];
        (void)snprintf(name, sizeof name, "n%u.com", i);
        struct client_event event = scene_event(CLIENT_EVENT_NXDOMAIN, FORWARDER, name, "com",
                                                space);
        event.address = (struct bytes){address, sizeof address};
        detect_part_record(scene.parts[0], &event);
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 0);
}

/* A host that takes a new address of its network for each look-up. */
static void test_ipv6_network(void **state)
{
    uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 7};

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        uint8_t space[DNS_NAME_MAX];
        char name[32];
        (void)snprintf(name, sizeof name, "n%u.com", i);
        struct client_event event = scene_event(CLIENT_EVENT_NXDOMAIN, CLIENT + i, name, "com",
                                                space);
        address[15] = (uint8_t)(i + 1);
        event.is_ipv6 = true;
        event.address = (struct bytes){address, sizeof address};
        detect_part_record(scene.parts[i % 2], &event);
        pass_seconds(1);
    }
    address[15] = 0;
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.last.client.len, sizeof address);
    assert_memory_equal(scene.last.client.data, address, sizeof address);
}

/* Many clients that fail below one zone at once: one finding, and none of a client. */
static void test_crowd(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 200; second++) {
        for (uint32_t client = 0; client < 30; client++) {
            if (second % 10 == client % 10) {
                note_missing(CLIENT + client);
            }
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.last.client.len, 0);
    assert_true(is_domain(&scene.last, "com"));
    assert_true(detail("clients") > 16 && detail("clients") <= 30);
}

/* One of a crowd that asks for many more than the others is one of its own. */
static void test_one_of_a_crowd(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 200; second++) {
        for (uint32_t client = 0; client < 30; client++) {
            if (second % 20 == client % 20) {
                note_missing(CLIENT + 1 + client);
            }
        }
        note_missing(CLIENT);
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 2);
    assert_true(is_client(&scene.first, CLIENT));
    assert_int_equal(scene.last.client.len, 0);
}

/* Clients that fail below zones of their own are reported at once, each. */
static void test_several_clients(void **state)
{
    static const char *const zones[] = {"com", "net", "org", "uk", "example", "test"};

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        for (uint32_t client = 0; client < 6; client++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + client, zones[client], zones[client]);
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 6);
}

/* More clients with evidence than there is room for: who has more of it keeps the place. */
static void test_little_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        for (uint32_t client = 0; client < 100; client++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + 1000 * i + client + 1, "net", "net");
        }
        note_missing(CLIENT);
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_true(is_client(&scene.first, CLIENT));
}

static int set_up(void **state)
{
    (void)state;
    return scene_begin(DETECTOR_nxdomain_client, CAPACITY, DOMAINS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_infected_client),
        TEST(test_walk),
        TEST(test_what_is_no_evidence),
        TEST(test_no_such_top_level),
        TEST(test_forwarder),
        TEST(test_ipv6_network),
        TEST(test_crowd),
        TEST(test_one_of_a_crowd),
        TEST(test_several_clients),
        TEST(test_little_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
