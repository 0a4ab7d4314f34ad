/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/detector_scene.h"

#define CAPACITY  64
#define THRESHOLD 1500

static void ask(uint32_t client, const char *name)
{
    note(CLIENT_EVENT_QUERY, client, name, NULL);
}

/* A new name with one label of `len` bytes below `domain`. */
static void ask_new(uint32_t client, unsigned len, const char *domain)
{
    char name[128];

    (void)snprintf(name, sizeof name, "%0*u.%s", (int)len, scene.next++, domain);
    ask(client, name);
}

/* 48 characters each ten seconds: 5 bytes a second. */
static void test_exfiltration(void **state)
{
    unsigned seconds = 0;

    (void)state;
    while (scene.begun == 0) {
        ask_new(CLIENT, 48, "attacker.example");
        pass_seconds(10);
        seconds += 10;
        assert_true(seconds <= 340);
    }
    assert_true(seconds >= 300); /* 1500 bytes, and what leaks */
    assert_true(evidence_seconds() > seconds / 2 && evidence_seconds() <= seconds);
    assert_memory_equal(scene.last.client.data, "\12\0\0\1", 4);
    assert_true(scene.last.domain.len > 0);
    assert_true(scene.last.score >= 1);
    assert_true(detail("bytes_per_minute") > 250 && detail("bytes_per_minute") < 350);
    assert_true(detail("new_names") >= 25);
    assert_int_equal(detail("query_types"), 1);
    assert_int_equal(detail("clients"), 1);
    assert_true(scene.last.examples[2].len > 0);

    /* It goes on: one finding; it ends when the sum has leaked away. */
    for (unsigned i = 0; i < 100; i++) {
        ask_new(CLIENT, 48, "attacker.example");
        pass_seconds(10);
    }
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.ended, 0);
    pass_seconds(5 * THRESHOLD * 10 / 3);
    assert_int_equal(scene.ended, 1);
    assert_int_equal(scene.begun, 1);
    assert_true(detail("new_names") >= 125);
}

/* The same names again and again carry nothing; nor do a few in each of many domains. */
static void test_ordinary(void **state)
{
    (void)state;
    for (unsigned minute = 0; minute < 60; minute++) {
        scene.next = 0;
        for (unsigned i = 0; i < 20; i++) {
            ask_new(CLIENT, 40, "site.example");
        }
        for (unsigned i = 0; i < 20; i++) {
            char name[64];
            (void)snprintf(name, sizeof name, "www.d%u.example", 20 * minute + i);
            ask(CLIENT, name);
        }
        ask(CLIENT, "site.example"); /* nothing below the domain */
        pass_seconds(60);
    }
    assert_int_equal(scene.begun, 0);
}

/* Below the leak. */
static void test_slower_than_the_leak(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        ask_new(CLIENT, 16, "slow.example"); /* 17 bytes a minute */
        pass_seconds(60);
    }
    assert_int_equal(scene.begun, 0);
}

/* Few names are no tunnel, however long. */
static void test_few_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%060u.%060u.%060u.long.example", i, i, i);
        ask(CLIENT, name);
    }
    pass_seconds(1);
    assert_int_equal(scene.begun, 0);
    ask_new(CLIENT, 10, "long.example");
    pass_seconds(1);
    assert_int_equal(scene.begun, 1);
}

/* One client on two workers is one client, and responses belong to it. */
static void test_two_workers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        uint8_t space[DNS_NAME_MAX];
        char name[128];
        (void)snprintf(name, sizeof name, "%040u.two.example", i);
        struct client_event query = scene_event(CLIENT_EVENT_QUERY, CLIENT, name, NULL, space);
        detect_part_record(scene.parts[i % 2], &query);
        struct client_event response = scene_event(CLIENT_EVENT_EXISTS, CLIENT, name, NULL, space);
        detect_part_record(scene.parts[i % 2], &response);
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_true(detail("answer_bytes") > 0);
}

/* A resolver that puts a search domain behind outside names, which it asks for alone, too. */
static void test_search_domain(void **state)
{
    static const bool asks_alone[] = {true, false};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 60; k++) {
            char name[128];
            unsigned number = scene.next++;
            (void)snprintf(name, sizeof name, "www.a-shop-with-a-long-name-%08u.com.corp.example",
                           number);
            ask(CLIENT, name);
            if (asks_alone[i]) {
                (void)snprintf(name, sizeof name, "www.a-shop-with-a-long-name-%08u.com", number);
                ask(CLIENT, name);
            }
            pass_seconds(1);
        }
        pass_seconds(1);
        assert_int_equal(scene.begun, i); /* without it, that is a way to hide */
    }
}

/* Random subdomains that one client asks for: nxdomain_domain finds them. */
static void test_fast_failures_wait(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        for (unsigned k = 0; k < 10; k++) {
            char name[64];
            (void)snprintf(name, sizeof name, "random%08u.victim.com", scene.next++);
            ask(CLIENT, name);
            note(CLIENT_EVENT_NXDOMAIN, CLIENT, name, "victim.com");
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 0);
    pass_seconds(15); /* it has not: then it is one */
    assert_int_equal(scene.begun, 1);
}

/* What more than four clients tell is a service: one finding, without a client. */
static void test_fleet(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        for (uint32_t client = 0; client < 6; client++) {
            ask_new(CLIENT + client, 40, "service.example");
        }
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_int_equal(scene.last.client.len, 0);
    assert_int_equal(detail("clients"), 6);
}

/* A few others who ask for a long name each do not hide who sends most. */
static void test_bystanders(void **state)
{
    (void)state;
    for (uint32_t client = 1; client <= 8; client++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%060u.%060u.%060u.evil.com", client, client, client);
        ask(CLIENT + client, name);
    }
    for (unsigned i = 0; i < 60; i++) {
        ask_new(CLIENT, 40, "evil.com");
        pass_seconds(1);
    }
    assert_int_equal(scene.begun, 1);
    assert_true(is_client(&scene.last, CLIENT));
}

/* More suspects than there is room for: the overflow is counted. */
static void test_overflow(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        for (unsigned domain = 0; domain < 2 * CAPACITY; domain++) {
            char name[32];
            (void)snprintf(name, sizeof name, "d%u.example", domain);
            ask_new(CLIENT, 40, name);
        }
        pass_seconds(1);
    }
    assert_true(scene.begun >= CAPACITY - 8 && scene.begun <= CAPACITY);
    assert_int_equal(scene.ended, 0); /* a finding makes no room */
    assert_true(detect_overflows(scene.detect, DETECTOR_tunnel) > 0);
}

static int set_up(void **state)
{
    (void)state;
    return scene_begin(DETECTOR_tunnel, CAPACITY, THRESHOLD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_exfiltration),       TEST(test_ordinary),    TEST(test_slower_than_the_leak),
        TEST(test_few_names),          TEST(test_two_workers), TEST(test_fleet),
        TEST(test_bystanders),         TEST(test_overflow),    TEST(test_search_domain),
        TEST(test_fast_failures_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
