/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/block_list_settings.h"
#include "support/detector_scene.h"

#define CAPACITY 64

static char texts[4][8] = {"malware", "page", "adult", "info"};
static const struct block_list_settings lists[] = {
    {.name = texts[0], .severity = texts[1]},
    {.name = texts[2], .severity = texts[3]},
};

/* A query for a name of the lists whose bits are set, which one of the workers has seen. */
static void ask(unsigned worker, uint32_t client, const char *name, uint32_t block_lists)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = scene_event(CLIENT_EVENT_QUERY, client, name, NULL, space);

    event.block_lists = block_lists;
    detect_part_record(scene.parts[worker], &event);
}

static void test_one_finding(void **state)
{
    (void)state;
    ask(0, CLIENT, "good.example", 0);
    pass_seconds(1);
    assert_int_equal(scene.begun, 0);
    ask(0, CLIENT, "evil.example", 1);
    ask(1, CLIENT, "evil.example", 1);
    pass_seconds(1);
    assert_int_equal(scene.begun, 1);
    assert_true(is_client(&scene.last, CLIENT));
    assert_int_equal(scene.last.domain.len, 0);
    assert_string_equal(scene.last.list, "malware");
    assert_string_equal(scene.last.severity, "page");
    assert_int_equal(evidence_seconds(), 0);
    assert_true(detail("queries") == 2 && scene.last.score == 2);
    assert_true(example_is_below(&scene.last.examples[0], "evil.example"));
    assert_int_equal(scene.last.examples[1].len, 0); /* the same name */

    /* It ends an hour after the last query. */
    pass_seconds(3000);
    ask(1, CLIENT, "a.evil.example", 1);
    pass_seconds(3599);
    assert_int_equal(scene.ended, 0);
    pass_seconds(3);
    assert_int_equal(scene.ended, 1);
    assert_int_equal(scene.begun, 1);
    assert_true(detail("queries") == 3);
    assert_true(example_is_below(&scene.last.examples[1], "evil.example"));
    ask(1, CLIENT, "evil.example", 1);
    pass_seconds(1);
    assert_int_equal(scene.begun, 2);
}

static void test_lists_and_clients(void **state)
{
    (void)state;
    ask(0, CLIENT, "evil.example", 3);
    ask(0, CLIENT + 1, "evil.example", 2);
    pass_seconds(1);
    assert_int_equal(scene.begun, 3);
    assert_int_equal(findings_count(detect_findings(scene.detect), DETECTOR_block_list).active, 3);
}

/* Allowed names, other resolvers, and queries that are no clients' are no findings. */
static void test_exempt(void **state)
{
    static const struct network forwarder = {.len = 4, .prefix = 32, .address = {10, 0, 0, 1}};
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = scene_event(CLIENT_EVENT_QUERY, CLIENT, "evil.example", NULL,
                                            space);

    (void)state;
    event.block_lists = 1;
    event.suffix.allowed = true;
    detect_part_record(scene.parts[0], &event);
    event.suffix.allowed = false;
    event.address = (struct bytes){event.client.data, event.client.len};
    event.has_host = false;
    scene.rules.forwarders = &forwarder;
    scene.rules.forwarder_count = 1;
    detect_part_record(scene.parts[0], &event);
    pass_seconds(1);
    assert_int_equal(scene.begun, 0);
    scene.rules.forwarder_count = 0;
    event.has_host = false;
    detect_part_record(scene.parts[0], &event);
    pass_seconds(1);
    assert_int_equal(scene.begun, 1);
}

/* More clients than there is room for: the overflow is counted, and no finding makes room. */
static void test_overflow(void **state)
{
    (void)state;
    for (uint32_t client = 1; client <= 4 * CAPACITY; client++) {
        ask(0, client, "evil.example", 1);
    }
    pass_seconds(2);
    assert_true(scene.begun > CAPACITY / 2 && scene.begun <= CAPACITY);
    assert_int_equal(scene.ended, 0);
    assert_int_equal(detect_overflows(scene.detect, DETECTOR_block_list) + scene.begun,
                     4 * CAPACITY);
}

/* A list that many clients meet, before and after the others, does not hide those of another. */
static void test_shares(void **state)
{
    (void)state;
    for (uint32_t client = 1; client <= 4 * CAPACITY; client++) {
        ask(0, client, "adverts.example", 2);
        if (client % (CAPACITY / 2) == 0) {
            ask(1, client, "evil.example", 1);
        }
    }
    pass_seconds(1);
    for (uint32_t client = 1; client <= 4 * CAPACITY; client++) {
        ask(0, 1000 + client, "adverts.example", 2);
    }
    pass_seconds(1);
    ask(0, CLIENT, "evil.example", 1);
    pass_seconds(2); /* a finding has to end before another has its place */

    struct finding found[2 * CAPACITY];
    size_t count = findings_list(detect_findings(scene.detect), found, 2 * CAPACITY);
    unsigned evil = 0;
    for (size_t i = 0; i < count; i++) {
        evil += found[i].list_number == 0;
    }
    assert_int_equal(evil, 9);
    assert_true(count > CAPACITY / 2 && count <= CAPACITY);
    assert_true(scene.ended < 10); /* those that made room */
    pass_seconds(4000);
    assert_int_equal(scene.begun, scene.ended);
    ask(0, CLIENT, "adverts.example", 2);
    pass_seconds(1);
    assert_int_equal(scene.begun, scene.ended + 1);
}

static int set_up(void **state)
{
    (void)state;
    scene_settings.block_lists = lists;
    int result = scene_begin(DETECTOR_block_list, CAPACITY, 0);
    scene.rules.block_list_count = 2;
    return result;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_one_finding), TEST(test_lists_and_clients),
                                       TEST(test_exempt), TEST(test_overflow), TEST(test_shares)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
