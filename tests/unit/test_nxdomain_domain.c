/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "name_filter_internal.h"
#include "support/detector_scene.h"

#define CAPACITY 64
#define NAMES    150
#define CLIENTS  100

/* As the detector of tunnels notes it. */
static void ask(const char *name)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = scene_event(CLIENT_EVENT_QUERY, CLIENT, name, NULL, space);

    (void)name_filter_insert(scene.setup.detectors[DETECTOR_nxdomain_domain].seen,
                             name_filter_hash(NAME_FILTER_QUERIED, event.name_hash, 0));
}

static void attack(const char *victim, unsigned a_second, unsigned seconds)
{
    for (unsigned i = 0; i < a_second * seconds; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + i % CLIENTS, victim, victim);
        if (i % a_second == a_second - 1) {
            pass_seconds(1);
        }
    }
}

static void test_random_subdomains(void **state)
{
    static const unsigned rates[] = {5, 20, 200};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        unsigned before = scene.begun;
        char victim[32];

        (void)snprintf(victim, sizeof victim, "victim%zu.com", i);
        attack(victim, rates[i], 60);
        print_message("  %u a second\n", rates[i]);
        assert_int_equal(scene.begun, before + 1);
        assert_ptr_equal(scene.last.detector, &detector_nxdomain_domain);
        assert_int_equal(scene.last.client.len, 0);
        assert_true(is_domain(&scene.last, victim));
        assert_true(scene.last.score >= 1);
        assert_true(evidence_seconds() >= 14 && evidence_seconds() < 60);
        assert_true(detail("failing_names") >= NAMES);
        assert_true(detail("failing_names") <= detail("responses"));
        assert_true(detail("clients") > 0.5 * CLIENTS && detail("clients") < 1.5 * CLIENTS);
        assert_true(example_is_below(&scene.last.examples[2], victim));
    }
    pass_seconds(700);
    assert_int_equal(scene.ended, sizeof rates / sizeof rates[0]);
}

/* Names that exist below the domain do not hide the others. */
static void test_popular_victim(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 60; second++) {
        for (unsigned i = 0; i < 40; i++) {
            note_new(CLIENT_EVENT_EXISTS, CLIENT, "victim.com", NULL);
        }
        attack("victim.com", 5, 1);
    }
    assert_int_equal(scene.begun, 1);
}

/* Every name is a registered domain of its own; the zone above denies them all. */
static void test_public_suffix(void **state)
{
    (void)state;
    attack("co.uk", 5, 60);
    assert_int_equal(scene.begun, 1);
    assert_true(is_domain(&scene.last, "co.uk"));
}

/* Few clients may be infected, and existing domains speak against an attack. */
static void test_no_attack_on_a_public_suffix(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 120; second++) {
        for (unsigned i = 0; i < 20; i++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + i % 8, "org", "org");
        }
        for (unsigned i = 0; i < 10; i++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + i + 10 * second, "com", "com");
        }
        for (unsigned i = 0; i < 40; i++) {
            note_new(CLIENT_EVENT_EXISTS, CLIENT, "com", NULL);
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 0);
}

static void test_what_is_no_attack(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) { /* a flurry */
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, "flurry.com", "flurry.com");
    }
    pass_seconds(60);
    assert_int_equal(scene.begun, 0);
    for (unsigned second = 0; second < 600; second++) { /* the same ones again and again */
        scene.next = second % 100;
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, "same.com", "same.com");
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, "same.com", "same.com");
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 0);
    scene.next = 100000;
    for (unsigned second = 0; second < 120; second++) { /* a search domain */
        for (unsigned i = 0; i < 10; i++) {
            char outside[32];
            (void)snprintf(outside, sizeof outside, "n%u.shop.com", scene.next);
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, "shop.com.corp.example", "corp.example");
            ask(outside);
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, "nowhere", "");
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 0);
}

/* Data behind a search domain's shape: nobody asks for the outside names. */
static void test_shape_of_a_search_domain(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 60; second++) {
        for (unsigned i = 0; i < 20; i++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + i, "shop.com.victim.com", "victim.com");
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_true(is_domain(&scene.last, "victim.com"));
}

/* A customer's domain below a suffix that hosts many. */
static void test_private_suffix(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 60; second++) {
        for (unsigned i = 0; i < 20; i++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + i % 4, "victim.uk", "uk");
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_true(is_domain(&scene.last, "victim.uk"));
}

/* Names that fail below many other domains do not hide an attack. */
static void test_background(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 60; second++) {
        for (unsigned i = 0; i < 600; i++) {
            char domain[32];
            (void)snprintf(domain, sizeof domain, "d%u.org", (600 * second + i) % 20000);
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + i, domain, domain);
        }
        attack("victim.com", 5, 1);
    }
    assert_int_equal(scene.begun, 1);
    assert_true(is_domain(&scene.last, "victim.com"));
}

static int set_up(void **state)
{
    (void)state;
    return scene_begin(DETECTOR_nxdomain_domain, CAPACITY, NAMES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_subdomains),
        TEST(test_popular_victim),
        TEST(test_public_suffix),
        TEST(test_no_attack_on_a_public_suffix),
        TEST(test_what_is_no_attack),
        TEST(test_background),
        TEST(test_shape_of_a_search_domain),
        TEST(test_private_suffix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
