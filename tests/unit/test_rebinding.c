/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "decode/dns_record.h"
#include "support/detector_scene.h"

#define MINUTES 10
#define BOTH    (DNS_ADDRESS_PUBLIC | DNS_ADDRESS_PRIVATE)

static struct client_event answer(uint32_t client, const char *name, uint8_t addresses,
                                  uint8_t *space)
{
    struct client_event event = scene_event(CLIENT_EVENT_EXISTS, client, name, NULL, space);

    event.addresses = addresses;
    event.has_suffix = true;
    return event;
}

/* One of the workers has seen an answer with such addresses. */
static void get(unsigned worker, uint32_t client, const char *name, uint8_t addresses)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = answer(client, name, addresses, space);

    detect_part_record(scene.parts[worker], &event);
}

static void test_rebound(void **state)
{
    (void)state;
    get(0, CLIENT, "x.evil.example", DNS_ADDRESS_PUBLIC);
    pass_seconds(60);
    get(1, CLIENT, "x.evil.example", DNS_ADDRESS_PRIVATE);
    pass_seconds(1);
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.last.client.len, 0);
    assert_true(is_domain(&scene.last, "evil.example"));
    assert_true(detail("private_answers") == 1 && detail("clients") == 1);
    assert_int_equal(evidence_seconds(), 60 * MINUTES);
    get(1, CLIENT + 1, "x.evil.example", DNS_ADDRESS_PRIVATE);
    pass_seconds(3000);
    get(0, CLIENT, "y.evil.example", DNS_ADDRESS_PUBLIC);
    get(0, CLIENT, "y.evil.example", DNS_ADDRESS_PRIVATE);
    pass_seconds(3500);
    assert_int_equal(scene.ended, 0);
    pass_seconds(200);
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.ended, 1);
    assert_int_equal(evidence_seconds(), 60 * MINUTES);
    assert_true(detail("private_answers") == 3 && detail("clients") >= 2 &&
                detail("clients") < 2.5);
    assert_true(example_is_below(&scene.last.examples[0], "y.evil.example"));
    assert_true(example_is_below(&scene.last.examples[1], "x.evil.example"));
}

/* Private alone, private first, both at once, after the minutes, of other names or another type, of
 * policies, own ones. */
static void test_ordinary(void **state)
{
    uint8_t space[DNS_NAME_MAX];

    (void)state;
    get(0, CLIENT, "host.site.example", DNS_ADDRESS_PRIVATE);
    get(0, CLIENT, "host.site.example", DNS_ADDRESS_PUBLIC);
    get(0, CLIENT, "moved.example", DNS_ADDRESS_PUBLIC);
    get(0, CLIENT, "www.shop.example", DNS_ADDRESS_PUBLIC);
    get(0, CLIENT, "intranet.shop.example", DNS_ADDRESS_PRIVATE);
    get(0, CLIENT, "both.example", BOTH);
    get(0, CLIENT, "both.example", BOTH);
    get(0, CLIENT, "two.example", DNS_ADDRESS_PUBLIC);
    struct client_event other = answer(CLIENT, "two.example", DNS_ADDRESS_PRIVATE, space);
    other.qtype = 28;
    detect_part_record(scene.parts[0], &other);
    get(0, CLIENT, "ads.example", DNS_ADDRESS_PUBLIC);
    get(0, CLIENT, "ads.example", 0);
    pass_seconds(60 * (MINUTES + 1));
    get(0, CLIENT, "moved.example", DNS_ADDRESS_PRIVATE);
    get(0, CLIENT, "own.example", DNS_ADDRESS_PUBLIC);
    struct client_event own = answer(CLIENT, "own.example", DNS_ADDRESS_PRIVATE, space);
    own.suffix.allowed = true;
    detect_part_record(scene.parts[0], &own);
    pass_seconds(1);
    assert_int_equal(scene.begun, 0);
}

static int set_up(void **state)
{
    (void)state;
    return scene_begin(DETECTOR_rebinding, 64, MINUTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_rebound), TEST(test_ordinary)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
