/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/name_list.h"
#include "support/temp_file.h"
#include "support/wire_name.h"

#define MANY 100000

static const struct hash_key secret = {11, 12};

static bool listed(const struct name_list *list, const char *name)
{
    struct dns_name_suffixes suffixes;
    uint8_t space[DNS_NAME_MAX];

    dns_name_sum(&secret, wire_name(name, space), &suffixes);
    return name_list_has(list, &suffixes);
}

static int load(const char *content, size_t names_max, struct name_list **list,
                struct name_list_counts *counts, struct text *error)
{
    char path[] = "/tmp/name_list.XXXXXX";

    assert_int_equal(temp_file_make(path), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    int result = name_list_load(list, &secret, path, names_max, counts, error);
    (void)remove(path);
    return result;
}

static void test_formats(void **state)
{
    static const struct {
        const char *line;
        bool name, below, is_supported; /* of bad.example */
    } cases[] = {
        {"bad.example", true, true, true},
        {"  BAD.example.\r", true, true, true},
        {"bad.example # a comment", true, true, true},
        {"||bad.example^", true, true, true},
        {"0.0.0.0 bad.example", true, false, true},
        {"127.0.0.1\tother.example bad.example # why", true, false, true},
        {"::1 bad.example", true, false, true},
        {"127.0.0.1 localhost localhost.localdomain", false, false, true},
        {"255.255.255.255 broadcasthost", false, false, true},
        {"||example^", false, false, false},
        {"bad.example CNAME .", true, false, true},
        {"bad.example. 300 IN CNAME *.", true, false, true},
        {"*.bad.example IN 1h CNAME .", false, true, true},
        {"# bad.example", false, false, true},
        {"! bad.example", false, false, true},
        {"; bad.example", false, false, true},
        {"// bad.example", false, false, true},
        {"[Adblock Plus]", false, false, true},
        {"$TTL 300", false, false, true},
        {"@ IN SOA ns.example. root.example. 1 2 3 4 5", false, false, true},
        {"rpz.example IN NS ns.example.", false, false, true},
        {"", false, false, true},
        {"||bad.example^$third-party", false, false, false},
        {"||bad.example/path", false, false, false},
        {"@@||bad.example^", false, false, false},
        {"example.org##.banner", false, false, false},
        {"bad.example CNAME rpz-passthru.", false, false, false},
        {"24.0.2.0.192.rpz-ip CNAME .", false, false, false},
        {"192.0.2.1", false, false, false},
        {"bad..example", false, false, false},
        {"example", false, false, false},
        {"bad.example A 192.0.2.1", true, false, true},
        {"bad.example MX 10 mail.example.", false, false, false},
        {"@ 1h IN SOA ns. root. (", false, false, true},
        {"  2026113000 ; serial", false, false, true},
        {"  1h 15m 30d 300 )", false, false, true},
        {"bad.example IN CNAME .\n\t300 IN TXT reason", true, false, true},
        {"bad.example IN A 192.0.2.1\n  AAAA 2001:db8::1", true, false, true},
        {"rpz.test. SOA ns. root. 1 1 1 1 1\nbad.example.RPZ.test. A 192.0.2.1", true, false, true},
        {"rpz.test. SOA ns. root. 1 1 1 1 1\n*.bad.example.rpz.test. CNAME .", false, true, true},
        {"bad.example\nbad.example", true, true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct name_list *list;
        struct name_list_counts counts;
        struct text error = {0};
        char content[128];

        (void)snprintf(content, sizeof content, "good.test\n%s\n", cases[i].line);
        print_message("  %s\n", cases[i].line);
        assert_int_equal(load(content, 10, &list, &counts, &error), 0);
        assert_int_equal(listed(list, "bad.example"), cases[i].name);
        assert_int_equal(listed(list, "a.b.bad.example"), cases[i].below);
        assert_int_equal(counts.unsupported, !cases[i].is_supported);
        assert_int_equal(counts.first_unsupported_line, cases[i].is_supported ? 0 : 2);
        assert_true(listed(list, "good.test"));
        assert_false(listed(list, "example"));
        assert_false(listed(list, "notbad.example"));
        assert_false(listed(list, "300") || listed(list, "aaaa"));
        name_list_free(list);
        text_deinit(&error);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *content;
        size_t names_max;
        const char *expected; /* behind the path; NULL: none */
    } cases[] = {
        {"", 10, NULL},
        {"# nothing\n", 10, NULL},
        {"a b c\nd e f\n", 10, ":1: not a list of names: no line is supported"},
        {"a.example\nb.example\n", 1, ": 2 names, of at most 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct name_list *list = NULL;
        struct name_list_counts counts;
        struct text error = {0};

        int result = load(cases[i].content, cases[i].names_max, &list, &counts, &error);
        if (cases[i].expected == NULL) {
            assert_int_equal(result, 0);
        } else {
            assert_int_equal(result, -EINVAL);
            assert_non_null(strstr(text_string(&error), cases[i].expected));
        }
        name_list_free(list);
        text_deinit(&error);
    }
    struct name_list *list;
    struct name_list_counts counts;
    struct text error = {0};
    assert_int_equal(name_list_load(&list, &secret, "/nowhere/list", 1, &counts, &error), -ENOENT);
    assert_true(error.len > 0);
    text_deinit(&error);
    name_list_free(NULL); /* is fine */
}

/* Every name that is listed, and no other. */
static void test_many(void **state)
{
    struct text content = {0};
    struct text error = {0};
    struct name_list *list;
    struct name_list *other;
    struct name_list_counts counts;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        text_append_format(&content, "n%u.example\n", i);
    }
    text_append_string(&content, "n1.example\nn0.example\n");
    assert_int_equal(load(content.data, MANY + 2, &list, &counts, &error), 0);
    assert_int_equal(counts.names, MANY);
    for (unsigned i = 0; i < 2 * MANY; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%u.example", i);
        assert_int_equal(listed(list, name), i < MANY);
    }
    assert_int_equal(
        load("0.0.0.0 localhost localhost-update.example\n", 9, &other, &counts, &error), 0);
    assert_true(counts.names == 1 && listed(other, "localhost-update.example"));
    name_list_free(other);
    assert_true(name_list_memory(1000000) <= 16 * 1024 * 1024);
    name_list_free(list);
    text_deinit(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
