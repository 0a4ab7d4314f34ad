/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "decode/event.h"
#include "support/hex.h"

/* Append the bytes of a hex text. */
static void add_hex(struct bytes *out, uint8_t *buffer, const char *hex)
{
    out->len += hex_read(hex, buffer + out->len, 120 - out->len); /* lengths of one byte */
}

/* The frame stays valid until the next call, as what was read is borrowed from it. */
static enum decode_status read_message(const char *message_fields, struct event *out)
{
    static uint8_t frame[128];
    uint8_t message[128];
    struct bytes message_bytes = {message, 0};

    add_hex(&message_bytes, message, message_fields);
    frame[0] = 0x72;
    frame[1] = (uint8_t)message_bytes.len;
    memcpy(frame + 2, message, message_bytes.len);
    memcpy(frame + 2 + message_bytes.len, "\x0a\2id\x78\1", 6);
    memset(out, 0xa5, sizeof *out);
    return event_read((struct bytes){frame, message_bytes.len + 8}, out);
}

static struct event read_sound(const char *message_fields)
{
    struct event event;

    assert_int_equal(read_message(message_fields, &event), DECODE_OK);
    return event;
}

static void test_all_message_types(void **state)
{
    static const enum role roles[] = {ROLE_AUTH, ROLE_RESOLVER, ROLE_CLIENT, ROLE_FORWARDER,
                                      ROLE_STUB, ROLE_TOOL,     ROLE_UPDATE};

    (void)state;
    for (unsigned type = 0; type < 20; type++) {
        char fields[] = "0800";
        struct event event;
        fields[2] = type < 16 ? '0' : '1';
        fields[3] = "0123456789abcdef0123"[type];
        bool known = type >= 1 && type <= 14;
        assert_int_equal(read_message(fields, &event), known ? DECODE_OK : DECODE_MESSAGE_TYPE);
        if (known) {
            assert_int_equal(event.role, roles[(type - 1) / 2]);
            assert_int_equal(event.kind, type % 2 ? KIND_QUERY : KIND_RESPONSE);
        }
    }
}

static void test_verdicts(void **state)
{
    static const struct {
        const char *frame;
        size_t len;
        enum decode_status status;
    } cases[] = {
        {"", 0, DECODE_NOT_MESSAGE},
        {"\x78\1", 2, DECODE_NOT_MESSAGE},
        {"\x72\2\x08\5", 4, DECODE_NOT_MESSAGE},
        {"\x72\2\x08\5\x78\2", 6, DECODE_NOT_MESSAGE},
        {"\x72\2\x08\5\x78\0", 6, DECODE_NOT_MESSAGE},
        {"\x72\2\x08\5\x78\1", 6, DECODE_OK},
        {"\x72\0\x78\1", 4, DECODE_MESSAGE_TYPE},
        {"\x72\6\x08\x85\x80\x80\x80\x10\x78\1", 10, DECODE_OK}, /* 2^32 + 5: the low 32 bits */
        {"\x72\3\x08\5\x78\1", 6, DECODE_PROTOBUF},
        {"\xff", 1, DECODE_PROTOBUF},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event;
        struct bytes frame = {(const uint8_t *)cases[i].frame, cases[i].len};
        assert_int_equal(event_read(frame, &event), cases[i].status);
    }
}

static void test_transports(void **state)
{
    static const struct {
        const char *fields;
        enum transport transport;
    } cases[] = {
        {"0805", TRANSPORT_UNKNOWN},
        {"0805 1800", TRANSPORT_UNKNOWN},
        {"0805 1801", TRANSPORT_UDP},
        {"0805 1802", TRANSPORT_TCP},
        {"0805 1803", TRANSPORT_DOT},
        {"0805 1804", TRANSPORT_DOH},
        {"0805 1805", TRANSPORT_DNSCRYPT_UDP},
        {"0805 1806", TRANSPORT_DNSCRYPT_TCP},
        {"0805 1807", TRANSPORT_DOQ},
        {"0805 1808", TRANSPORT_UNKNOWN},
        {"0805 18ffffffff0f", TRANSPORT_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_sound(cases[i].fields).transport, cases[i].transport);
    }
}

#define IPV4(field) field "04 c0000201 "
#define IPV6(field) field "10 20010db8000000000000000000000001 "

static void test_families(void **state)
{
    static const struct {
        const char *fields;
        enum family family;
    } cases[] = {
        {"0805", FAMILY_UNKNOWN},
        {"0805 1001", FAMILY_IPV4},
        {"0805 1002", FAMILY_IPV6},
        {"0805 1003", FAMILY_UNKNOWN},
        /* who asked; lengths go before socket_family */
        {"0805" IPV4("22"), FAMILY_IPV4},
        {"0805" IPV6("22"), FAMILY_IPV6},
        {"0805 1002" IPV4("22"), FAMILY_IPV4},
        {"0805 1001" IPV6("22"), FAMILY_IPV6},
        {"0805 1002 2205 0102030405", FAMILY_IPV6},
        {"0805 1002 2200", FAMILY_IPV6},
        {"0805" IPV6("22") IPV4("2a"), FAMILY_IPV6},
        {"0805" IPV4("2a"), FAMILY_UNKNOWN},
        {"0801" IPV4("22") IPV6("2a"), FAMILY_IPV4},
        {"080d" IPV4("22") IPV6("2a"), FAMILY_IPV4},
        /* resolver and forwarder: who is asked */
        {"0803" IPV4("22") IPV6("2a"), FAMILY_IPV6},
        {"0804" IPV4("22") IPV6("2a"), FAMILY_IPV6},
        {"0807" IPV6("22") IPV4("2a"), FAMILY_IPV4},
        {"0808 1001" IPV6("22"), FAMILY_IPV4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].fields);
        assert_int_equal(read_sound(cases[i].fields).family, cases[i].family);
    }
}

static void test_address_lengths(void **state)
{
    static const struct {
        const char *fields;
        size_t len;
    } cases[] = {
        {"0805", 0},
        {"0805 2200", 0},
        {"0805 2203 010203", 0},
        {"0805" IPV4("22"), 4},
        {"0805 2205 0102030405", 0},
        {"0805 220f 010203040506070809101112131415", 0},
        {"0805" IPV6("22"), 16},
        {"0805 2211 0102030405060708091011121314151617", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = read_sound(cases[i].fields);
        assert_int_equal(event.query_address.len, cases[i].len);
        assert_int_equal(event.response_address.len, 0);
    }
    assert_memory_equal(read_sound("0805" IPV4("2a")).response_address.data, "\xc0\0\2\1", 4);
}

#define MAPPED(tag) tag "10 00000000000000000000ffff c0000201"

/* An IPv4 address in the form in which an IPv6 socket shows it is IPv4; what only resembles it is
 * not. */
static void test_mapped_addresses(void **state)
{
    static const struct {
        const char *fields;
        size_t len;
        enum family family;
    } cases[] = {
        {"0805 1001" MAPPED("22"), 4, FAMILY_IPV4},
        {"0805 1002" MAPPED("22"), 4, FAMILY_IPV4},
        {"0803 1001" IPV6("22") MAPPED("2a"), 16, FAMILY_IPV4},
        {"0805 2210 00000000000000000000fffe c0000201", 16, FAMILY_IPV6},
        {"0805 2210 00000000000000000001ffff c0000201", 16, FAMILY_IPV6},
        {"0805 2210 000000000000000000000000 c0000201", 16, FAMILY_IPV6},
        {"0805 2210 0064ff9b0000000000000000 c0000201", 16, FAMILY_IPV6}, /* NAT64 (RFC 6052) */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = read_sound(cases[i].fields);
        assert_int_equal(event.query_address.len, cases[i].len);
        assert_int_equal(event.family, cases[i].family);
    }
    struct event event = read_sound("0805" MAPPED("22"));
    assert_memory_equal(event.query_address.data, "\xc0\0\2\1", 4);
}

/* Servers write 0 for a time that they do not know. */
static void test_time_zero(void **state)
{
    static const char *const cases[] = {
        "0806 4000 4d 02000000 6000 6d 04000000",
        "0806 4000 6000",
        "0806 4d 02000000 6d 04000000",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = read_sound(cases[i]);
        assert_int_equal(event.query_time_ns, 0);
        assert_int_equal(event.response_time_ns, 0);
    }
}

static void test_http_versions(void **state)
{
    static const struct {
        const char *fields;
        enum http_version version;
    } cases[] = {
        {"0805", HTTP_VERSION_UNKNOWN},
        {"0805 800100", HTTP_VERSION_UNKNOWN},
        {"0805 800101", HTTP_VERSION_1},
        {"0805 800102", HTTP_VERSION_2},
        {"0805 800103", HTTP_VERSION_3},
        {"0805 800104", HTTP_VERSION_UNKNOWN},
        {"0805 8001ffffffff0f", HTTP_VERSION_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_sound(cases[i].fields).http_version, cases[i].version);
    }
}

static void test_times(void **state)
{
    struct event event = read_sound("0806 4001 4d 02000000 6003 6d 04000000");

    (void)state;
    assert_true(event.query_time_ns != 0 && event.response_time_ns != 0);
    assert_true(event.query_time_ns == NS_PER_SECOND + 2);
    assert_true(event.response_time_ns == 3 * NS_PER_SECOND + 4);

    event = read_sound("0806 4001"); /* no nanoseconds: on the second */
    assert_true(event.query_time_ns != 0 && event.response_time_ns == 0);
    assert_true(event.query_time_ns == NS_PER_SECOND);
    assert_int_equal(event.response_time_ns, 0);

    event = read_sound("0806 4d 02000000"); /* nanoseconds alone are no time */
    assert_int_equal(event.query_time_ns, 0);
    assert_int_equal(event.query_time_ns, 0);

    /* 2^63/10^9 = 9223372036.9: the last whole second that fits, and beyond; and a second has 10^9
     * - 1 nanoseconds at the most */
    event = read_sound("0806 4083fa85ae22 4d ffc99a3b");
    assert_true(event.query_time_ns != 0);
    assert_true(event.query_time_ns == UINT64_C(9223372035) * NS_PER_SECOND + 999999999);
    static const char *const too_large[] = {
        "0806 4084fa85ae22 4d 00000000",
        "0806 40ffffffffffffffffff01",
        "0806 4001 4d 00ca9a3b",
    };
    for (size_t i = 0; i < sizeof too_large / sizeof too_large[0]; i++) {
        event = read_sound(too_large[i]);
        assert_int_equal(event.query_time_ns, 0);
        assert_int_equal(event.query_time_ns, 0);
    }
}

static void test_policy(void **state)
{
    static const struct {
        const char *fields;
        bool has;
        enum policy_action action;
        enum policy_match match;
    } cases[] = {
        {"0806", false, POLICY_ACTION_UNKNOWN, POLICY_MATCH_UNKNOWN},
        {"0806 7a00", true, POLICY_ACTION_UNKNOWN, POLICY_MATCH_UNKNOWN},
        {"0806 7a04 1801 2001", true, POLICY_ACTION_NXDOMAIN, POLICY_MATCH_QNAME},
        {"0806 7a04 1806 2005", true, POLICY_ACTION_LOCAL_DATA, POLICY_MATCH_NS_IP},
        {"0806 7a04 1807 2006", true, POLICY_ACTION_UNKNOWN, POLICY_MATCH_UNKNOWN},
        {"0806 7a0b 18ffffffff0f 2080808008", true, POLICY_ACTION_UNKNOWN, POLICY_MATCH_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = read_sound(cases[i].fields);
        assert_int_equal(event.has_policy, cases[i].has);
        if (event.has_policy) {
            assert_int_equal(event.policy_action, cases[i].action);
            assert_int_equal(event.policy_match, cases[i].match);
        }
    }
}

#define HEADER(id) id " 0100 0000 0000 0000 0000 "

static void test_message_of_the_frames_kind(void **state)
{
    struct event event = read_sound("0805 520c " HEADER("0001") "720d " HEADER("0002") "00");

    (void)state;
    assert_int_equal(event.dns.id, 1);
    assert_int_equal(event.message.len, 12);
    event = read_sound("0806 520c " HEADER("0001") "720d " HEADER("0002") "00");
    assert_int_equal(event.dns.id, 2);
    assert_int_equal(event.message.len, 13);
    assert_int_equal(event.query.len, 12); /* the query that the response answers */
    event = read_sound("0806 520c " HEADER("0001"));
    assert_int_equal(event.dns.defect, DNS_DEFECT_MISSING);
    assert_int_equal(event.message.len, 0);
    event = read_sound("0806 7200");
    assert_int_equal(event.dns.defect, DNS_DEFECT_SHORT);
}

static void test_identity_and_port(void **state)
{
    struct event event = read_sound("0805 30ffff03");

    (void)state;
    assert_true(bytes_equal(event.identity, bytes_of_string("id")));
    assert_int_equal(event.query_port, 65535);
    assert_int_equal(read_sound("0805").query_port, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_message_types),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_transports),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_address_lengths),
        cmocka_unit_test(test_mapped_addresses),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_zero),
        cmocka_unit_test(test_http_versions),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_message_of_the_frames_kind),
        cmocka_unit_test(test_identity_and_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
