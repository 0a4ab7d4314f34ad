/* SPDX-License-Identifier: Apache-2.0 */
/* What the table makes of lists; that it agrees with libpsl is for tests/oracle. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "decode/dns_name.h"
#include "support/temp_file.h"
#include "support/wire_name.h"
#include "client/suffix_table.h"

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
static char path[] = "/tmp/test_suffix_table.XXXXXX";

/* The example of https://publicsuffix.org/list and what goes with it. */
static const char list[] = "// a comment\n"
                           "\n"
                           "com\n"
                           "*.jp   // what follows a blank does not count\n"
                           "*.hokkaido.jp\r\n"
                           "*.tokyo.jp\n"
                           "!pref.hokkaido.jp\n"
                           "!metro.tokyo.jp\n"
                           "private.example\n"
                           "compute.cloud.example\n"
                           "*.compute.cloud.example\n"
                           "\xe5\x85\xac\xe5\x8f\xb8.cn"; /* and no newline at the end */

static void write_list(const char *content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct suffix_table *table_of(const char *list_path, const char *const *allowed,
                                     size_t count)
{
    static uint8_t space[8][DNS_NAME_MAX];
    struct bytes names[8];
    struct suffix_table *table = NULL;
    struct text error = {0};

    for (size_t i = 0; i < count; i++) {
        names[i] = wire_name(allowed[i], space[i]);
    }
    assert_int_equal(suffix_table_create(&table, &secret, list_path, names, count, &error), 0);
    assert_int_equal(error.len, 0);
    return table;
}

static struct suffix_match match_name(const struct suffix_table *table, struct bytes name)
{
    struct dns_name_suffixes suffixes;

    dns_name_sum(&secret, name, &suffixes);
    return suffix_table_match(table, name, &suffixes);
}

static const char *domain_of(const struct suffix_table *table, const char *name)
{
    static char text[DNS_NAME_TEXT_SIZE];
    uint8_t space[DNS_NAME_MAX];
    struct suffix_match match = match_name(table, wire_name(name, space));
    struct dns_name_suffixes of_domain;

    dns_name_sum(&secret, match.domain, &of_domain);
    assert_true(match.domain_hash == hash_finish(&secret, of_domain.sums[0]));
    dns_name_print(match.domain, text);
    return text;
}

static void test_domains(void **state)
{
    static const struct {
        const char *name, *domain;
    } cases[] = {
        {"", "."},
        {"com", "com"},
        {"example.com", "example.com"},
        {"a.b.c.example.com", "example.com"},
        {"local", "local"}, /* without a rule the last label is the suffix */
        {"host.local", "host.local"},
        {"a.host.local", "host.local"},
        {"jp", "jp"},
        {"x.jp", "x.jp"}, /* a suffix by *.jp */
        {"y.x.jp", "y.x.jp"},
        {"z.y.x.jp", "y.x.jp"},
        {"hokkaido.jp", "hokkaido.jp"},
        {"x.hokkaido.jp", "x.hokkaido.jp"},
        {"z.y.x.hokkaido.jp", "y.x.hokkaido.jp"},
        {"pref.hokkaido.jp", "pref.hokkaido.jp"},
        {"www.pref.hokkaido.jp", "pref.hokkaido.jp"},
        {"www.metro.tokyo.jp", "metro.tokyo.jp"},
        {"example", "example"},
        {"www.public.example", "public.example"},
        {"private.example", "private.example"},
        {"a.www.private.example", "www.private.example"},
        {"www.cloud.example", "cloud.example"}, /* rules below it do not make it one */
        {"compute.cloud.example", "compute.cloud.example"},
        {"x.compute.cloud.example", "x.compute.cloud.example"},
        {"y.x.compute.cloud.example", "y.x.compute.cloud.example"},
        {"z.y.x.compute.cloud.example", "y.x.compute.cloud.example"},
        {"www.xn--55qx5d.cn", "www.xn--55qx5d.cn"},
        {"a.www.xn--55qx5d.cn", "www.xn--55qx5d.cn"},
        {"a.www.cn", "www.cn"},
    };

    (void)state;
    write_list(list);
    struct suffix_table *table = table_of(path, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(domain_of(table, cases[i].name), cases[i].domain);
    }
    suffix_table_free(table);
}

/* Of a reverse name: the /24 or the /48 that it is in, with a list and without. */
static void test_reverse_names(void **state)
{
    static const struct {
        const char *name, *domain;
    } cases[] = {
        {"4.3.2.1.in-addr.arpa", "3.2.1.in-addr.arpa"},
        {"3.2.1.in-addr.arpa", "3.2.1.in-addr.arpa"},
        {"2.1.in-addr.arpa", "2.1.in-addr.arpa"},
        {"in-addr.arpa", "in-addr.arpa"},
        {"7.0-15.3.2.1.in-addr.arpa", "3.2.1.in-addr.arpa"}, /* RFC 2317 */
        {"_dns-sd._udp.0.3.2.1.in-addr.arpa", "3.2.1.in-addr.arpa"},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa",
         "3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa"},
        {"3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa", "3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa"},
        {"0.8.b.d.0.1.0.0.2.ip6.arpa", "0.8.b.d.0.1.0.0.2.ip6.arpa"},
        {"ip6.arpa", "ip6.arpa"},
        {"4.3.2.1.in-addr.arpa.example", "arpa.example"}, /* not at the end */
        {"a.xin-addr.arpa", "xin-addr.arpa"},
    };

    (void)state;
    write_list(list);
    struct suffix_table *tables[] = {table_of(path, NULL, 0), table_of(NULL, NULL, 0)};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            assert_string_equal(domain_of(tables[j], cases[i].name), cases[i].domain);
        }
    }
    suffix_table_free(tables[0]);
    suffix_table_free(tables[1]);
}

static void test_without_a_list(void **state)
{
    struct suffix_table *table = table_of(NULL, NULL, 0);

    (void)state;
    assert_string_equal(domain_of(table, "a.b.co.uk"), "co.uk");
    assert_string_equal(domain_of(table, "uk"), "uk");
    suffix_table_free(table);
}

/* Labels may hold any bytes: a dot in one is none between two. */
static void test_hostile_labels(void **state)
{
    static const uint8_t dotted[] = "\7www.com\3com"; /* and the root */
    static const uint8_t odd[] = "\1\0\4\0.\\\377\3com";
    uint8_t longest[DNS_NAME_MAX] = {0};

    (void)state;
    write_list(list);
    struct suffix_table *table = table_of(path, NULL, 0);
    struct suffix_match match = match_name(table, (struct bytes){dotted, sizeof dotted});
    assert_int_equal(match.domain.len, sizeof dotted);
    match = match_name(table, (struct bytes){odd, sizeof odd});
    assert_int_equal(match.domain.len, sizeof odd - 2);
    for (size_t at = 0; at + 2 < sizeof longest; at += 2) { /* 127 labels */
        longest[at] = 1;
        longest[at + 1] = 'a';
    }
    match = match_name(table, (struct bytes){longest, sizeof longest});
    assert_int_equal(match.domain.len, 5);
    suffix_table_free(table);
}

static void test_allowed(void **state)
{
    static const char *const allowed[] = {"spam.example", "deep.below.host.com", "com2"};
    static const struct {
        const char *name;
        bool allowed;
    } cases[] = {
        {"spam.example", true},
        {"4.3.2.1.spam.example", true},
        {"antispam.example", false},
        {"example", false},
        {"deep.below.host.com", true},
        {"x.deep.below.host.com", true},
        {"below.host.com", false},
        {"host.com", false},
        {"a.b.com2", true},
        {"com", false},
        {"", false},
    };
    uint8_t space[DNS_NAME_MAX];

    (void)state;
    write_list(list);
    struct suffix_table *table = table_of(path, allowed, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct suffix_match match = match_name(table, wire_name(cases[i].name, space));
        assert_int_equal(match.allowed, cases[i].allowed);
    }
    /* What is allowed is no rule. */
    assert_string_equal(domain_of(table, "a.b.deep.below.host.com"), "host.com");
    assert_string_equal(domain_of(table, "a.spam.example"), "spam.example");
    suffix_table_free(table);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *content;
        int line; /* 0: of the file as a whole */
    } cases[] = {
        {"", 0},
        {"// nothing but comments\n", 0},
        {"com\na..b\n", 2},
        {"com\n\nnet\n.org\n", 4},
        {"*.\n", 1},
        {"!\n", 1},
        {"a.*.b\n", 1},
        {"inputs:\n", 1},
        {"com\n0123456789012345678901234567890123456789012345678901234567890123\n", 2},
        {"com\n\xff\xfe\n", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct suffix_table *table = NULL;
        struct text error = {0};
        struct text expected = {0};

        write_list(cases[i].content);
        assert_int_equal(suffix_table_create(&table, &secret, path, NULL, 0, &error), -EINVAL);
        assert_null(table);
        text_append_format(&expected, cases[i].line > 0 ? "%s:%d: " : "%s: ", path, cases[i].line);
        assert_memory_equal(error.data, expected.data, expected.len);
        text_deinit(&expected);
        text_deinit(&error);
    }
}

static void test_no_such_file(void **state)
{
    struct suffix_table *table = NULL;
    struct text error = {0};

    (void)state;
    assert_int_equal(suffix_table_create(&table, &secret, "/none/such", NULL, 0, &error), -ENOENT);
    assert_string_equal(error.data, "/none/such: No such file or directory");
    text_clear(&error);
    assert_true(suffix_table_create(&table, &secret, "/tmp", NULL, 0, &error) < 0); /* a folder */
    assert_true(error.len > 0);
    assert_null(table);
    text_deinit(&error);
}

static int make_file(void **state)
{
    (void)state;
    return temp_file_make(path);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domains),        cmocka_unit_test(test_reverse_names),
        cmocka_unit_test(test_without_a_list), cmocka_unit_test(test_hostile_labels),
        cmocka_unit_test(test_allowed),        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_no_such_file),
    };

    suffix_table_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
