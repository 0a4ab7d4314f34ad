/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/dnstap.h"

#include <endian.h>

#include "base/cursor.h"

/* protobuf's wire types (groups, 3 and 4, are not supported by protobuf-c nor here). */
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

/* A field's key as one number, so that a field with a foreign wire type matches no case. */
#define KEY(field, wire_type) ((uint64_t)(field) << 3 | (uint64_t)(wire_type))

#define VARINT_BYTES_MAX      10 /* 64 bits, seven a byte */
#define SHORT_VARINT_MAX      5  /* 32 bits: keys and lengths */
#define LENGTH_MAX            INT32_MAX

/* --- Varints --- */

struct varint {
    uint64_t value;
    size_t len; /* bytes; 0: broken */
};

static struct varint varint_by_bytes(const uint8_t *at, size_t left, size_t len_max)
{
    struct varint varint = {0, 0};

    for (size_t i = 0; i < left && i < len_max; i++) {
        varint.value |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (at[i] < 0x80) {
            varint.len = i + 1;
            return varint;
        }
    }
    return varint;
}

/* Seven bits of each byte of the word, moved together: in pairs, in fours, in all eight. */
static inline uint64_t join_sevens(uint64_t word)
{
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}

static inline struct varint read_varint(const uint8_t *at, size_t left, size_t len_max)
{
    uint64_t word;

    if (left > 0 && *at < 0x80) {
        return (struct varint){*at, 1};
    }
    if (left < sizeof word) {
        return varint_by_bytes(at, left, len_max);
    }
    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    uint64_t ends = ~word & UINT64_C(0x8080808080808080); /* a bit for each byte that ends one */
    uint64_t to_first = ends ^ (ends - 1);
    size_t len = ends != 0 ? (size_t)__builtin_ctzll(ends) / 8 + 1 : sizeof word + 1;
    if (len > sizeof word || len > len_max) {
        return varint_by_bytes(at, left, len_max);
    }
    return (struct varint){join_sevens(word & to_first), len};
}

static inline uint64_t varint(struct cursor *cursor, size_t len_max)
{
    struct varint read = read_varint(cursor->at, cursor_left(cursor), len_max);

    if (read.len == 0) {
        cursor_fail(cursor);
        return 0;
    }
    cursor->at += read.len;
    return read.value;
}

/* Numbers declared as 32 bits wide keep their low 32 bits, as in every protobuf implementation. */
static inline uint32_t varint32(struct cursor *cursor)
{
    return (uint32_t)varint(cursor, VARINT_BYTES_MAX);
}

static inline struct bytes length_prefixed(struct cursor *cursor)
{
    uint64_t length = varint(cursor, SHORT_VARINT_MAX);

    if (length > LENGTH_MAX) {
        cursor_fail(cursor);
    }
    return cursor_take(cursor, length);
}

/* The next field's key, of which there is a byte at least; field number 0 is an error. */
static inline uint64_t next_key(struct cursor *cursor)
{
    uint8_t first = *cursor->at;

    if (first >= 0x08 && first < 0x80) {
        cursor->at++;
        return first;
    }
    if ((first & 0xf8) == 0) { /* protobuf-c looks at the first byte only, and so do we */
        cursor_fail(cursor);
    }
    return varint(cursor, SHORT_VARINT_MAX);
}

/* A field with a key that no case matched: skip it if its number is beyond `known_fields` (a bit
 * each), fail if it is a known one in a foreign wire type. */
static struct cursor skip_field(struct cursor cursor, uint64_t key, uint32_t known_fields)
{
    uint64_t field = key >> 3;

    if (field < 32 && dnstap_has(known_fields, (unsigned)field)) {
        cursor_fail(&cursor);
        return cursor;
    }
    switch (key & 7) {
    case WIRE_VARINT:
        (void)varint(&cursor, VARINT_BYTES_MAX);
        break;
    case WIRE_FIXED64:
        cursor_skip(&cursor, 8);
        break;
    case WIRE_LENGTH:
        (void)length_prefixed(&cursor);
        break;
    case WIRE_FIXED32:
        cursor_skip(&cursor, 4);
        break;
    default:
        cursor_fail(&cursor);
    }
    return cursor;
}

#define POLICY_FIELDS  0x3eu    /* 1 to 5 */
#define MESSAGE_FIELDS 0x1fffeu /* 1 to 16 */
#define FRAME_FIELDS   0xc00eu  /* 1 to 3, 14, 15 */

static bool decode_policy(struct bytes input, struct dnstap_policy *out)
{
    struct cursor cursor = cursor_over(input);
    uint32_t present = 0;

    while (cursor.at < cursor.end) {
        uint64_t key = next_key(&cursor);

        switch (key) {
        case KEY(DNSTAP_POLICY_TYPE, WIRE_LENGTH):
        case KEY(DNSTAP_POLICY_VALUE, WIRE_LENGTH):
            (void)length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_POLICY_RULE, WIRE_LENGTH):
            out->rule = length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_POLICY_ACTION, WIRE_VARINT):
            out->action = varint32(&cursor);
            break;
        case KEY(DNSTAP_POLICY_MATCH, WIRE_VARINT):
            out->match = varint32(&cursor);
            break;
        default:
            cursor = skip_field(cursor, key, POLICY_FIELDS);
            continue;
        }
        present |= 1u << (key >> 3);
    }
    out->present |= present;
    return !cursor.failed;
}

static bool decode_message(struct bytes input, struct dnstap_message *out)
{
    struct cursor cursor = cursor_over(input);
    uint32_t present = 0;

    while (cursor.at < cursor.end) {
        uint64_t key = next_key(&cursor);

        switch (key) {
        case KEY(DNSTAP_MESSAGE_TYPE, WIRE_VARINT):
            out->type = varint32(&cursor);
            break;
        case KEY(DNSTAP_SOCKET_FAMILY, WIRE_VARINT):
            out->socket_family = varint32(&cursor);
            break;
        case KEY(DNSTAP_SOCKET_PROTOCOL, WIRE_VARINT):
            out->socket_protocol = varint32(&cursor);
            break;
        case KEY(DNSTAP_QUERY_ADDRESS, WIRE_LENGTH):
            out->query_address = length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_RESPONSE_ADDRESS, WIRE_LENGTH):
            out->response_address = length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_QUERY_PORT, WIRE_VARINT):
            out->query_port = varint32(&cursor);
            break;
        case KEY(DNSTAP_RESPONSE_PORT, WIRE_VARINT):
            out->response_port = varint32(&cursor);
            break;
        case KEY(DNSTAP_QUERY_TIME_SEC, WIRE_VARINT):
            out->query_time_sec = varint(&cursor, VARINT_BYTES_MAX);
            break;
        case KEY(DNSTAP_QUERY_TIME_NSEC, WIRE_FIXED32):
            out->query_time_nsec = cursor_le32(&cursor);
            break;
        case KEY(DNSTAP_QUERY_MESSAGE, WIRE_LENGTH):
            out->query_message = length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_QUERY_ZONE, WIRE_LENGTH):
            (void)length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_RESPONSE_TIME_SEC, WIRE_VARINT):
            out->response_time_sec = varint(&cursor, VARINT_BYTES_MAX);
            break;
        case KEY(DNSTAP_RESPONSE_TIME_NSEC, WIRE_FIXED32):
            out->response_time_nsec = cursor_le32(&cursor);
            break;
        case KEY(DNSTAP_RESPONSE_MESSAGE, WIRE_LENGTH):
            out->response_message = length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_POLICY, WIRE_LENGTH):
            if (!decode_policy(length_prefixed(&cursor), &out->policy)) {
                cursor_fail(&cursor);
            }
            break;
        case KEY(DNSTAP_HTTP_PROTOCOL, WIRE_VARINT):
            out->http_protocol = varint32(&cursor);
            break;
        default:
            cursor = skip_field(cursor, key, MESSAGE_FIELDS);
            continue;
        }
        present |= 1u << (key >> 3);
    }
    out->present |= present;
    return !cursor.failed;
}

bool dnstap_decode(struct bytes frame, struct dnstap *out)
{
    struct cursor cursor = cursor_over(frame);
    uint32_t present = 0;

    *out = (struct dnstap){0};
    while (cursor.at < cursor.end) {
        uint64_t key = next_key(&cursor);

        switch (key) {
        case KEY(DNSTAP_IDENTITY, WIRE_LENGTH):
            out->identity = length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_VERSION, WIRE_LENGTH):
            out->version = length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_EXTRA, WIRE_LENGTH):
            (void)length_prefixed(&cursor);
            break;
        case KEY(DNSTAP_MESSAGE, WIRE_LENGTH):
            if (!decode_message(length_prefixed(&cursor), &out->message)) {
                cursor_fail(&cursor);
            }
            break;
        case KEY(DNSTAP_TYPE, WIRE_VARINT):
            out->type = varint32(&cursor);
            break;
        default:
            cursor = skip_field(cursor, key, FRAME_FIELDS);
            continue;
        }
        present |= 1u << (key >> 3);
    }
    out->present |= present;
    return !cursor.failed;
}
