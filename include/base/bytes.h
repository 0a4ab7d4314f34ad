/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * bytes.h - a borrowed run of bytes
 *
 * Whoever hands one out says until when it is valid. It never owns its memory.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* may be NULL where len is 0 */
    size_t len;
};

/** The bytes of a C string, without its terminating NUL. */
static inline struct bytes bytes_of_string(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

/** The 16-bit number in network byte order at `at`, which has two bytes. */
static inline uint16_t bytes_be16_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/** Whether both hold the same bytes. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/** The order of byte strings: negative, 0 or positive where `a` comes before, equals or comes after
 * `b`; a prefix comes before what it begins. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
