/* SPDX-License-Identifier: Apache-2.0 */
#include "field_text_internal.h"

#include "count/dns_mnemonic.h"
#include "present/record_text.h"

static const char hex_digits[] = "0123456789abcdef";

/* --- Numbers --- */

void field_number(uint32_t number, struct writer *writer)
{
    char *at = writer_room(writer, 10);

    writer->len += (size_t)(put_number(at, number) - at);
}

static char *put_two_digits(unsigned number, char *out)
{
    *out++ = (char)('0' + number / 10);
    *out++ = (char)('0' + number % 10);
    return out;
}

/* Not by gmtime_r(), which takes a lock. Years are counted from March on, so that a leap day is the
 * last of one; 32 bits of seconds end in 2106, and of the years that 400 and 100 divide there are
 * two: 2000, which has a leap day, and 2100. */
void field_date(uint32_t seconds, struct writer *writer)
{
    /* Before March of each month, counted from March. */
    static const uint16_t days_before[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};
    const uint32_t days_from_1968 = 671;  /* from the first of March 1968 to 1970 */
    const uint32_t leap_day_2100 = 47541; /* days from 1970 to the first of March 2100 */
    uint32_t days = seconds / 86400;
    uint32_t second = seconds % 86400;

    days += days_from_1968 + (days >= leap_day_2100); /* as if 2100 had a leap day */
    uint32_t year = 1968 + days / 1461 * 4;
    uint32_t day = days % 1461;
    uint32_t years = day / 365 < 3 ? day / 365 : 3;
    unsigned month = 11;
    day -= years * 365;
    while (days_before[month] > day) {
        month--;
    }
    year += years + (month >= 10);
    day -= days_before[month];
    char *at = writer_room(writer, 14);
    at = put_two_digits(year / 100, at);
    at = put_two_digits(year % 100, at);
    at = put_two_digits((month + 2) % 12 + 1, at);
    at = put_two_digits(day + 1, at);
    at = put_two_digits(second / 3600, at);
    at = put_two_digits(second / 60 % 60, at);
    (void)put_two_digits(second % 60, at);
    writer->len += 14;
}

/* --- Addresses --- */

static char *put_ipv4(const uint8_t *address, char *out)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned byte = address[i];
        if (i > 0) {
            *out++ = '.';
        }
        if (byte >= 100) {
            *out++ = (char)('0' + byte / 100);
        }
        if (byte >= 10) {
            *out++ = (char)('0' + byte / 10 % 10);
        }
        *out++ = (char)('0' + byte % 10);
    }
    return out;
}

void field_ipv4(struct cursor *data, struct writer *writer)
{
    struct bytes address = cursor_take(data, 4);
    char *at = writer_room(writer, sizeof "255.255.255.255");

    if (!data->failed) {
        writer->len += (size_t)(put_ipv4(address.data, at) - at);
    }
}

static char *put_group(unsigned group, char *out)
{
    if (group >= 0x1000) {
        *out++ = hex_digits[group >> 12];
    }
    if (group >= 0x100) {
        *out++ = hex_digits[group >> 8 & 0xf];
    }
    if (group >= 0x10) {
        *out++ = hex_digits[group >> 4 & 0xf];
    }
    *out++ = hex_digits[group & 0xf];
    return out;
}

/* The longest run of zero groups, the first of equals; a single one is none (RFC 5952 section
 * 4.2). */
static void find_zeros(const unsigned groups[8], unsigned *start, unsigned *len)
{
    unsigned run = 0;

    *start = 8;
    *len = 1;
    for (unsigned i = 0; i < 8; i++) {
        run = groups[i] == 0 ? run + 1 : 0;
        if (run > *len) {
            *start = i + 1 - run;
            *len = run;
        }
    }
}

static char *put_ipv6(const uint8_t *address, char *out)
{
    unsigned groups[8];
    unsigned zeros;
    unsigned zeros_len;

    for (unsigned i = 0; i < 8; i++) {
        groups[i] = bytes_be16_at(address + 2 * (size_t)i);
    }
    find_zeros(groups, &zeros, &zeros_len);
    bool mixed = zeros == 0 && (zeros_len == 6 || (zeros_len == 5 && groups[5] == 0xffff));
    for (unsigned i = 0; i < (mixed ? 6 : 8); i++) {
        if (i == zeros) {
            *out++ = ':';
            i += zeros_len - 1;
            continue;
        }
        if (i > 0) {
            *out++ = ':';
        }
        out = put_group(groups[i], out);
    }
    if (mixed || zeros + zeros_len == 8) {
        *out++ = ':';
    }
    return mixed ? put_ipv4(address + 12, out) : out;
}

char *field_put_address(struct bytes address, char *out)
{
    return address.len == 4 ? put_ipv4(address.data, out) : put_ipv6(address.data, out);
}

void field_ipv6(struct cursor *data, struct writer *writer)
{
    struct bytes address = cursor_take(data, 16);
    char *at = writer_room(writer, sizeof "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");

    if (!data->failed) {
        writer->len += (size_t)(put_ipv6(address.data, at) - at);
    }
}

/* --- Names --- */

#define EACH UINT64_C(0x0101010101010101)

/* Not 0 if one of the eight bytes is 0. */
static inline uint64_t any_zero(uint64_t word)
{
    return (word - EACH) & ~word & 0x80 * EACH;
}

/* Whether none of the bytes has to be escaped in a label (decode/dns_name.h). Reads whole words. */
static inline bool all_plain(const char *bytes, size_t len)
{
    uint64_t escaped = 0;

    for (size_t i = 0; i < len; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        escaped |= (word - 0x21 * EACH) & ~word; /* up to the blank */
        escaped |= word | any_zero(word ^ 0x7f * EACH) | any_zero(word ^ '\\' * EACH) |
                   any_zero(word ^ '.' * EACH);
    }
    return (escaped & 0x80 * EACH) == 0;
}

/* The labels as they stand, with `between` for the length of each but the first. */
static inline void mark_lengths(const uint8_t *name, size_t len, char between, char *out)
{
    for (size_t at = name[0]; at + 2 < len; at += 1 + (size_t)name[at + 1]) {
        out[at] = between;
    }
}

/* Most names have nothing to escape: they are copied, and the lengths become dots. */
void field_name(struct cursor *data, struct bytes message, struct writer *writer)
{
    uint8_t name[DNS_NAME_MAX];
    size_t len = dns_name_read(data, message, name);
    char *out = writer_room(writer, (size_t)DNS_NAME_TEXT_SIZE);

    if (len == 0) {
        return;
    }
    if (len > 1) {
        size_t text_len = len - 2; /* without the first length, and the root's */
        memcpy(out, name + 1, text_len);
        memset(out + text_len, '-', 8);
        mark_lengths(name, len, '-', out);
        if (all_plain(out, text_len)) {
            mark_lengths(name, len, '.', out);
            writer->len += text_len;
            return;
        }
    }
    dns_name_print((struct bytes){name, len}, out);
    writer->len += strlen(out);
}

/* --- Strings --- */

static inline char *put_escaped(uint8_t byte, char *out)
{
    if (byte >= ' ' && byte <= '~') {
        if (byte == '"' || byte == '\\') {
            *out++ = '\\';
        }
        *out++ = (char)byte;
        return out;
    }
    *out++ = '\\';
    *out++ = (char)('0' + byte / 100);
    return put_two_digits(byte % 100, out);
}

void field_escaped(struct bytes bytes, struct writer *writer)
{
    const size_t block = 128; /* bytes at a time */

    for (size_t i = 0; i < bytes.len;) {
        size_t end = bytes.len - i > block ? i + block : bytes.len;
        char *start = writer_room(writer, 4 * block);
        char *at = start;
        for (; i < end; i++) {
            at = put_escaped(bytes.data[i], at);
        }
        writer->len += (size_t)(at - start);
    }
}

void field_quoted(struct bytes bytes, struct writer *writer)
{
    writer_char(writer, '"');
    field_escaped(bytes, writer);
    writer_char(writer, '"');
}

void field_string(struct cursor *data, struct writer *writer)
{
    field_quoted(cursor_take(data, cursor_u8(data)), writer);
}

void field_strings(struct cursor *data, struct writer *writer)
{
    field_string(data, writer);
    while (cursor_left(data) > 0) {
        writer_char(writer, ' ');
        field_string(data, writer);
    }
}

/* --- Binary data --- */

void field_hex(struct bytes bytes, struct writer *writer)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char *at = writer_room(writer, 2);
        at[0] = hex_digits[bytes.data[i] >> 4];
        at[1] = hex_digits[bytes.data[i] & 0xf];
        writer->len += 2;
    }
}

void field_base64(struct bytes bytes, struct writer *writer)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t bits = (uint32_t)bytes.data[i] << 16 |
                        (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                        (left > 2 ? bytes.data[i + 2] : 0);
        char *at = writer_room(writer, 4);
        at[0] = digits[bits >> 18];
        at[1] = digits[bits >> 12 & 0x3f];
        at[2] = left > 1 ? digits[bits >> 6 & 0x3f] : '=';
        at[3] = left > 2 ? digits[bits & 0x3f] : '=';
        writer->len += 4;
    }
}

void field_base32hex(struct bytes bytes, struct writer *writer)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint32_t bits = 0;
    unsigned held = 0; /* of `bits`, not written yet */

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | bytes.data[i];
        held += 8;
        for (; held >= 5; held -= 5) {
            writer_char(writer, digits[bits >> (held - 5) & 0x1f]);
        }
    }
    if (held > 0) {
        writer_char(writer, digits[bits << (5 - held) & 0x1f]);
    }
}

/* --- Types --- */

void field_type(uint16_t type, struct writer *writer)
{
    char label[DNS_MNEMONIC_SIZE];

    (void)dns_mnemonic_qtype(type, label);
    writer_string(writer, label);
}

/* The types of one window. Returns how many there were. */
static unsigned write_window(unsigned window, struct bytes map, struct writer *writer)
{
    unsigned count = 0;

    for (unsigned i = 0; i < 8 * map.len; i++) {
        if ((map.data[i / 8] >> (7 - i % 8) & 1) != 0) {
            writer_char(writer, ' ');
            field_type((uint16_t)(window << 8 | i), writer);
            count++;
        }
    }
    return count;
}

void field_type_map(struct cursor *data, struct writer *writer)
{
    int last_window = -1;
    unsigned count = 0;

    while (cursor_left(data) > 0) {
        uint8_t window = cursor_u8(data);
        struct bytes map = cursor_take(data, cursor_u8(data));
        if (window <= last_window || map.len == 0 || map.len > 32) {
            cursor_fail(data);
            return;
        }
        last_window = window;
        count += write_window(window, map, writer);
        if (count > RECORD_TEXT_TYPES_MAX) {
            cursor_fail(data);
        }
    }
}
