/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/dns_record.h"

/* Where the header has its counts (RFC 1035 section 4.1.1). */
enum { ANCOUNT_OFFSET = 6, NSCOUNT_OFFSET = 8, ARCOUNT_OFFSET = 10 };

#define RECORD_FIXED_SIZE 10 /* bytes of a record's type, class, TTL and length */

void dns_record_reader_init(struct dns_record_reader *reader, struct bytes message,
                            size_t records_offset)
{
    const uint8_t *header = message.data;

    reader->cursor = cursor_over(message);
    reader->cursor.at += records_offset;
    reader->section = DNS_SECTION_ANSWER;
    reader->left = bytes_be16_at(header + ANCOUNT_OFFSET);
    reader->following = bytes_be16_at(header + NSCOUNT_OFFSET) |
                        (unsigned)bytes_be16_at(header + ARCOUNT_OFFSET) << 16;
}

unsigned dns_record_answer_count(struct bytes message)
{
    return bytes_be16_at(message.data + ANCOUNT_OFFSET);
}

/* Whether there is a record left, in this section or in one behind it. */
static inline bool find_section(struct dns_record_reader *reader)
{
    while (reader->left == 0) {
        if (reader->following == 0) {
            return false;
        }
        reader->section++;
        reader->left = reader->following & UINT16_MAX;
        reader->following >>= 16;
    }
    return true;
}

bool dns_record_next(struct dns_record_reader *reader, struct dns_record *out)
{
    struct cursor *cursor = &reader->cursor;
    const uint8_t *start = cursor->at;

    if (!find_section(reader)) {
        return false;
    }
    reader->left--;
    dns_name_skip(cursor);
    struct bytes fixed = cursor_take(cursor, RECORD_FIXED_SIZE);
    if (cursor->failed) {
        return false;
    }
    out->section = reader->section;
    out->owner = (struct bytes){start, (size_t)(fixed.data - start)};
    out->type = bytes_be16_at(fixed.data);
    out->class = bytes_be16_at(fixed.data + 2);
    out->ttl = (uint32_t)bytes_be16_at(fixed.data + 4) << 16 | bytes_be16_at(fixed.data + 6);
    out->data = cursor_take(cursor, bytes_be16_at(fixed.data + 8));
    return !cursor->failed;
}

size_t dns_record_owner(const struct dns_record *record, struct bytes message,
                        uint8_t out[DNS_NAME_MAX])
{
    struct cursor cursor = cursor_over(record->owner);

    return dns_name_read(&cursor, message, out);
}

size_t dns_record_target(const struct dns_record *record, struct bytes message,
                         uint8_t out[DNS_NAME_MAX])
{
    struct cursor cursor = cursor_over(record->data);

    switch (record->type) {
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR:
    case DNS_TYPE_DNAME:
        break;
    case DNS_TYPE_MX: /* behind a preference */
        cursor_skip(&cursor, 2);
        break;
    case DNS_TYPE_SRV: /* behind priority, weight and port */
        cursor_skip(&cursor, 6);
        break;
    default:
        return 0;
    }
    return dns_name_read(&cursor, message, out);
}

static unsigned ipv4_address(const uint8_t *address)
{
    uint8_t first = address[0];
    uint8_t second = address[1];

    if (first == 0 || first == 127 || first >= 224) {
        return 0;
    }
    if (first == 10 || (first == 192 && second == 168) || (first == 172 && second >> 4 == 1) ||
        (first == 169 && second == 254) || (first == 100 && second >> 6 == 1)) {
        return DNS_ADDRESS_PRIVATE;
    }
    return DNS_ADDRESS_PUBLIC;
}

static unsigned ipv6_address(const uint8_t *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 section 2.5.5.2 */
    uint8_t first = address[0];
    uint8_t second = address[1];

    if (memcmp(address, mapped, sizeof mapped) == 0) {
        return ipv4_address(address + sizeof mapped);
    }
    if (first == 0 || first == 0xff) {
        return 0;
    }
    return first >> 1 == 0xfc >> 1 || (first == 0xfe && second >> 6 == 2) ? DNS_ADDRESS_PRIVATE
                                                                          : DNS_ADDRESS_PUBLIC;
}

unsigned dns_record_address(const struct dns_record *record)
{
    if (record->type == DNS_TYPE_A && record->data.len == 4) {
        return ipv4_address(record->data.data);
    }
    if (record->type == DNS_TYPE_AAAA && record->data.len == 16) {
        return ipv6_address(record->data.data);
    }
    return 0;
}

bool dns_nsec_has_type(struct bytes data, uint16_t type)
{
    struct cursor cursor = cursor_over(data);

    dns_name_skip(&cursor); /* the next name in the zone */
    while (cursor_left(&cursor) > 0) {
        uint8_t window = cursor_u8(&cursor);
        struct bytes map = cursor_take(&cursor, cursor_u8(&cursor));
        size_t byte = (type & 0xffu) / 8;

        if (window == type >> 8) {
            return byte < map.len && (map.data[byte] >> (7 - type % 8) & 1) != 0;
        }
    }
    return false;
}
