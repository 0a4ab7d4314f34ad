/* SPDX-License-Identifier: Apache-2.0 */
/* Each type's data as text; broken data; and each case cut off at every length, with the message's
 * end at a page that nobody may read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ldns/ldns.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "present/record_text.h"
#include "support/guard.h"
#include "support/hex.h"

/* The record's owner is the name of the question, www.example.com, at offset 12; example.com is at
 * 16. */
#define BEFORE        "1234 8180 0001 0001 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001 c00c "

#define EXAMPLE_COM   "076578616d706c65 03636f6d 00 "
#define FOO_COM       "03666f6f " EXAMPLE_COM
#define FOO_ORG       "03666f6f 076578616d706c65 036f7267 00 "

#define EIGHT(text)   text text text text text text text text
#define ALL_TYPES(of) of " 20 " EIGHT("ffffffff")

struct sample {
    const char *what;
    uint16_t type;
    const char *hex;  /* the data */
    const char *text; /* NULL: malformed, so that it is printed as unknown data */
};

static const struct sample samples[] = {
    {"A", 1, "c0000201", "192.0.2.1"},
    {"A, the longest", 1, "ffffffff", "255.255.255.255"},
    {"A, the shortest", 1, "00000000", "0.0.0.0"},
    {"A, digits", 1, "090a6364", "9.10.99.100"},
    {"A of five bytes", 1, "c000020100", NULL},
    {"AAAA", 28, "20010db8000000000000000000000001", "2001:db8::1"},
    {"AAAA, all zeros", 28, "00000000000000000000000000000000", "::"},
    {"AAAA, zeros first", 28, "00000000000000000000000000000001", "::1"},
    {"AAAA, zeros last", 28, "20010db8000000000000000000000000", "2001:db8::"},
    {"AAAA, a single zero", 28, "20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"},
    {"AAAA, the longest run", 28, "20010000000000010000000000000001", "2001:0:0:1::1"},
    {"AAAA, the first of two runs", 28, "20010db8000000000001000000000001", "2001:db8::1:0:0:1"},
    {"AAAA without zeros", 28, "abcdef01002300040567089a0bc0d000",
     "abcd:ef01:23:4:567:89a:bc0:d000"},
    {"AAAA, mapped IPv4", 28, "00000000000000000000ffffc0000201", "::ffff:192.0.2.1"},
    {"AAAA, IPv4-compatible", 28, "000000000000000000000000c0000201", "::192.0.2.1"},
    {"AAAA, translated IPv4", 28, "0064ff9b0000000000000000c0000221", "64:ff9b::c000:221"},
    {"AAAA of 17 bytes", 28, "20010db800000000000000000000000100", NULL},
    {"NS", 2, "c010", "example.com"},
    {"CNAME", 5, "026e73 c010", "ns.example.com"},
    {"CNAME, the root", 5, "00", "."},
    {"CNAME, upper case", 5, "0341425a 00", "abz"},
    {"CNAME, escaped", 5, "08612e5c 20 00ff227f 0162 00", "a\\046\\092\\032\\000\\255\"\\127.b"},
    {"CNAME, a dot in the eighth byte", 5, "08616161616161612e 00", "aaaaaaa\\046"},
    {"CNAME, a blank in the ninth", 5, "09616161616161616120 00", "aaaaaaaa\\032"},
    {"CNAME, a single byte to escape", 5, "01 7f 00", "\\127"},
    {"CNAME, its high bit set", 5, "01 80 00", "\\128"},
    {"CNAME, a backslash", 5, "01 5c 00", "\\092"},
    {"CNAME, a blank", 5, "01 20 00", "\\032"},
    {"CNAME that points to itself", 5, "c02d", NULL},
    {"CNAME that points forwards", 5, "c0ff", NULL},
    {"CNAME, a byte more", 5, "c010 00", NULL},
    {"CNAME, a label of type 01", 5, "41", NULL},
    {"DNAME", 39, "c010", "example.com"},
    {"PTR", 12, "c00c", "www.example.com"},
    {"MX", 15, "000a 046d61696c c010", "10 mail.example.com"},
    {"MX, null", 15, "0000 00", "0 ."},
    {"SOA", 6, "026e73 c010 05 61646d696e c010 78ee4a50 00000e10 00000258 00093a80 ffffffff",
     "ns.example.com admin.example.com 2028882512 3600 600 604800 4294967295"},
    {"SRV", 33, "0001 0002 01bb c010", "1 2 443 example.com"},
    {"TXT", 16, "0568656c6c6f", "\"hello\""},
    {"TXT, two strings", 16, "0161 00", "\"a\" \"\""},
    {"TXT, escaped", 16, "06 22 5c 00 7f ff 3b", "\"\\\"\\\\\\000\\127\\255;\""},
    {"TXT, blanks as they are", 16, "03 61 20 62", "\"a b\""},
    {"TXT of a byte too few", 16, "02 61", NULL},
    {"TXT, its second too short", 16, "01 61 01", NULL},
    {"SPF", 99, "0161", "\"a\""},
    {"GPOS, with a tab", 27, "0131 0132 0209 22", "\"1\" \"2\" \"\\009\\\"\""},
    {"HINFO", 13, "0161 0162", "\"a\" \"b\""},
    {"RP", 17, "c010 00", "example.com ."},
    {"NAPTR", 35, "0064 000a 0155 07 4532552b736970 05 21 5e2e 24 21 00",
     "100 10 \"U\" \"E2U+sip\" \"!^.$!\" ."},
    {"CAA", 257, "00 05 6973737565 6361", "0 issue \"ca\""},
    {"CAA without a value", 257, "80 05 6973737565", "128 issue \"\""},
    {"CAA without a tag", 257, "00 00 6361", NULL},
    {"CAA with another tag", 257, "00 05 6973737520 6361", NULL},
    {"URI", 256, "0001 0002 6674703a2f2f61", "1 2 \"ftp://a\""},
    {"DS", 43, "ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118",
     "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"},
    {"CDS that deletes", 59, "0000 00 00 00", "0 0 0 00"},
    {"SSHFP", 44, "04 02 abcd", "4 2 abcd"},
    {"TLSA", 52, "03 01 01 abcd", "3 1 1 abcd"},
    {"DNSKEY, three bytes", 48, "0101 03 0d 4d616e", "257 3 13 TWFu"},
    {"DNSKEY, two bytes", 48, "0101 03 0d 4d61", "257 3 13 TWE="},
    {"DNSKEY, one byte", 48, "0101 03 0d fb", "257 3 13 +w=="},
    {"RRSIG", 46, "0001 05 03 00015180 3e7dc8a7 3e563ba7 0a52 c010 4d616e",
     "A 5 3 86400 20030323144559 20030221144559 2642 example.com TWFu"},
    {"NSEC", 47, "04686f7374 c010 00 06 400100000003 04 1b" EIGHT("000000") "000020",
     "host.example.com A MX RRSIG NSEC TYPE1234"},
    {"NSEC without types", 47, "c010", "example.com"},
    {"NSEC, a window twice", 47, "c010 00 01 40 00 01 40", NULL},
    {"NSEC, windows descending", 47, "c010 01 01 40 00 01 40", NULL},
    {"NSEC, an empty window", 47, "c010 00 00", NULL},
    {"NSEC, a window of 33 bytes", 47, "c010 00 21 " EIGHT("00000000") "40", NULL},
    {"NSEC with more types than there are", 47, "c010 " ALL_TYPES("00") "01 01 80", NULL},
    {"NSEC3", 50, "01 00 000a 04 aabbccdd 14 174eb2409fe28bcb4887a1836f957f0a8425e27b 00 01 40",
     "1 0 10 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A"},
    {"NSEC3 without salt and types", 50, "01 01 0000 00 02 ff00", "1 1 0 - vs00"},
    {"NSEC3 without a hash", 50, "01 01 0000 00 00", NULL},
    {"NSEC3PARAM", 51, "01 00 0000 01 ab", "1 0 0 ab"},
    {"CSYNC", 62, "00000042 0003 00 04 60000008", "66 3 A NS AAAA"},

    /* RFC 9460 appendix D.1 and D.2 */
    {"SVCB, AliasMode", 65, "0000" FOO_COM, "0 foo.example.com"},
    {"SVCB, the owner", 64, "0001 00", "1 ."},
    {"SVCB, a port", 64, "0010" FOO_COM "0003 0002 0035", "16 foo.example.com port=53"},
    {"SVCB, another key", 64, "0001" FOO_COM "029b 0005 68656c6c6f",
     "1 foo.example.com key667=\"hello\""},
    {"SVCB, another key, escaped", 64, "0001" FOO_COM "029b 0009 68656c6c6fd2716f6f",
     "1 foo.example.com key667=\"hello\\210qoo\""},
    {"SVCB, IPv6", 64,
     "0001" FOO_COM "0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
     "1 foo.example.com ipv6hint=2001:db8::1,2001:db8::53:1"},
    {"SVCB, IPv6 with IPv4 in it", 64,
     "0001" EXAMPLE_COM "0006 0010 20010db80122034400000000c0000221",
     "1 example.com ipv6hint=2001:db8:122:344::c000:221"},
    {"SVCB, mandatory keys", 64,
     "0010" FOO_ORG "0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201",
     "16 foo.example.org mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"},
    {"SVCB, an escaped list", 64, "0010" FOO_ORG "0001 000c 08 665c6f6f2c626172 02 6832",
     "16 foo.example.org alpn=\"f\\\\\\\\oo\\\\,bar,h2\""},
    {"SVCB, the other keys", 65,
     "0001 00 0001 0003 02 6832 0002 0000 0004 0008 c0000201 c0000202 0005 0001 00 0007 0004 "
     "2f7b3f7d 0008 0000 029a 0000",
     "1 . alpn=\"h2\" no-default-alpn ipv4hint=192.0.2.1,192.0.2.2 ech=AA== dohpath=\"/{?}\" ohttp "
     "key666"},
    /* D.3, as far as it is about the wire format */
    {"SVCB, a key twice", 64, "0001 00 0003 0002 0035 0003 0002 0035", NULL},
    {"SVCB, keys descending", 64, "0001 00 0004 0004 c0000201 0003 0002 0035", NULL},
    {"SVCB, mandatory without value", 64, "0001 00 0000 0000", NULL},
    {"SVCB, alpn without value", 64, "0001 00 0001 0000", NULL},
    {"SVCB, an empty protocol", 64, "0001 00 0001 0004 02 6832 00", NULL},
    {"SVCB, a protocol too long", 64, "0001 00 0001 0003 03 6832", NULL},
    {"SVCB, no-default-alpn with a value", 64, "0001 00 0002 0001 61", NULL},
    {"SVCB, port without value", 64, "0001 00 0003 0000", NULL},
    {"SVCB, port of three bytes", 64, "0001 00 0003 0003 003500", NULL},
    {"SVCB, ipv4hint without value", 64, "0001 00 0004 0000", NULL},
    {"SVCB, ipv4hint of five bytes", 64, "0001 00 0004 0005 c000020100", NULL},
    {"SVCB, ech without value", 64, "0001 00 0005 0000", NULL},
    {"SVCB, ipv6hint without value", 64, "0001 00 0006 0000", NULL},
    {"SVCB, mandatory that lists itself", 64, "0001 00 0000 0002 0000", NULL},
    {"SVCB, mandatory that lists a key twice", 64, "0001 00 0000 0004 0003 0003 0003 0002 0035",
     NULL},
    {"SVCB, a value too long", 64, "0001 00 0003 0003 0035", NULL},

    /* Through ldns */
    {"LOC", 29, "00 12 16 13 8b0d2f8c 7f8fc1a0 00989680",
     "51 30 13.516 N 02 02 36.000 W 0m 1m 10000m 10m"},
    {"EUI48", 108, "00005e00532a", "00-00-5e-00-53-2a"},
    {"EUI48, a byte more", 108, "00005e00532a00", NULL},
    {"L32", 105, "000a c0000201", "10 192.0.2.1"},
    {"APL", 42, "0001 18 03 c00002", "1:192.0.2.0/24"},

    /* Unknown */
    {"a type without a number", 65280, "0a000001", "\\# 4 0a000001"},
    {"NULL", 10, "00", "\\# 1 00"},
    {"WKS", 11, "c0000201 06 0000000040", "\\# 10 c0000201060000000040"},
};

static struct guard guard;

/* The linker leads our calls of these to the ones below. */
ldns_rr *__real_ldns_rr_new(void);
ldns_buffer *__real_ldns_buffer_new(size_t capacity);
ldns_rdf *__real_ldns_rdf_new_frm_data(ldns_rdf_type type, size_t size, const void *data);
ldns_rr *__wrap_ldns_rr_new(void);
ldns_buffer *__wrap_ldns_buffer_new(size_t capacity);
ldns_rdf *__wrap_ldns_rdf_new_frm_data(ldns_rdf_type type, size_t size, const void *data);

static unsigned calls_left = UINT_MAX; /* that do not fail */

/* A message with one record that has this data, right before the forbidden page. */
static struct bytes make_message(uint16_t type, struct bytes data)
{
    static uint8_t message[4096];
    size_t len = hex_read(BEFORE, message, sizeof message);
    const uint8_t numbers[10] = {(uint8_t)(type >> 8),     (uint8_t)type,    0, 1, 0, 0, 0, 60,
                                 (uint8_t)(data.len >> 8), (uint8_t)data.len};

    memcpy(message + len, numbers, sizeof numbers);
    len += sizeof numbers;
    memcpy(message + len, data.data, data.len);
    return guard_place(&guard, (struct bytes){message, len + data.len});
}

static int present(uint16_t type, struct bytes data, struct text *out)
{
    struct bytes message = make_message(type, data);
    struct dns_record_reader reader;
    struct dns_record record;

    dns_record_reader_init(&reader, message, hex_read(BEFORE, (uint8_t[64]){0}, 64) - 2);
    assert_true(dns_record_next(&reader, &record));
    assert_int_equal(record.data.len, data.len);
    return record_text_data(&record, message, out);
}

static void print_unknown(struct bytes data, char *out)
{
    out += sprintf(out, data.len > 0 ? "\\# %zu " : "\\# %zu", data.len);
    for (size_t i = 0; i < data.len; i++) {
        out += sprintf(out, "%02x", data.data[i]);
    }
}

/* Behind other text, which stays. */
static void check(const struct sample *sample, struct bytes data, const char *expected, int result)
{
    struct text out = {0};

    text_append_string(&out, "data: ");
    int got = present(sample->type, data, &out);
    if (got != result || strcmp(out.data + 6, expected) != 0) {
        fail_msg("%s: %d, %s, not %s", sample->what, got, out.data, expected);
    }
    assert_memory_equal(out.data, "data: ", 6);
    assert_int_equal(out.len, strlen(out.data));
    text_deinit(&out);
}

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *sample = &samples[i];
        uint8_t data[512];
        char unknown[2 * sizeof data + 16];
        struct bytes bytes = {data, hex_read(sample->hex, data, sizeof data)};
        print_unknown(bytes, unknown);
        if (sample->text == NULL) {
            check(sample, bytes, unknown, RECORD_TEXT_MALFORMED);
        } else {
            check(sample, bytes, sample->text, RECORD_TEXT_SOUND);
        }
    }
}

/* Whether data of the type is unknown data only where it is malformed. */
static bool has_layout(uint16_t type, size_t len)
{
    bool is_empty_list = type == 42 && len == 0; /* of APL, which is sound */

    return !is_empty_list && type != 10 && type != 11 && type != 65280;
}

/* What is cut off is printed in full or as unknown data. */
static void test_truncated(void **state)
{
    size_t malformed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uint8_t data[512];
        size_t len = hex_read(samples[i].hex, data, sizeof data);
        for (size_t cut = 0; cut < len; cut++) {
            struct text out = {0};
            char unknown[2 * sizeof data + 16];
            struct bytes bytes = {data, cut};
            bool sound = present(samples[i].type, bytes, &out) == RECORD_TEXT_SOUND;
            print_unknown(bytes, unknown);
            bool is_unknown = strcmp(out.data, unknown) == 0;
            bool known_type = has_layout(samples[i].type, cut);
            if (is_unknown == (sound && known_type)) {
                fail_msg("%s, %zu bytes: %s", samples[i].what, cut, out.data);
            }
            malformed += !sound;
            text_deinit(&out);
        }
    }
    assert_true(malformed > 500);
}

/* Each type with data of every length up to 40, of bytes that look like lengths. */
static void test_every_type(void **state)
{
    uint8_t data[40];

    (void)state;
    for (unsigned type = 0; type < 300; type++) {
        for (size_t len = 0; len <= sizeof data; len++) {
            for (unsigned byte = 0; byte < 3; byte++) {
                struct text out = {0};
                memset(data, (int)byte, sizeof data);
                (void)present((uint16_t)type, (struct bytes){data, len}, &out);
                assert_true(out.len > 0 && out.len < 1024);
                text_deinit(&out);
            }
        }
    }
}

/* The C library is the judge, on both sides of every leap day and year's end. */
static void test_dates(void **state)
{
    uint8_t data[24];
    size_t len = hex_read("0001 05 03 00000000 00000000 00000000 0000 00 00", data, sizeof data);

    (void)state;
    for (uint64_t seconds = 0; seconds <= UINT32_MAX; seconds += 43200 - 1) {
        time_t time = (time_t)seconds;
        struct tm tm;
        char expected[64];
        struct text out = {0};
        for (unsigned i = 0; i < 4; i++) {
            data[8 + i] = (uint8_t)(seconds >> (24 - 8 * i));
        }
        assert_int_equal(present(46, (struct bytes){data, len}, &out), RECORD_TEXT_SOUND);
        (void)strftime(expected, sizeof expected,
                       "A 5 3 0 %Y%m%d%H%M%S 19700101000000 0 . AA==", gmtime_r(&time, &tm));
        assert_string_equal(out.data, expected);
        text_deinit(&out);
    }
}

/* The longest names: 255 bytes that are all escaped, twice. */
static void test_longest(void **state)
{
    uint8_t data[2 * DNS_NAME_MAX];
    size_t len = 0;
    struct text out = {0};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        static const uint8_t labels[] = {63, 63, 63, 61};
        for (unsigned j = 0; j < 4; j++) {
            data[len++] = labels[j];
            memset(data + len, 0xff, labels[j]);
            len += labels[j];
        }
        data[len++] = 0;
    }
    assert_int_equal(present(17, (struct bytes){data, len}, &out), RECORD_TEXT_SOUND);
    assert_int_equal(out.len, 2 * (4 * 250 + 3) + 1);
    assert_true(out.len < RECORD_TEXT_MAX);
    text_deinit(&out);
}

/* A text that is full stays so: the caller has to see it. */
static void test_full(void **state)
{
    static const char hex[] =
        "0001 00 0003 0003 0035"; /* malformed, so that the text is cut back */
    uint8_t data[16];
    size_t len = hex_read(hex, data, sizeof data);

    (void)state;
    for (size_t space = 1; space < 40; space++) {
        struct text out;
        assert_int_equal(text_fix(&out, space), 0);
        (void)present(64, (struct bytes){data, len}, &out);
        assert_int_equal(out.full, space <= strlen("\\# 9 000100000300030035"));
        assert_true(out.len < space);
        text_deinit(&out);
    }
}

/* Also one that the record would fit into. */
static void test_failed(void **state)
{
    uint8_t data[16];
    size_t len = hex_read("0001 00 0003 0003 0035", data, sizeof data);
    struct text out;

    (void)state;
    assert_int_equal(text_fix(&out, 64), 0);
    text_append_string(&out,
                       "more than 64 bytes, more than 64 bytes, more than 64 bytes, and more");
    (void)present(64, (struct bytes){data, len}, &out);
    assert_true(out.full && out.failed);
    text_deinit(&out);
}

static bool call_fails(void)
{
    return calls_left-- == 0;
}

ldns_rr *__wrap_ldns_rr_new(void)
{
    return call_fails() ? NULL : __real_ldns_rr_new();
}

ldns_buffer *__wrap_ldns_buffer_new(size_t capacity)
{
    return call_fails() ? NULL : __real_ldns_buffer_new(capacity);
}

ldns_rdf *__wrap_ldns_rdf_new_frm_data(ldns_rdf_type type, size_t size, const void *data)
{
    return call_fails() ? NULL : __real_ldns_rdf_new_frm_data(type, size, data);
}

/* What ldns needs fails in turn: the record is printed as unknown data. */
static void test_no_memory(void **state)
{
    const uint8_t data[] = {0, 0, 0x5e, 0, 0x53, 0x2a};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct text out = {0};
        calls_left = i;
        int result = present(LDNS_RR_TYPE_EUI48, (struct bytes){data, sizeof data}, &out);
        assert_int_equal(result, i < 3 ? RECORD_TEXT_MALFORMED : RECORD_TEXT_SOUND);
        assert_string_equal(out.data, i < 3 ? "\\# 6 00005e00532a" : "00-00-5e-00-53-2a");
        text_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),    cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_every_type), cmocka_unit_test(test_dates),
        cmocka_unit_test(test_longest),    cmocka_unit_test(test_full),
        cmocka_unit_test(test_failed),     cmocka_unit_test(test_no_memory),
    };

    guard = guard_create(4096);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    guard_free(&guard);
    return failures;
}
