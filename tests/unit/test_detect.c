/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "detect/detect.h"
#include "support/sight.h"

#define CLIENT      UINT32_C(0x0a000001)
#define CAPACITY    50
#define INTERVAL_NS (10 * NS_PER_SECOND)
#define BEGIN_NS    (1000000 * INTERVAL_NS)

static const struct detector *const CLIENTS = &detector_nxdomain_client;
static const struct detector *const DOMAINS = &detector_nxdomain_domain;

/* The detectors under test, and what they said. */
static struct {
    struct detect *detect;
    struct detect_part *part;
    struct client_event_rules rules;
    uint64_t now_ns;
    unsigned next; /* number of the next name */
    unsigned begun, ended;
    struct finding last; /* reported */
    uint64_t when_ns;
} scene;

static void hear(void *context, const struct finding *finding)
{
    bool begins = finding->ended_ns == 0;

    assert_ptr_equal(context, &scene);
    scene.begun += begins;
    scene.ended += !begins;
    scene.last = *finding;
    scene.when_ns = begins ? finding->began_ns : finding->ended_ns;
}

static struct findings_count count_of(const struct detector *detector)
{
    unsigned index = 0;

    while (detector_at(index) != detector) {
        index++;
    }
    return findings_count(detect_findings(scene.detect), index);
}

/* A detail of the last finding. */
static double detail(const char *key)
{
    unsigned i = 0;

    while (strcmp(scene.last.detector->details[i].key, key) != 0) {
        i++;
    }
    return scene.last.details[i];
}

static void note(enum client_event_outcome outcome, uint32_t client, const char *name)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = sight(outcome, client, name, space);

    event.rules = &scene.rules;
    detect_part_record(scene.part, &event);
}

/* `count` names that were never seen before, below `domain`, or with NULL each in a domain of its
 * own. */
static void note_new(enum client_event_outcome outcome, uint32_t client, unsigned count,
                     const char *domain)
{
    for (unsigned i = 0; i < count; i++) {
        char name[128];
        unsigned number = scene.next++;
        if (domain != NULL) {
            (void)snprintf(name, sizeof name, "n%u.%s", number, domain);
        } else {
            (void)snprintf(name, sizeof name, "www.d%u.example", number);
        }
        note(outcome, client, name);
    }
}

/* An interval ends. */
static void pass(void)
{
    scene.now_ns += INTERVAL_NS;
    detect_merge(scene.detect, scene.part, detect_due(scene.detect, scene.now_ns));
    detect_evaluate(scene.detect, scene.now_ns, hear, &scene);
}

static void wait(unsigned intervals)
{
    for (unsigned i = 0; i < intervals; i++) {
        pass();
    }
}

static void example_is_below(const struct finding_name *name, const char *domain)
{
    uint8_t space[DNS_NAME_MAX];
    struct bytes end = wire_name(domain, space);

    assert_true(name->len > end.len);
    assert_memory_equal(name->data + name->len - end.len, end.data, end.len);
}

static struct detect_setup setup_of(size_t capacity)
{
    struct detect_setup setup;

    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        bool clients = detector_at(i) == CLIENTS;
        setup.detectors[i] = (struct detector_settings){
            .enabled = true, .capacity = capacity, .threshold = clients ? 30 : 300};
    }
    return setup;
}

/* One new failing name a second. */
static void test_infected_client(void **state)
{
    unsigned intervals = 0;

    (void)state;
    wait(3);
    while (scene.begun == 0) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 10, NULL);
        pass();
        intervals++;
        assert_true(intervals <= 5);
    }
    assert_ptr_equal(scene.last.detector, CLIENTS);
    assert_int_equal(scene.last.client.len, 4);
    assert_memory_equal(scene.last.client.data, "\12\0\0\1", 4);
    assert_int_equal(scene.last.domain.len, 0);
    assert_true(scene.last.score >= 1 && scene.last.score < 2);
    assert_true(scene.last.examples[2].len > 0);
    assert_int_equal(scene.last.began_ns, scene.when_ns);
    assert_int_equal(scene.when_ns, scene.now_ns);
    assert_int_equal(count_of(CLIENTS).begun, 1);
    assert_int_equal(count_of(CLIENTS).active, 1);

    for (unsigned i = 0; i < 60; i++) { /* ten minutes do not make it normal */
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 10, NULL);
        pass();
    }
    assert_int_equal(scene.ended, 0);
    wait(6);
    assert_int_equal(scene.ended, 1);
    assert_int_equal(scene.begun, 1);
    assert_int_equal(count_of(CLIENTS).begun, 1);
    assert_int_equal(count_of(CLIENTS).active, 0);
    assert_int_equal(count_of(DOMAINS).begun, 0);
}

/* Names that exist speak for a client, as much as the walk says. */
static void test_names_that_exist(void **state)
{
    static const struct {
        unsigned failing, found;
        bool burst;
    } cases[] = {{10, 0, true}, {10, 5, true}, {10, 30, false}, {100, 400, false}, {6, 0, true}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned before = scene.begun;
        uint32_t client = CLIENT + (uint32_t)i;
        for (unsigned interval = 0; interval < 10; interval++) {
            note_new(CLIENT_EVENT_NXDOMAIN, client, cases[i].failing, NULL);
            note_new(CLIENT_EVENT_EXISTS, client, cases[i].found, NULL);
            pass();
        }
        assert_int_equal(scene.begun - before, cases[i].burst);
    }
}

/* Fewer than the least number, whatever the rest says. */
static void test_few_names(void **state)
{
    (void)state;
    for (unsigned interval = 0; interval < 60; interval++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 3, NULL);
        pass();
    }
    assert_int_equal(scene.begun, 0);
}

/* A flurry, however large, is no burst. */
static void test_one_flurry(void **state)
{
    (void)state;
    note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 500, NULL);
    pass();
    wait(5);
    note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 500, NULL);
    note_new(CLIENT_EVENT_NXDOMAIN, 0, 5000, "site.example");
    pass();
    wait(10);
    assert_int_equal(scene.begun, 0);
}

/* The same dead names again and again are no news. */
static void test_same_names(void **state)
{
    (void)state;
    for (unsigned interval = 0; interval < 60; interval++) {
        scene.next = 0;
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 40, NULL);
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 500, "site.example");
        pass();
    }
    assert_int_equal(scene.begun, 0);
}

static void attack(const char *domain, unsigned names, unsigned clients)
{
    for (unsigned i = 0; i < names; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + i % clients, 1, domain);
    }
}

static void test_random_subdomains(void **state)
{
    uint8_t space[DNS_NAME_MAX];
    struct bytes domain = wire_name("victim.example", space);
    unsigned intervals = 0;

    (void)state;
    wait(3);
    while (scene.begun == 0) {
        attack("victim.example", 2000, 500);
        note_new(CLIENT_EVENT_EXISTS, CLIENT, 50, "victim.example");
        pass();
        intervals++;
        assert_true(intervals <= 4);
    }
    assert_ptr_equal(scene.last.detector, DOMAINS);
    assert_int_equal(scene.last.client.len, 0);
    assert_int_equal(scene.last.domain.len, domain.len);
    assert_memory_equal(scene.last.domain.data, domain.data, domain.len);
    assert_true(detail("clients") > 300 && detail("clients") < 800);
    assert_int_equal((uint64_t)detail("responses_per_minute"), 2000 * intervals);
    assert_true(scene.last.examples[2].len > 0);
    for (unsigned i = 0; i < 3; i++) {
        example_is_below(&scene.last.examples[i], "victim.example");
    }
    for (unsigned i = 0; i < 30; i++) {
        attack("victim.example", 2000, 500);
        pass();
    }
    wait(6);
    assert_int_equal(scene.begun, 1); /* of the 500 clients none */
    assert_int_equal(scene.ended, 1);
}

/* Few clients make the attack: each would be a burst of its own. */
static void test_taking_part_is_not_reported(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        attack("victim.example", 2000, 5);
        pass();
    }
    assert_int_equal(scene.begun, 1);
    assert_ptr_equal(scene.last.detector, DOMAINS);
}

/* Several domains attacked at once by the same clients: none has a majority of their failures. */
static void test_taking_part_in_several(void **state)
{
    static const char *const victims[] = {"one.example", "two.example", "three.example"};

    (void)state;
    for (unsigned count = 2; count <= 3; count++) {
        unsigned before = scene.begun;
        for (unsigned i = 0; i < 12; i++) {
            for (unsigned k = 0; k < 4000; k++) {
                note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + k / count % 20, 1, victims[k % count]);
            }
            pass();
        }
        assert_int_equal(scene.begun - before, count);
        assert_int_equal(count_of(CLIENTS).begun, 0);
        wait(12);
    }
}

/* A worker that comes a moment late with the time it has read changes nothing. */
static void test_a_moment_late(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 5; k++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, NULL);
        pass();
        detect_evaluate(scene.detect, scene.now_ns - 100, hear, &scene);
    }
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.ended, 0);
}

/* When the attack is over, those who took part and mistype a name did not begin anything. */
static void test_taking_part_and_then_another_failure(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        attack("victim.example", 2000, 50);
        pass();
    }
    for (uint32_t client = 0; client < 50; client++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + client, 1, "mistyped.example");
    }
    wait(10);
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.ended, 1);
}

/* A burst is shown under the same names as long as it lasts. */
static void test_what_is_shown_does_not_change(void **state)
{
    struct finding shown;
    struct finding first;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, NULL);
        pass();
    }
    assert_int_equal(findings_list(detect_findings(scene.detect), &first, 1), 1);
    note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, "corp.example");
    pass();
    assert_int_equal(findings_list(detect_findings(scene.detect), &shown, 1), 1);
    assert_int_equal(shown.domain.len, first.domain.len);
    assert_memory_equal(&shown.client, &first.client, sizeof shown.client);
}

/* Names that come by again within the minute, in whatever turn, are no news. */
static void test_same_names_in_turn(void **state)
{
    (void)state;
    for (unsigned interval = 0; interval < 60; interval++) {
        for (unsigned i = 0; i < 25; i++) {
            scene.next = (interval * 25 + i + 7) % 50;
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 1, NULL);
        }
        pass();
        assert_int_equal(scene.begun, 0);
    }
}

/* Names that exist speak for a client in every minute, however long it has been asking for them. */
static void test_same_names_that_exist(void **state)
{
    (void)state;
    for (unsigned interval = 0; interval < 30; interval++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 10, NULL);
        for (unsigned i = 0; i < 500; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "www.known%u.example", i);
            note(CLIENT_EVENT_EXISTS, CLIENT, name);
        }
        pass();
        assert_int_equal(scene.begun, 0);
    }
}

/* A domain much of which exists is popular, not attacked. */
static void test_popular_domain(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, 0, 200, "popular.example");
        note_new(CLIENT_EVENT_EXISTS, 0, 400, "popular.example");
        pass();
    }
    assert_int_equal(scene.begun, 0);
}

/* Three times what is normal for a domain: of two that are now alike, the one that always was so
 * does not begin. */
static void test_own_normal(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, 0, 40, "noisy.example"); /* 240 a minute */
        pass();
    }
    assert_int_equal(scene.begun, 0);
    for (unsigned i = 0; i < 12; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, 0, 75, "noisy.example");
        note_new(CLIENT_EVENT_NXDOMAIN, 0, 75, "quiet.example");
        pass();
    }
    assert_int_equal(scene.begun, 1);
    example_is_below(&scene.last.examples[0], "quiet.example");
    for (unsigned i = 0; i < 12; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, 0, 300, "noisy.example");
        pass();
    }
    assert_int_equal(scene.begun, 2);
}

/* A client whose failures are mostly below one domain: a broken search domain. */
static void test_search_domain(void **state)
{
    uint8_t space[DNS_NAME_MAX];
    struct bytes domain = wire_name("corp.example", space);

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, "corp.example");
        note_new(CLIENT_EVENT_EXISTS, CLIENT, 20, NULL);
        pass();
    }
    assert_int_equal(scene.begun, 1);
    assert_ptr_equal(scene.last.detector, CLIENTS);
    assert_int_equal(scene.last.domain.len, domain.len);
    assert_memory_equal(scene.last.domain.data, domain.data, domain.len);
}

static void test_detector_off(void **state)
{
    struct detect_setup setup = setup_of(CAPACITY);

    setup.detectors[0].enabled = false; /* that of domains */
    assert_ptr_equal(detector_at(0), DOMAINS);
    (void)state;
    detect_free(scene.detect);
    detect_part_free(scene.part);
    assert_int_equal(detect_create(&scene.detect, &setup), 0);
    assert_int_equal(detect_part_create(&scene.part, &setup), 0);
    for (unsigned i = 0; i < 6; i++) {
        attack("victim.example", 3000, 3000);
        pass();
    }
    assert_int_equal(scene.begun, 0);
    assert_int_equal(count_of(DOMAINS).active, 0);
}

/* Time that jumps, back or by hours, ends what lasts: another recording begins. */
static void test_jumps(void **state)
{
    static const int64_t jumps[] = {-5000, 5000};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        scene.begun = scene.ended = 0;
        for (unsigned k = 0; k < 5; k++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, NULL);
            pass();
        }
        assert_int_equal(scene.begun, 1);
        scene.now_ns += (uint64_t)jumps[i] * INTERVAL_NS;
        pass();
        assert_int_equal(scene.ended, 1);
        assert_int_equal(count_of(CLIENTS).active, 0);
    }
}

/* A gap of a minute ends a burst; it is judged interval by interval. */
static void test_gap(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 5; k++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, NULL);
        pass();
    }
    assert_int_equal(scene.begun, 1);
    uint64_t last_ns = scene.now_ns;
    scene.now_ns += 20 * INTERVAL_NS;
    pass();
    assert_int_equal(scene.ended, 1);
    assert_in_range(scene.when_ns, last_ns + 5 * INTERVAL_NS, last_ns + 6 * INTERVAL_NS);
}

static void test_list(void **state)
{
    struct finding list[4];

    (void)state;
    for (unsigned k = 0; k < 6; k++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, NULL);
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + 1, 100, NULL);
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + 2, 50, NULL);
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + 3, 4, NULL);
        pass();
    }
    assert_int_equal(findings_list(detect_findings(scene.detect), list, 4), 3);
    assert_int_equal(list[0].client.data[3], 2);
    assert_int_equal(list[1].client.data[3], 3);
    assert_int_equal(list[2].client.data[3], 1);
    assert_true(list[0].score > list[1].score && list[1].score > list[2].score);
    assert_int_equal(findings_list(detect_findings(scene.detect), list, 2), 2);
    assert_int_equal(list[1].client.data[3], 3);
    assert_int_equal(findings_list(detect_findings(scene.detect), list, 0), 0);
}

/* Many clients with a failure each: those that matter are watched all the same, and what there was
 * no room for is counted. */
static void test_more_than_there_is_room_for(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 6; k++) {
        for (uint32_t i = 0; i < CAPACITY + CAPACITY / 3; i++) {
            note_new(CLIENT_EVENT_NXDOMAIN, CLIENT + 100 + 1000 * k + i, 1, NULL);
        }
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, 20, NULL);
        pass();
    }
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.last.client.data[3], 1);
    assert_true(detect_overflows(scene.detect, 1) > 0);
}

static int set_up(void **state)
{
    const struct detect_setup setup = setup_of(CAPACITY);
    struct suffix_table *table;
    struct text error = {0};

    memset(&scene, 0, sizeof scene);
    scene.now_ns = BEGIN_NS;
    scene.rules.secret = SIGHT_SECRET;
    if (suffix_table_create(&table, &scene.rules.secret, NULL, NULL, 0, &error) < 0) {
        return -1;
    }
    scene.rules.suffixes = table;
    *state = table;
    if (detect_create(&scene.detect, &setup) < 0 || detect_part_create(&scene.part, &setup) < 0) {
        return -1;
    }
    /* The clock is known from here, and the detectors have left the first interval behind. */
    detect_evaluate(scene.detect, scene.now_ns - INTERVAL_NS, hear, &scene);
    detect_evaluate(scene.detect, scene.now_ns, hear, &scene);
    return 0;
}

static int tear_down(void **state)
{
    detect_free(scene.detect);
    detect_part_free(scene.part);
    suffix_table_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Each detector has its keys, in a section of its name. */
static void test_keys(void **state)
{
    static const struct config_rows *const rows[DETECTOR_COUNT] = {
#define ROWS_ADDRESS(name) &name##_rows,
        DETECTORS(ROWS_ADDRESS)};

    (void)state;
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        char prefix[64];
        (void)snprintf(prefix, sizeof prefix, "detection.%s.", detector_at(i)->name);
        for (unsigned row = 0; row < rows[i]->count; row++) {
            assert_memory_equal(rows[i]->rows[row].key, prefix, strlen(prefix));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        TEST(test_infected_client),
        TEST(test_names_that_exist),
        TEST(test_few_names),
        TEST(test_one_flurry),
        TEST(test_same_names),
        TEST(test_random_subdomains),
        TEST(test_taking_part_is_not_reported),
        TEST(test_taking_part_in_several),
        TEST(test_a_moment_late),
        TEST(test_taking_part_and_then_another_failure),
        TEST(test_what_is_shown_does_not_change),
        TEST(test_same_names_in_turn),
        TEST(test_same_names_that_exist),
        TEST(test_popular_domain),
        TEST(test_own_normal),
        TEST(test_search_domain),
        TEST(test_detector_off),
        TEST(test_jumps),
        TEST(test_gap),
        TEST(test_list),
        TEST(test_more_than_there_is_room_for),
    };

    detect_free(NULL); /* is fine */
    detect_part_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
