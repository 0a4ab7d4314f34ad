/* SPDX-License-Identifier: Apache-2.0 */
/* What all detectors have in common; each has a test of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/detector_scene.h"

#define CAPACITY 64

/* A finding of nxdomain_client begins. */
static void find_one(void)
{
    unsigned before = scene.begun;

    for (unsigned i = 0; i < 10; i++) {
        note_new(CLIENT_EVENT_NXDOMAIN, CLIENT, "com", "com");
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, before + 1);
    assert_int_equal(findings_count(detect_findings(scene.detect), DETECTOR_nxdomain_client).active,
                     1);
}

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

static void test_forwarders(void **state)
{
    char wide[] = "192.0.2.0/24";
    char half[] = "2001:db8::/33";
    char *items[] = {wide, half};
    const struct detection_settings settings = {.forwarders = {items, 2}};
    static const struct {
        uint8_t len, address[16];
        bool is_in[2];
    } cases[] = {{4, {192, 0, 2, 7}, {true, false}},
                 {4, {192, 0, 3, 7}, {false, false}},
                 {16, {0x20, 1, 0xd, 0xb8, 0x7f, 1}, {false, true}},
                 {16, {0x20, 1, 0xd, 0xb8, 0x80, 1}, {false, false}},
                 {0, {0}, {false, false}}};
    struct network *networks;
    size_t count;

    (void)state;
    assert_int_equal(detection_forwarders(&settings, &networks, &count), 0);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct bytes address = {cases[i].address, cases[i].len};
        for (unsigned k = 0; k < 2; k++) {
            assert_int_equal(network_contains(&networks[k], address), cases[i].is_in[k]);
        }
    }
    free(networks);
}

static void test_all_off(void **state)
{
    struct detect_setup setup = {0};
    struct detect_part *part;

    (void)state;
    assert_false(detect_is_on(&setup));
    assert_int_equal(detect_share(&setup), 0);
    assert_int_equal(detect_part_create(&part, &setup), 0);
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = scene_event(CLIENT_EVENT_NXDOMAIN, CLIENT, "a.com", "com", space);
    detect_part_record(part, &event);
    detect_part_free(part);
    detect_unshare(&setup);
}

/* Two workers see one client. */
static void test_workers_add_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        uint8_t space[DNS_NAME_MAX];
        char name[32];
        (void)snprintf(name, sizeof name, "n%u.com", i);
        struct client_event event = scene_event(CLIENT_EVENT_NXDOMAIN, CLIENT, name, "com", space);
        detect_part_record(scene.parts[i % 2], &event);
    }
    pass_seconds(1);
    assert_int_equal(scene.begun, 1);
    assert_int_equal(detail("missing_domains"), 10);
}

/* A worker that comes a moment late with the time it has read changes nothing. */
static void test_a_moment_late(void **state)
{
    (void)state;
    find_one();
    detect_evaluate(scene.detect, scene.second * NS_PER_SECOND - 100, &scene_listener);
    assert_int_equal(scene.ended, 0);
}

/* Time that jumps, back or by hours, ends what lasts: another recording begins. */
static void test_jumps(void **state)
{
    static const int64_t jumps[] = {-5000, 5000};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        find_one();
        scene.second += (uint64_t)jumps[i];
        pass_seconds(1);
        assert_int_equal(scene.ended, i + 1);
    }
    find_one(); /* nothing is left of what came before */
}

/* What ends within a gap ends at its time. */
static void test_gap(void **state)
{
    (void)state;
    find_one();
    uint64_t last = scene.second;
    scene.second += 3000;
    detect_evaluate(scene.detect, scene.second * NS_PER_SECOND, &scene_listener);
    assert_int_equal(scene.ended, 1);
    assert_true(scene.last.ended_ns / NS_PER_SECOND < last + 1000);
}

static int set_up(void **state)
{
    (void)state;
    return scene_begin(DETECTOR_nxdomain_client, CAPACITY, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),

        cmocka_unit_test(test_forwarders), TEST(test_all_off), TEST(test_workers_add_up),
        TEST(test_a_moment_late),          TEST(test_jumps),   TEST(test_gap),
    };

    detect_free(NULL); /* is fine */
    detect_part_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
