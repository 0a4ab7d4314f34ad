/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * dns_name.h - domain names in wire format (RFC 1035 section 3.1, compression in 4.1.4)
 */

#include "base/attr.h"
#include "base/cursor.h"
#include "base/hash.h"

/** Bytes of the longest name on the wire, its root label included (RFC 1035 section 2.3.4). */
#define DNS_NAME_MAX 255

/** Bytes of the longest label, without its length. */
#define DNS_LABEL_MAX 63

/** Labels of the longest name, the root not counted. */
#define DNS_LABELS_MAX 127

/** A byte of a name in lower case: ASCII letters only (RFC 4343). */
static inline uint8_t dns_name_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/** Read the name at the cursor and leave the cursor behind it. `message` is the whole DNS message,
 * for compression pointers, which must point strictly backwards; more than DNS_LABELS_MAX are an
 * error. The name is written to `out` uncompressed and in lower case (RFC 4343). Returns its length
 * in bytes, or 0 and a failed cursor where it is none. */
NONNULL size_t dns_name_read(struct cursor *cursor, struct bytes message,
                             uint8_t out[DNS_NAME_MAX]);

/** Pass over the name at the cursor without looking where a compression pointer leads. */
NONNULL void dns_name_skip(struct cursor *cursor);

/** Whether `name` is `ancestor` or below it; both in wire format and lower case, without
 * compression. */
NONNULL bool dns_name_is_at_or_below(struct bytes name, struct bytes ancestor);

/** Room for any name as text, its NUL included: a byte becomes at most \DDD. */
#define DNS_NAME_TEXT_SIZE (4 * DNS_NAME_MAX)

/** Write a name in wire format without compression, as dns_name_read() makes it, as text: labels
 *  joined by dots, no dot at the end, the root as ".". Bytes that are not printable ASCII, blanks,
 *  and dots and backslashes inside labels become \DDD (RFC 1035 section 5.1). */
NONNULL void dns_name_print(struct bytes name, char out[DNS_NAME_TEXT_SIZE]);

/** Read a name as people write it, "example.com", with or without the dot at the end, and with
 * \\DDD and \\X (RFC 1035 section 5.1), into wire format and lower case. Returns its bytes, or 0
 * where it is no name, or the root. */
NONNULL size_t dns_name_parse(const char *text, uint8_t out[DNS_NAME_MAX]);

/** Where the labels of a name begin, and the sums (base/hash.h) of what begins there. Equal names
 * have equal sums, also as a suffix; different ones share one with probability 2^-53 at most. */
struct dns_name_suffixes {
    unsigned labels;                   /* not counting the root */
    uint8_t offsets[DNS_LABELS_MAX];   /* [labels], the first label's first */
    uint64_t sums[DNS_LABELS_MAX + 1]; /* [labels + 1]: of the suffix at each, and of the root */
};

/** Sum up a name and every suffix of it under `key` in one go, from the root on. `name` is in wire
 * format without compression, as dns_name_read() makes it. */
NONNULL void dns_name_sum(const struct hash_key *key, struct bytes name,
                          struct dns_name_suffixes *out);
