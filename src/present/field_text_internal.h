/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * field_text_internal.h - the fields of a record's data, each as it is presented
 *
 * A function reads its field at the cursor and writes it. Where the data is not such a field, it
 * fails the cursor, and what it has written is undefined.
 */

#include "base/cursor.h"
#include "writer_internal.h"

/** Write a number in decimal digits to `at`, where there is room for 20. Returns its end. */
NONNULL static inline char *put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(at, digits + first, sizeof digits - first);
    return at + (sizeof digits - first);
}

/** A number in decimal digits. */
NONNULL void field_number(uint32_t number, struct writer *writer);

/** A name, which may be compressed, in lower case (decode/dns_name.h). */
NONNULL void field_name(struct cursor *data, struct bytes message, struct writer *writer);

#define FIELD_ADDRESS_SIZE sizeof "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"

/** An address of 4 or 16 bytes into `out`, which has FIELD_ADDRESS_SIZE bytes. Returns its end,
 * where there is no NUL. */
NONNULL char *field_put_address(struct bytes address, char *out);

NONNULL void field_ipv4(struct cursor *data, struct writer *writer);

/** As RFC 5952 has it; with the last 32 bits as an IPv4 address below ::/96 and ::ffff:0:0/96, as
 * inet_ntop() does. */
NONNULL void field_ipv6(struct cursor *data, struct writer *writer);

/** The bytes of a quoted string, without the quotes: `\"`, `\\`, `\DDD` (RFC 1035 section 5.1). */
NONNULL void field_escaped(struct bytes bytes, struct writer *writer);

/** The bytes as a quoted string. */
NONNULL void field_quoted(struct bytes bytes, struct writer *writer);

/** A character string: its length in a byte, then its bytes. */
NONNULL void field_string(struct cursor *data, struct writer *writer);

/** Character strings up to the end, one at least. */
NONNULL void field_strings(struct cursor *data, struct writer *writer);

NONNULL void field_hex(struct bytes bytes, struct writer *writer);

/** RFC 4648 section 4. */
NONNULL void field_base64(struct bytes bytes, struct writer *writer);

/** RFC 4648 section 7, in lower case and without padding (RFC 5155 section 3.3). */
NONNULL void field_base32hex(struct bytes bytes, struct writer *writer);

/** Seconds since 1970 as YYYYMMDDHHmmSS, in UTC (RFC 4034 section 3.2). */
NONNULL void field_date(uint32_t seconds, struct writer *writer);

/** A type's mnemonic, or TYPE65280. */
NONNULL void field_type(uint16_t type, struct writer *writer);

/** The types of a bit map up to the end (RFC 4034 section 4.1.2), each behind a blank. */
NONNULL void field_type_map(struct cursor *data, struct writer *writer);
