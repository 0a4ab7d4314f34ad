/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ldns/ldns.h>
#include <stdlib.h>

#include "decode/dns_name.h"
#include "support/random.h"
#include "support/wire_name.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

struct result {
    size_t len;   /* 0: refused */
    size_t after; /* where the cursor is then */
    bool failed;
    uint8_t name[DNS_NAME_MAX];
};

/* The message is in a block of exactly its size; the name starts at `at`. */
static struct result read_name(const uint8_t *message, size_t len, size_t at)
{
    struct result result;
    uint8_t *block = malloc(len);

    assert_non_null(block);
    memcpy(block, message, len);
    struct cursor cursor = {block + at, block + len, false};
    memset(result.name, 0xa5, sizeof result.name);
    result.len = dns_name_read(&cursor, (struct bytes){block, len}, result.name);
    result.after = (size_t)(cursor.at - block);
    result.failed = cursor.failed;
    assert_int_equal(result.failed, result.len == 0);
    free(block);
    return result;
}

static const struct sample {
    const char *what;
    const uint8_t *message;
    size_t len, at;
    const char *name;
    size_t name_len, after; /* name_len 0: refused */
} samples[] = {
    {"the root", BYTES("\0"), 0, "\0", 1, 1},
    {"plain", BYTES("\3www\7example\0"), 0, "\3www\7example", 13, 13},
    {"bytes behind it", BYTES("\1a\0xyz"), 0, "\1a", 3, 3},
    {"upper case", BYTES("\3WwW\0"), 0, "\3www", 5, 5},
    {"only letters change", BYTES("\10@[`{AZaz\0"), 0, "\10@[`{azaz", 10, 10},
    {"any bytes", BYTES("\6.\0\n\377\\\"\0"), 0, "\6.\0\n\377\\\"", 8, 8},
    {"a pointer", BYTES("\3www\0\300\0"), 5, "\3www", 5, 7},
    {"a label and a pointer", BYTES("\3www\0\1A\300\0xx"), 5, "\1a\3www", 7, 9},
    {"a pointer to a pointer", BYTES("\1a\0\300\0\300\3"), 5, "\1a", 3, 7},
    {"a pointer into the middle", BYTES("\1a\1b\0\300\2"), 5, "\1b", 3, 7},
    {"a pointer to the root", BYTES("\0\300\0"), 1, "\0", 1, 3},
    {"a name of 63 bytes",
     BYTES("\77"
           "000000000000000000000000000000000000000000000000000000000000000\0"),
     0,
     "\77"
     "000000000000000000000000000000000000000000000000000000000000000",
     65, 65},
    {"a label of 64 bytes",
     BYTES("\100aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaaaaaaaaaaa\0"),
     0, NULL, 0, 0},
    {"first bits 01", BYTES("\101a\0"), 0, NULL, 0, 0},
    {"first bits 10", BYTES("\200a\0"), 0, NULL, 0, 0},
    {"a pointer to itself", BYTES("\300\0"), 0, NULL, 0, 0},
    {"two that point to each other", BYTES("\300\2\300\0"), 2, NULL, 0, 0},
    {"a loop through a label", BYTES("\1a\300\0"), 0, NULL, 0, 0},
    {"a loop behind a pointer", BYTES("\1a\300\0\300\0"), 4, NULL, 0, 0},
    {"a pointer forward", BYTES("\300\2\1a\0"), 0, NULL, 0, 0},
    {"a pointer past the message", BYTES("\0\300\377"), 1, NULL, 0, 0},
    {"a pointer far past the message", BYTES("\0\377\377"), 1, NULL, 0, 0},
    {"the target runs into the pointer", BYTES("\2a\300\0"), 2, NULL, 0, 0},
    {"the target has no end", BYTES("\1a\300\0"), 2, NULL, 0, 0},
    {"half a pointer", BYTES("\0\300"), 1, NULL, 0, 0},
    {"a label over the end", BYTES("\3ww"), 0, NULL, 0, 0},
    {"no end", BYTES("\3www"), 0, NULL, 0, 0},
};

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        struct result got = read_name(s->message, s->len, s->at);

        print_message("  %s\n", s->what);
        assert_int_equal(got.len, s->name_len);
        if (s->name_len > 0) {
            assert_int_equal(got.after, s->after);
            assert_memory_equal(got.name, s->name, s->name_len);
        } else {
            assert_int_equal(got.after, s->len); /* a failed cursor has nothing left */
        }
    }
}

static void test_truncated_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        size_t needed = samples[i].name_len > 0 ? samples[i].after : samples[i].len;
        for (size_t cut = samples[i].at + 1; cut < needed; cut++) {
            assert_int_equal(read_name(samples[i].message, cut, samples[i].at).len, 0);
        }
    }
}

/* A pointer's 14 bits reach into the message's first 16 KiB, its header included. */
static void test_pointer_reach(void **state)
{
    static uint8_t message[20000];

    (void)state;
    memset(message, 0, sizeof message);
    message[0x3ffd] = 1;
    message[0x3ffe] = 'X';
    message[0x4100] = 0xff;
    message[0x4101] = 0xfd;
    struct result got = read_name(message, sizeof message, 0x4100);
    assert_int_equal(got.len, 3);
    assert_memory_equal(got.name, "\1x", 3);
    message[5] = 1; /* in the header: odd, but it goes strictly backwards and ends */
    message[6] = 'h';
    message[0x4100] = 0xc0;
    message[0x4101] = 5;
    got = read_name(message, sizeof message, 0x4100);
    assert_int_equal(got.len, 3);
    assert_memory_equal(got.name, "\1h", 3);
}

/* A name of `size` bytes in labels of at most 63. */
static size_t long_name(uint8_t *out, size_t size)
{
    size_t len = 0;

    while (len + 1 < size) {
        size_t label = size - 2 - len < 63 ? size - 2 - len : 63;
        if (size - 1 - (len + 1 + label) == 1) {
            label--; /* no room for a label of no bytes */
        }
        out[len] = (uint8_t)label;
        memset(out + len + 1, 'L', label);
        len += 1 + label;
    }
    out[len++] = 0;
    return len;
}

static void test_length_limit(void **state)
{
    uint8_t message[600];

    (void)state;
    for (size_t size = 240; size < 300; size++) {
        size_t len = long_name(message, size);
        assert_int_equal(len, size);
        struct result got = read_name(message, len, 0);
        assert_int_equal(got.len, size <= DNS_NAME_MAX ? size : 0);

        struct cursor cursor = cursor_over((struct bytes){message, len});
        dns_name_skip(&cursor);
        assert_int_equal(cursor.failed, size > DNS_NAME_MAX);
    }
}

/* The limit holds for what pointers join. */
static void test_length_limit_over_pointers(void **state)
{
    uint8_t message[600];

    (void)state;
    for (size_t size = 240; size <= 255; size++) {
        size_t len = long_name(message, size);
        message[len] = 10;
        memset(message + len + 1, 'p', 10);
        message[len + 11] = 0xc0;
        message[len + 12] = 0;
        struct result got = read_name(message, len + 13, len);
        assert_int_equal(got.len, size + 11 <= DNS_NAME_MAX ? size + 11 : 0);
    }
}

/* --- Skipping
 * ------------------------------------------------------------------------------------- */

static void test_skip(void **state)
{
    static const struct {
        const uint8_t *bytes;
        size_t len, after;
        bool failed;
    } cases[] = {
        {BYTES("\0x"), 1, false},
        {BYTES("\3www\0x"), 5, false},
        {BYTES("\3www\300\0x"), 6, false},
        {BYTES("\377\377x"), 2, false}, /* where it leads does not matter */
        {BYTES("\300"), 1, true},
        {BYTES("\3ww"), 3, true},
        {BYTES("\3www"), 4, true},
        {BYTES("\100"), 1, true},
        {BYTES("\200\0"), 2, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *block = malloc(cases[i].len);
        assert_non_null(block);
        memcpy(block, cases[i].bytes, cases[i].len);
        struct cursor cursor = cursor_over((struct bytes){block, cases[i].len});
        dns_name_skip(&cursor);
        assert_int_equal(cursor.failed, cases[i].failed);
        assert_int_equal(cursor.at - block, cases[i].after);
        free(block);
    }
}

/* --- Printing --- */

static void test_print(void **state)
{
    static const struct {
        const uint8_t *name;
        size_t len;
        const char *text;
    } cases[] = {
        {BYTES("\0"), "."},
        {BYTES("\3www\7example\3com\0"), "www.example.com"},
        {BYTES("\1.\1\\\0"), "\\046.\\092"},
        {BYTES("\7 \0\n\177\200\377\"\0"), "\\032\\000\\010\\127\\128\\255\""},
        {BYTES("\4*_-!\0"), "*_-!"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[DNS_NAME_TEXT_SIZE];
        dns_name_print((struct bytes){cases[i].name, cases[i].len}, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* The longest name of bytes that take the most room fits. */
static void test_print_longest(void **state)
{
    uint8_t message[600];
    size_t len = long_name(message, DNS_NAME_MAX);
    char *text = malloc(DNS_NAME_TEXT_SIZE);
    struct cursor cursor = cursor_over((struct bytes){message, len});
    uint8_t name[DNS_NAME_MAX];

    (void)state;
    assert_non_null(text);
    assert_int_equal(dns_name_read(&cursor, (struct bytes){message, len}, name), DNS_NAME_MAX);
    for (size_t at = 0; name[at] != 0; at += 1 + (size_t)name[at]) {
        memset(name + at + 1, 0xff, name[at]);
    }
    dns_name_print((struct bytes){name, DNS_NAME_MAX}, text);
    assert_true(strlen(text) > 990);
    free(text);
}

/* Every byte at every place of a label of every length, as one byte at a time has it. */
static void test_lower_case(void **state)
{
    (void)state;
    for (size_t size = 1; size <= DNS_LABEL_MAX; size++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t message[DNS_LABEL_MAX + 2] = {(uint8_t)size};
            uint8_t name[DNS_NAME_MAX];
            struct bytes whole = {message, size + 2};
            struct cursor cursor = cursor_over(whole);

            for (size_t i = 0; i < size; i++) {
                message[1 + i] = (uint8_t)(byte + i);
            }
            assert_int_equal(dns_name_read(&cursor, whole, name), size + 2);
            assert_int_equal(name[0], size);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(name[1 + i], dns_name_lower((uint8_t)(byte + i)));
            }
        }
    }
}

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

/* A suffix has the sum that it has as a name of its own, in memory of exactly its size. */
static void test_sums(void **state)
{
    static const char *const names[] = {
        "",
        "com",
        "a.b",
        "example.com",
        "mail.example.com",
        "sevenby.eightbyt.ninebytes.a",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z",
        "a-label-of-sixty-three-bytes-which-is-the-longest-that-there-is.test",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint8_t space[DNS_NAME_MAX];
        struct bytes name = wire_name(names[i], space);
        struct dns_name_suffixes all;
        size_t at = 0;

        dns_name_sum(&secret, name, &all);
        for (unsigned label = 0; label <= all.labels; label++) {
            struct dns_name_suffixes own;
            uint8_t *suffix = malloc(name.len - at);
            assert_non_null(suffix);
            memcpy(suffix, name.data + at, name.len - at);
            dns_name_sum(&secret, (struct bytes){suffix, name.len - at}, &own);
            free(suffix);
            assert_true(all.sums[label] == own.sums[0]);
            assert_int_equal(own.labels, all.labels - label);
            if (label < all.labels) {
                assert_int_equal(all.offsets[label], at);
                at += 1 + (size_t)name.data[at];
            }
        }
        assert_int_equal(at, name.len - 1);
    }
}

/* The same bytes in other labels are another name. */
static void test_sums_differ(void **state)
{
    static const uint8_t names[][10] = {
        "\1a\1b\1c\1d", "\3a\1b\1c\1d", "\1a\3b\1c\1d",  "\7a\1b\1c\1d",
        "\1a\1b\1c\1e", "\1b\1a\1c\1d", "\7a\1b\1c\1\0", "\1a\1b\3c\1d",
    };
    enum { COUNT = sizeof names / sizeof names[0] };
    uint64_t sums[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct dns_name_suffixes suffixes;
        dns_name_sum(&secret, (struct bytes){names[i], 9}, &suffixes);
        sums[i] = suffixes.sums[0];
        for (size_t j = 0; j < i; j++) {
            assert_true(sums[i] != sums[j]);
        }
    }
}

/* The name with the most labels. */
static void test_sums_of_longest(void **state)
{
    uint8_t name[DNS_NAME_MAX] = {0};
    struct dns_name_suffixes suffixes;

    (void)state;
    for (size_t at = 0; at < DNS_NAME_MAX - 1; at += 2) {
        name[at] = 1;
        name[at + 1] = 'a';
    }
    dns_name_sum(&secret, (struct bytes){name, sizeof name}, &suffixes);
    assert_int_equal(suffixes.labels, DNS_LABELS_MAX);
    assert_int_equal(suffixes.offsets[DNS_LABELS_MAX - 1], DNS_NAME_MAX - 3);
}

/* --- Ldns as the oracle of names --- */

struct oracle_name {
    size_t len;
    uint8_t wire[DNS_NAME_MAX];
};

static bool oracle_parse(const char *text, struct oracle_name *out)
{
    ldns_rdf *name = ldns_dname_new_frm_str(text);
    bool usable = name != NULL && ldns_rdf_size(name) > 1 &&
                  ldns_rdf_size(name) <= sizeof out->wire;

    if (usable) {
        ldns_dname2canonical(name);
        out->len = ldns_rdf_size(name);
        memcpy(out->wire, ldns_rdf_data(name), out->len);
    }
    ldns_rdf_deep_free(name);
    return usable;
}

static void test_parse_oracle(void **state)
{
    static const char alphabet[] = "abAZ09-_*....\\\\012255 \"\xc3";
    uint64_t chance = 1;
    unsigned usable = 0;

    (void)state;
    for (unsigned turn = 0; turn < 200000; turn++) {
        char text[400];
        uint8_t ours[DNS_NAME_MAX];
        struct oracle_name theirs = {0};
        size_t len = random_below(&chance, turn % 10 == 0 ? sizeof text - 1 : 12);
        bool long_labels = turn % 20 == 0;

        for (size_t i = 0; i < len; i++) {
            text[i] = long_labels && i % 60 != 59
                          ? 'x'
                          : alphabet[random_below(&chance, sizeof alphabet - 1)];
        }
        text[len] = '\0';
        bool expected = oracle_parse(text, &theirs);
        size_t ours_len = dns_name_parse(text, ours);
        if ((ours_len > 0) != expected) {
            fail_msg("%s: %d expected", text, expected);
        }
        if (expected) {
            assert_int_equal(ours_len, theirs.len);
            assert_memory_equal(ours, theirs.wire, ours_len);
            usable++;
        }
    }
    assert_true(usable > 20000);
}

/* What dns_name_print() writes is the name, whatever its bytes; but for the root. */
static void test_parse_printed(void **state)
{
    uint64_t chance = 1;

    (void)state;
    for (unsigned turn = 0; turn < 100000; turn++) {
        uint8_t wire[DNS_NAME_MAX], read_back[DNS_NAME_MAX];
        char text[DNS_NAME_TEXT_SIZE];
        size_t most = 1 + random_below(&chance, DNS_NAME_MAX - 2); /* all of its labels */
        size_t len = 0;

        while (len + 2 <= most) {
            size_t label = 1 + random_below(&chance, DNS_LABEL_MAX);
            label = label < most - len - 1 ? label : most - len - 1;
            wire[len++] = (uint8_t)label;
            for (; label > 0; label--) {
                wire[len++] = dns_name_lower((uint8_t)random_next(&chance));
            }
        }
        wire[len++] = 0;
        dns_name_print((struct bytes){wire, len}, text);
        assert_int_equal(dns_name_parse(text, read_back), len > 1 ? len : 0);
        assert_memory_equal(read_back, wire, len > 1 ? len : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_pointer_reach),
        cmocka_unit_test(test_length_limit),
        cmocka_unit_test(test_length_limit_over_pointers),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_longest),
        cmocka_unit_test(test_lower_case),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_sums_differ),
        cmocka_unit_test(test_sums_of_longest),
        cmocka_unit_test(test_parse_oracle),
        cmocka_unit_test(test_parse_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
