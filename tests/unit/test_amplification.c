/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/detector_scene.h"

#define THRESHOLD 100000 /* bytes a second */
#define SIZE      2000   /* of a response, to a query of about 40 */

enum { TYPE_DNSKEY = 48, TYPE_ANY = 255 };

static struct client_event response(uint32_t client, const char *name, size_t size, uint8_t *space)
{
    struct client_event event = scene_event(CLIENT_EVENT_EXISTS, client, name, NULL, space);
    static uint8_t address[4];

    for (unsigned i = 0; i < 4; i++) {
        address[i] = (uint8_t)(client >> (24 - 8 * i));
    }
    event.address = (struct bytes){address, 4};
    event.message_size = size;
    event.is_udp = true;
    event.qtype = TYPE_ANY;
    return event;
}

/* For some seconds, `rate` responses a second to the addresses of one /24, for so many names. */
static void flood(unsigned seconds, unsigned rate, unsigned names, size_t size)
{
    for (unsigned i = 0; i < seconds * rate; i++) {
        uint8_t space[DNS_NAME_MAX];
        char name[32];
        (void)snprintf(name, sizeof name, "n%u.example", i % names);
        struct client_event event = response(CLIENT + i % 200, name, size, space);
        detect_part_record(scene.parts[i % 2], &event);
        if (i % rate == rate - 1) {
            pass_seconds(1);
        }
    }
}

static void test_flood(void **state)
{
    (void)state;
    flood(12, 2 * THRESHOLD / SIZE, 2, SIZE);
    assert_int_equal(scene.begun, 1);
    assert_true(is_client(&scene.last, CLIENT & 0xffffff00));
    assert_int_equal(scene.last.client_prefix, 24);
    assert_true(evidence_seconds() >= 4 && evidence_seconds() < 12);
    assert_int_equal(scene.last.domain.len, 0);
    assert_true(detail("bytes_per_second") > 1.9 * THRESHOLD &&
                detail("bytes_per_second") < 2.1 * THRESHOLD);
    assert_true(detail("amplification") > 40 && detail("amplification") < 60);
    assert_true(detail("names") > 1 && detail("names") < 3);
    assert_true(detail("any_dnskey_txt") == detail("responses"));
    assert_true(example_is_below(&scene.last.examples[0], "example"));
    flood(100, 2 * THRESHOLD / SIZE, 2, SIZE);
    assert_int_equal(scene.ended, 0);
    pass_seconds(100);
    assert_int_equal(scene.ended, 1);
    assert_int_equal(scene.begun, 1);
}

/* At the threshold it takes longer. */
static void test_at_the_threshold(void **state)
{
    (void)state;
    flood(60, THRESHOLD / SIZE, 1, SIZE);
    assert_int_equal(scene.begun, 1);
}

/* A resolver asks for each name once; a small response does not amplify; one that is slow. */
static void test_ordinary(void **state)
{
    (void)state;
    flood(60, 2 * THRESHOLD / SIZE, 4000, SIZE);
    assert_int_equal(scene.begun, 0);
    flood(60, 1000, 1, 300);
    assert_int_equal(scene.begun, 0);
    flood(300, THRESHOLD / SIZE / 2, 1, SIZE);
    assert_int_equal(scene.begun, 0);
}

/* TCP's addresses are not forged. */
static void test_tcp(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 60; second++) {
        for (unsigned i = 0; i < 200; i++) {
            uint8_t space[DNS_NAME_MAX];
            struct client_event event = response(CLIENT, "n.example", SIZE, space);
            event.is_udp = false;
            detect_part_record(scene.parts[0], &event);
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 0);
}

static int set_up(void **state)
{
    (void)state;
    return scene_begin(DETECTOR_amplification, 64, THRESHOLD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_flood), TEST(test_at_the_threshold),
                                       TEST(test_ordinary), TEST(test_tcp)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
