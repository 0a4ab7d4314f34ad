/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * hex.h - bytes as tests write them
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline unsigned hex_nibble(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/** Read lower-case hex digits, two a byte, with blanks between bytes, into `out`, which has `size`
 * bytes. Returns how many bytes there were; ends the process where they are more. */
static inline size_t hex_read(const char *hex, uint8_t *out, size_t size)
{
    size_t len = 0;

    for (const char *p = hex; *p != '\0'; p++) {
        if (*p != ' ') {
            if (len == size) {
                abort();
            }
            out[len++] = (uint8_t)(hex_nibble(p[0]) << 4 | hex_nibble(p[1]));
            p++;
        }
    }
    return len;
}
