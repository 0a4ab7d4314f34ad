/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "decode/dnstap.h"
#include "support/hex.h"

/* A frame in a block of exactly its size, so that ASan sees a read past it. */
struct frame {
    uint8_t *block;
    bool sound;
    struct dnstap read;
};

static struct frame decode_bytes(const uint8_t *bytes, size_t len)
{
    struct frame frame = {.block = malloc(len > 0 ? len : 1)};

    assert_non_null(frame.block);
    memcpy(frame.block, bytes, len);
    memset(&frame.read, 0xa5, sizeof frame.read);
    frame.sound = dnstap_decode((struct bytes){len > 0 ? frame.block : frame.block + 1, len},
                                &frame.read);
    return frame;
}

static struct frame decode(const char *hex)
{
    uint8_t bytes[512];

    return decode_bytes(bytes, hex_read(hex, bytes, sizeof bytes));
}

static void same_bytes(struct bytes got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.data, expected, got.len);
}

/* --- Every field
 * ---------------------------------------------------------------------------------- */

/* Fields by hand, in the order of proto/dnstap.proto. */
#define POLICY_FIELDS "0a03 72707a 1203 616263 1802 20ffffffff0f 2a01 76"
#define MESSAGE_FIELDS                                                                             \
    "0805 1002 1807 2204 c0000201 2a05 0102030405 30d08603 3835 "                                  \
    "4080e2cfaa06 4d 15cd5b07 5203 717279 5a02 0100 60ffffffffffffffffff01 6d ffffffff "           \
    "7202 7270 7a15 " POLICY_FIELDS " 800103"

static void test_every_field(void **state)
{
    struct frame frame = decode("0a03 6e7331 1201 76 1a02 7b7d 725b " MESSAGE_FIELDS " 7801");
    const struct dnstap_message *m = &frame.read.message;

    (void)state;
    assert_true(frame.sound);
    assert_int_equal(frame.read.present, 0xc00e);
    assert_int_equal(frame.read.type, 1);
    same_bytes(frame.read.identity, "ns1");
    same_bytes(frame.read.version, "v");
    assert_int_equal(m->present, 0x1fffe);
    assert_int_equal(m->type, 5);
    assert_int_equal(m->socket_family, 2);
    assert_int_equal(m->socket_protocol, 7);
    assert_int_equal(m->query_address.len, 4);
    assert_memory_equal(m->query_address.data, "\xc0\0\2\1", 4);
    same_bytes(m->response_address, "\1\2\3\4\5");
    assert_int_equal(m->query_port, 50000);
    assert_int_equal(m->query_time_sec, 1700000000);
    assert_int_equal(m->query_time_nsec, 123456789);
    same_bytes(m->query_message, "qry");
    assert_true(m->response_time_sec == UINT64_MAX);
    assert_int_equal(m->response_time_nsec, UINT32_MAX);
    same_bytes(m->response_message, "rp");
    assert_int_equal(m->policy.present, 0x3e);
    same_bytes(m->policy.rule, "abc");
    assert_int_equal(m->policy.action, 2);
    assert_int_equal(m->policy.match, UINT32_MAX);
    assert_int_equal(m->http_protocol, 3);
    free(frame.block);
}

/* The whole is never accepted from a part, and a message is from its beginning where a field ends
 * there. */
static void test_truncated_at_every_length(void **state)
{
    uint8_t message[512];
    size_t len = hex_read(MESSAGE_FIELDS, message, sizeof message);
    /* Where the sixteen fields end, and the beginning. */
    static const size_t ends[] = {0, 2, 4, 6, 12, 19, 23, 25, 31, 36, 41, 45, 56, 61, 65, 88, 91};
    size_t next_end = 0;

    (void)state;
    for (size_t cut = 0; cut <= len; cut++) {
        uint8_t bytes[512] = {0x72, (uint8_t)cut}; /* one byte of length is enough here */
        assert_true(cut < 128);
        memcpy(bytes + 2, message, cut);
        struct frame frame = decode_bytes(bytes, cut + 2);
        bool at_end = next_end < sizeof ends / sizeof ends[0] && ends[next_end] == cut;
        assert_int_equal(frame.sound, at_end);
        next_end += at_end;
        free(frame.block);
        for (size_t part = 1; part < cut + 2; part++) { /* the outer length says more */
            frame = decode_bytes(bytes, part);
            assert_false(frame.sound);
            free(frame.block);
        }
    }
    assert_int_equal(next_end, sizeof ends / sizeof ends[0]);
}

/* --- What is accepted and what is not
 * --------------------------------------------------------------- */

static void test_accepted_or_not(void **state)
{
    static const struct {
        const char *what, *hex;
        bool sound;
    } cases[] = {
        {"nothing", "", true},
        {"an unknown varint", "2001", true},
        {"an unknown fixed64", "21 0000000000000000", true},
        {"an unknown fixed64, short", "21 00000000000000", false},
        {"unknown bytes", "2202 0000", true},
        {"unknown bytes, short", "2202 00", false},
        {"an unknown fixed32", "25 00000000", true},
        {"an unknown fixed32, short", "25 000000", false},
        {"a group", "23 24", false},
        {"the end of a group", "24", false},
        {"wire type 6", "26 00", false},
        {"wire type 7", "27 00", false},
        {"field number 0 in the message", "7202 0001 7801", false},
        {"unknown field 31 in the message", "7203 f80101 7801", true},
        {"unknown in the policy", "7204 7a02 3001 7801", true},
        {"a group in the policy", "7203 7a01 33 7801", false},
        {"field number 0", "0001", false},
        {"field number 0 as bytes", "0200", false},
        {"field number 31", "f80101", true},
        {"field number 32: not taken for 0", "800201", true},
        {"field number 46: not taken for 14", "f20200", true},
        {"field number 2^29-1", "f8ffffff0f01", true},
        {"a key of five bytes", "f8ffffff7f01", true},
        {"a key of six bytes", "f8ffffffff0001", false},
        {"known field 1 in a key of two bytes", "8a00 00", true},
        {"a key that ends early", "f8", false},
        {"a varint of ten bytes", "78 81808080808080808000", true},
        {"a varint of eleven bytes", "78 8180808080808080808000", false},
        {"a varint that ends early", "7881", false},
        {"a varint without any byte", "78", false},
        {"an unknown varint of eleven bytes", "20 8180808080808080808000", false},
        {"identity as a varint", "0801", false},
        {"identity as fixed64", "09 0000000000000000", false},
        {"identity as fixed32", "0d 00000000", false},
        {"identity as a group", "0b 0c", false},
        {"type as bytes", "7a01 01", false},
        {"type as fixed32", "7d 01000000", false},
        {"message as a varint", "7001", false},
        {"message type as bytes", "7203 0a01 05", false},
        {"query_time_nsec as a varint", "7202 4801", false},
        {"query_time_sec as fixed64", "7209 41 0000000000000000", false},
        {"http_protocol as bytes", "7203 8201 00", false},
        {"policy as a varint", "7202 7801", false},
        {"policy action as bytes", "7204 7a02 1a00", false},
        {"a length over what is there", "0a04 6e7331", false},
        {"a length of 2^31-1", "0affffffff07 00", false},
        {"a length of 2^31", "0a8080808008 00", false},
        {"a length of 2^32", "0a8080808010", false},
        {"a length of 2^35-1", "0affffffff7f 00", false},
        {"a length of 0 in five bytes", "0a8080808000", true},
        {"a length of 0 in six bytes", "0a808080808000", false},
        {"an unknown length of 2^32", "228080808010", false},
        {"a message over its frame", "7205 0805", false},
        {"a field over its message", "7203 2204 c0 000201 7801", false},
        {"garbage", "ffffffffffffffff", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frame frame = decode(cases[i].hex);
        if (frame.sound != cases[i].sound) {
            fail_msg("%s", cases[i].what);
        }
        free(frame.block);
    }
}

static void test_unknown_fields_leave_no_trace(void **state)
{
    struct frame frame = decode("2001 0a01 61 21 0102030405060708 7206 f80101 0805 20 7801");

    (void)state;
    assert_false(frame.sound); /* the message's last byte is the key of its next field */
    free(frame.block);
    frame = decode("2001 0a01 61 21 0102030405060708 7205 f80101 0805 2201 62 7801");
    assert_true(frame.sound);
    assert_int_equal(frame.read.present, 1u << 1 | 1u << 14 | 1u << 15);
    assert_int_equal(frame.read.message.present, 1u << 1);
    same_bytes(frame.read.identity, "a");
    free(frame.block);
}

/* --- Given twice
 * ------------------------------------------------------------------------------------ */

static void test_the_last_of_a_field_counts(void **state)
{
    struct frame frame = decode("0a02 6161 0a01 62 7204 0805 0806 7802 7801");

    (void)state;
    assert_true(frame.sound);
    same_bytes(frame.read.identity, "b");
    assert_int_equal(frame.read.type, 1);
    assert_int_equal(frame.read.message.type, 6);
    free(frame.block);
    frame = decode("0a02 6161 0a00");
    assert_true(frame.sound);
    assert_int_equal(frame.read.identity.len, 0);
    assert_true(dnstap_has(frame.read.present, DNSTAP_IDENTITY));
    free(frame.block);
}

static void test_a_message_given_twice_is_merged(void **state)
{
    struct frame frame = decode("7204 0805 1801 7801 7204 1803 3035");
    const struct dnstap_message *m = &frame.read.message;

    (void)state;
    assert_true(frame.sound);
    assert_int_equal(m->type, 5);
    assert_int_equal(m->socket_protocol, 3);
    assert_int_equal(m->query_port, 53);
    assert_int_equal(m->present, 1u << 1 | 1u << 3 | 1u << 6);
    free(frame.block);
}

static void test_a_policy_given_twice_is_merged(void **state)
{
    struct frame frame = decode("720a 7a04 1801 2001 7a02 1806 7801");
    const struct dnstap_policy *policy = &frame.read.message.policy;

    (void)state;
    assert_true(frame.sound);
    assert_int_equal(policy->action, 6);
    assert_int_equal(policy->match, 1);
    assert_int_equal(policy->present, 1u << 3 | 1u << 4);
    free(frame.block);
}

/* --- Numbers
 * ---------------------------------------------------------------------------------------- */

static void test_32_bits_are_kept_of_a_number(void **state)
{
    struct frame frame = decode("720c 0885808080f0ffffffff01 7801");

    (void)state;
    assert_false(frame.sound); /* the length is one too many */
    free(frame.block);
    frame = decode("720b 0885808080f0ffffffff01 7801");
    assert_true(frame.sound);
    assert_int_equal(frame.read.message.type, 5);
    free(frame.block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_accepted_or_not),
        cmocka_unit_test(test_unknown_fields_leave_no_trace),
        cmocka_unit_test(test_the_last_of_a_field_counts),
        cmocka_unit_test(test_a_message_given_twice_is_merged),
        cmocka_unit_test(test_a_policy_given_twice_is_merged),
        cmocka_unit_test(test_32_bits_are_kept_of_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
