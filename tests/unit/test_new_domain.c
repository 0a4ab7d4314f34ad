/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/detector_scene.h"

#define LEARNING_S 3600

/* One of the workers has seen that the name exists. */
static void find(unsigned worker, const char *name)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = scene_event(CLIENT_EVENT_EXISTS, CLIENT, name, NULL, space);

    event.has_suffix = true;
    detect_part_record(scene.parts[worker], &event);
}

static void test_learning(void **state)
{
    uint8_t space[DNS_NAME_MAX];

    (void)state;
    find(0, "www.old.example");
    pass_seconds(LEARNING_S);
    assert_int_equal(scene.noted, 0);
    find(0, "www.old.example");
    find(1, "mail.old.example");
    find(0, "a.new.example");
    find(1, "b.new.example");
    pass_seconds(1);
    assert_int_equal(scene.noted, 1);
    assert_true(is_client(&(struct finding){.client = scene.last_note.client}, CLIENT));
    assert_true(
        bytes_equal(finding_name_bytes(&scene.last_note.domain), wire_name("new.example", space)));
    find(1, "a.new.example");
    find(0, "c.new.example");
    pass_seconds(1);
    assert_int_equal(scene.noted, 1);
    assert_int_equal(scene.begun, 0);
}

/* One client that asks for ever new names below a public suffix, all of which exist. */
static void test_limit_of_a_client(void **state)
{
    (void)state;
    pass_seconds(LEARNING_S + 1);
    for (unsigned second = 0; second < 600; second++) {
        for (unsigned i = 0; i < 10; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "s%ui%u.example", second, i);
            find(0, name);
        }
        pass_seconds(1);
    }
    /* 300 at once, and one in 12 s. */
    assert_true(scene.noted >= 340 && scene.noted <= 350);
    uint64_t noted = scene.noted;
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = scene_event(CLIENT_EVENT_EXISTS, CLIENT + 1, "a.other.example",
                                            NULL, space);
    event.has_suffix = true;
    detect_part_record(scene.parts[1], &event);
    pass_seconds(1);
    assert_int_equal(scene.noted, noted + 1);
    assert_true(findings_noted_lately(detect_findings(scene.detect), &detector_new_domain,
                                      event.suffix.domain_hash));
}

/* What does not exist, is no registered domain, or is allowed. */
static void test_none(void **state)
{
    uint8_t space[DNS_NAME_MAX];

    (void)state;
    pass_seconds(LEARNING_S + 1);
    note(CLIENT_EVENT_QUERY, CLIENT, "a.new.example", NULL);
    note(CLIENT_EVENT_NXDOMAIN, CLIENT, "a.new.example", "example");
    find(0, "example");
    struct client_event event = scene_event(CLIENT_EVENT_EXISTS, CLIENT, "a.own.example", NULL,
                                            space);
    event.has_suffix = true;
    event.suffix.allowed = true;
    detect_part_record(scene.parts[0], &event);
    event.suffix.allowed = false;
    event.role_is_client = false;
    detect_part_record(scene.parts[0], &event);
    pass_seconds(1);
    assert_int_equal(scene.noted, 0);
    /* It exists now; what was allowed is so no longer. */
    find(0, "a.new.example");
    find(0, "a.own.example");
    pass_seconds(1);
    assert_int_equal(scene.noted, 2);
}

/* More in a second than there is room for: they come again, and none is lost for good. */
static void test_many(void **state)
{
    uint8_t space[DNS_NAME_MAX];

    (void)state;
    pass_seconds(LEARNING_S + 1);
    for (unsigned second = 0; second < 40; second++) {
        for (uint32_t i = 0; i < 2000; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "w.d%u.example", i);
            struct client_event event = scene_event(CLIENT_EVENT_EXISTS, CLIENT + i % 100, name,
                                                    NULL, space);
            event.has_suffix = true;
            detect_part_record(scene.parts[i % 2], &event);
        }
        pass_seconds(1);
    }
    assert_true(scene.noted > 1960 && scene.noted <= 2000);
    assert_true(detect_overflows(scene.detect, DETECTOR_new_domain) > 0);
}

static int set_up(void **state)
{
    static char none[1];

    (void)state;
    scene_settings.learning_ns = LEARNING_S * NS_PER_SECOND;
    scene_settings.state_file = none;
    return scene_begin(DETECTOR_new_domain, 1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_learning), TEST(test_none),
                                       TEST(test_limit_of_a_client), TEST(test_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
