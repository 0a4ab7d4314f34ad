/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "program/top_view.h"

/* A document at a time, of a server that had so many queries, of which so many failed. */
static struct text document(unsigned time, unsigned queries, unsigned servfails, const char *name)
{
    struct text text = {0};

    text_append_format(
        &text,
        "{\"time_seconds\":%u.0,\"start_time_seconds\":1000.0,\"health\":["
        "{\"title\":\"SERVFAIL\",\"level\":\"critical\",\"text\":\"%s: 50.0 %% of responses are "
        "SERVFAIL, which is more than there should be\"},"
        "{\"title\":\"Response time\",\"level\":\"unknown\",\"text\":\"x\"},"
        "{\"title\":\"Servers\",\"level\":\"good\",\"text\":\"x\"}],"
        "\"servers\":[{\"server\":\"idle\",\"role\":\"client\",\"queries\":9,\"responses\":9,"
        "\"unanswered_queries\":0,\"rcodes\":{},\"response_time_seconds\":[]},"
        "{\"server\":\"%s\",\"role\":\"client\",\"queries\":%u,\"responses\":%u,"
        "\"unanswered_queries\":0,\"rcodes\":{\"SERVFAIL\":%u},"
        "\"response_time_seconds\":[[0.001,0.002,%u],[0.002,0.004,%u]]}],"
        "\"top\":{\"lists\":{\"client_queries\":{\"entries\":[{\"client\":\"10.0.0.1\",\"value\":"
        "77}]}},"
        "\"findings\":[{\"detector\":\"tunnel\",\"client\":\"10.0.0.1\",\"domain\":\"evil."
        "example\","
        "\"score\":4.25}]}}",
        time, name, name, queries, queries, servfails, queries - queries / 10, queries / 10);
    return text;
}

static void write_view(struct text before, struct text now, unsigned columns, unsigned rows,
                       struct text *out)
{
    *out = (struct text){0};
    assert_int_equal(top_view_write(&before, &now, "here", columns, rows, out), 0);
    text_deinit(&before);
    text_deinit(&now);
}

static void test_rates(void **state)
{
    struct text page;

    (void)state;
    write_view(document(2000, 100, 0, "ns1"), document(2010, 1100, 500, "ns1"), 80, 24, &page);
    print_message("%s", text_string(&page));
    assert_non_null(strstr(text_string(&page),
                           "\nns1             client        100     100   0.0%    50.0%    0.0%    "
                           "2ms    4ms\nidle "));
    assert_non_null(strstr(text_string(&page), "here  up 0 h 16 min\n"));
    assert_non_null(
        strstr(text_string(&page),
               "critical SERVFAIL: ns1: 50.0 % of responses are SERVFAIL, which is more "
               "than\n         there should be\n"));
    assert_non_null(strstr(text_string(&page), "unknown: Response time\ngood:    Servers\n"));
    assert_non_null(
        strstr(text_string(&page), "finding  tunnel 10.0.0.1 below evil.example, score 4.2\n"));
    assert_non_null(strstr(text_string(&page), "10.0.0.1                         77"));
    text_deinit(&page);
}

/* A name of other letters than ASCII is cut between two of them. */
static void test_letters(void **state)
{
    struct text page;

    (void)state;
    write_view(document(2000, 100, 0,
                        "\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9"
                        "\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9"),
               document(2010, 1100, 0,
                        "\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9"
                        "\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9"),
               80, 24, &page);
    const char *row = strstr(text_string(&page), " client        100 ");
    assert_non_null(row);
    for (unsigned i = 1; i <= 15; i++) {
        assert_memory_equal(row - 2 * i, "\xc3\xa9", 2);
    }
    assert_int_equal(row[-31], '\n');
    text_deinit(&page);
}

/* Counts since the start, where there is no other document, or one of another life. */
static void test_first(void **state)
{
    struct text before = {0};
    struct text page;

    (void)state;
    write_view(before, document(2000, 100, 0, "ns1"), 80, 24, &page);
    assert_non_null(strstr(text_string(&page), "QUERY    RESP "));
    assert_non_null(strstr(text_string(&page), "ns1             client        100 "));
    text_deinit(&page);
}

/* Every size: no line is longer, and there are no more lines. */
static void test_sizes(void **state)
{
    (void)state;
    for (unsigned columns = 1; columns < 120; columns += 7) {
        for (unsigned rows = 1; rows < 30; rows++) {
            struct text page;
            unsigned lines = 0;
            write_view(document(2000, 100, 0, "ns1"), document(2010, 1100, 500, "ns1"), columns,
                       rows, &page);
            for (const char *at = text_string(&page); *at != '\0'; lines++) {
                size_t len = strcspn(at, "\n");
                assert_true(len <= columns);
                at += len + 1;
            }
            assert_true(lines > 0 && lines <= rows);
            text_deinit(&page);
        }
    }
}

/* Names are chosen by others. */
static void test_hostile_names(void **state)
{
    struct text page;

    (void)state;
    write_view(document(2000, 100, 0, "\\u001b[2J\\u009b31m\\u00e4"),
               document(2010, 200, 0, "\\u001b[2J\\u009b31m\\u00e4"), 80, 24, &page);
    for (const char *at = text_string(&page); *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        assert_true((c >= 0x20 && c != 0x7f) || c == '\n');
        assert_false(c == 0xc2 && (unsigned char)at[1] < 0xa0);
    }
    assert_non_null(strstr(text_string(&page), "?[2J?31m\xc3\xa4"));
    text_deinit(&page);
}

static void test_no_document(void **state)
{
    static const char *const cases[] = {"", "{}", "[]", "{\"servers\":", "<html>"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text none = {0};
        struct text now = {0};
        struct text page = {0};
        text_append_string(&now, cases[i]);
        assert_int_equal(top_view_write(&none, &now, "here", 80, 24, &page), -EPROTO);
        text_deinit(&now);
        text_deinit(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),       cmocka_unit_test(test_first),
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_no_document), cmocka_unit_test(test_letters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
