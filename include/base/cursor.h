/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * cursor.h - bounded reading with a sticky error
 *
 * A read past the end fails the cursor: it and every later read yield zero and move nothing, so a
 * parser is straight-line code with one check of `failed` at its end.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct cursor {
    const uint8_t *at;  /* next byte to read */
    const uint8_t *end; /* one past the last readable byte */
    bool failed;        /* a read ran past the end, or the reader found the bytes unusable */
};

/** A cursor over `input`, at its first byte. */
static inline struct cursor cursor_over(struct bytes input)
{
    return (struct cursor){input.data, input.data + input.len, false};
}

/** Bytes left to read; 0 once failed. */
static inline size_t cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/** Give up: nothing is left to read. */
static inline void cursor_fail(struct cursor *cursor)
{
    cursor->at = cursor->end;
    cursor->failed = true;
}

/** Whether `count` more bytes can be read; fails the cursor where not. */
static inline bool cursor_need(struct cursor *cursor, size_t count)
{
    if (cursor_left(cursor) >= count) {
        return true;
    }
    cursor_fail(cursor);
    return false;
}

/** The next `count` bytes, borrowed from the input; empty on failure. */
static inline struct bytes cursor_take(struct cursor *cursor, size_t count)
{
    if (!cursor_need(cursor, count)) {
        return (struct bytes){cursor->end, 0};
    }
    const uint8_t *start = cursor->at;
    cursor->at += count;
    return (struct bytes){start, count};
}

/** Pass over `count` bytes. */
static inline void cursor_skip(struct cursor *cursor, size_t count)
{
    if (cursor_need(cursor, count)) {
        cursor->at += count;
    }
}

/** One byte. */
static inline uint8_t cursor_u8(struct cursor *cursor)
{
    return cursor_need(cursor, 1) ? *cursor->at++ : 0;
}

/** Two bytes, most significant first (DNS, RFC 1035 section 2.3.2). */
static inline uint16_t cursor_be16(struct cursor *cursor)
{
    if (!cursor_need(cursor, 2)) {
        return 0;
    }
    const uint8_t *p = cursor->at;
    cursor->at += 2;
    return (uint16_t)(p[0] << 8 | p[1]);
}

/** Four bytes, most significant first. */
static inline uint32_t cursor_be32(struct cursor *cursor)
{
    uint32_t high = cursor_be16(cursor);
    return high << 16 | cursor_be16(cursor);
}

/** Four bytes, least significant first (protobuf's fixed32). */
static inline uint32_t cursor_le32(struct cursor *cursor)
{
    if (!cursor_need(cursor, 4)) {
        return 0;
    }
    const uint8_t *p = cursor->at;
    cursor->at += 4;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
