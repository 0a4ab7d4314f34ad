/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "present/passive_dns.h"
#include "support/message_scene.h"

static struct passive_dns *create(void)
{
    struct passive_dns *table;

    assert_int_equal(passive_dns_create(&table), 0);
    return table;
}

static void add_at(struct passive_dns *table, const char *hex, uint64_t second)
{
    struct event event = *message_scene(hex);

    event.response_time_ns = second * 1000000000 + 999999999;
    assert_int_equal(passive_dns_add(table, &event), 0);
}

static const char *lines_of(struct passive_dns *table)
{
    static char lines[4096];
    struct text out = {0};

    passive_dns_sort(table);
    for (size_t i = 0; i < passive_dns_count(table); i++) {
        passive_dns_line(table, i, &out);
    }
    (void)snprintf(lines, sizeof lines, "%s", text_string(&out));
    text_deinit(&out);
    return lines;
}

static void test_first_last_count(void **state)
{
    struct passive_dns *table = create();

    (void)state;
    add_at(table, SCENE_RESPONSE, 200);
    add_at(table, SCENE_RESPONSE, 100);
    add_at(table, SCENE_RESPONSE, 300);
    assert_string_equal(
        lines_of(table),
        "{\"rrname\":\"web.example.com\",\"rrtype\":\"A\",\"rdata\":\"192.0.2.80\","
        "\"time_first\":100,\"time_last\":300,\"count\":3}\n"
        "{\"rrname\":\"www.example.com\",\"rrtype\":\"CNAME\",\"rdata\":\"web.example.com\","
        "\"time_first\":100,\"time_last\":300,\"count\":3}\n");
    passive_dns_free(table);
}

/* What is no answer: a query, one without a time, one without answers, an OPT record. */
static void test_left_out(void **state)
{
    struct passive_dns *table = create();
    struct event event = *message_scene(SCENE_RESPONSE);

    (void)state;
    event.query_time_ns = event.response_time_ns = 0;
    assert_int_equal(passive_dns_add(table, &event), 0);
    assert_int_equal(passive_dns_add(table, message_scene(SCENE_QUERY)), 0);
    assert_int_equal(passive_dns_add(table, message_scene(SCENE_NXDOMAIN)), 0);
    assert_int_equal(passive_dns_add(table, message_scene("")), 0);
    add_at(table, "1234 8180 0001 0001 0000 0000 " SCENE_QUESTION "00 0029 04d0 00000000 0000", 1);
    assert_int_equal(passive_dns_count(table), 0);
    assert_string_equal(lines_of(table), "");
    passive_dns_free(table);
}

static void add_numbered(struct passive_dns *table, unsigned number, uint64_t second)
{
    char hex[300];

    (void)snprintf(hex, sizeof hex,
                   "1234 8180 0001 0001 0000 0000 " SCENE_QUESTION
                   "c00c 0001 0001 00000000 0004 %08x",
                   number);
    add_at(table, hex, second);
}

/* More than the table begins with; and two tables are as one. */
static void test_many_and_merge(void **state)
{
    struct passive_dns *left = create();
    struct passive_dns *right = create();
    struct text out = {0};

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        add_numbered(left, i, 1000 + i);
        add_numbered(right, i + 2500, 1);
        add_numbered(right, i + 2500, 2);
    }
    assert_int_equal(passive_dns_count(left), 5000);
    assert_int_equal(passive_dns_merge(left, right), 0);
    passive_dns_free(right);
    assert_int_equal(passive_dns_count(left), 7500);
    passive_dns_sort(left);
    uint64_t total = 0;
    for (size_t i = 0; i < 7500; i++) {
        unsigned long long first, last, count;
        unsigned a, b, c, d;
        text_clear(&out);
        passive_dns_line(left, i, &out);
        assert_int_equal(sscanf(out.data,
                                "{\"rrname\":\"www.example.com\",\"rrtype\":\"A\",\"rdata\":"
                                "\"%u.%u.%u.%u\",\"time_first\":%llu,\"time_last\":%llu,"
                                "\"count\":%llu}\n",
                                &a, &b, &c, &d, &first, &last, &count),
                         7);
        unsigned number = c << 8 | d;
        bool in_left = number < 5000;
        bool in_right = number >= 2500;
        assert_int_equal(count, in_left + 2 * in_right);
        assert_int_equal(first, in_right ? 1 : 1000 + number);
        assert_int_equal(last, in_left ? 1000 + number : 2);
        total += count;
    }
    assert_int_equal(total, 15000);
    text_deinit(&out);
    passive_dns_free(left);
}

/* Type and text separate records; what JSON cannot have is escaped. */
static void test_different_records(void **state)
{
    struct passive_dns *table = create();

    (void)state;
    add_at(table,
           "1234 8180 0001 0002 0000 0000 " SCENE_QUESTION
           "02225c 00 0010 0001 00000000 0003 02225c "
           "02225c 00 0063 0001 00000000 0003 02225c",
           5);
    assert_string_equal(lines_of(table),
                        "{\"rrname\":\"\\\"\\\\092\",\"rrtype\":\"TXT\",\"rdata\":"
                        "\"\\\"\\\\\\\"\\\\\\\\\\\"\",\"time_first\":5,\"time_last\":5,"
                        "\"count\":1}\n"
                        "{\"rrname\":\"\\\"\\\\092\",\"rrtype\":\"SPF\",\"rdata\":"
                        "\"\\\"\\\\\\\"\\\\\\\\\\\"\",\"time_first\":5,\"time_last\":5,"
                        "\"count\":1}\n");
    passive_dns_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_last_count),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_many_and_merge),
        cmocka_unit_test(test_different_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
