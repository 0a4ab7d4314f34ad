/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * writer_internal.h - a buffer in front of a text, so that a record is appended at once
 *
 * It lives on the stack of record_text_data(). Whoever writes makes room first, for fewer bytes
 * than WRITER_SIZE, and adds what it has written to `len`.
 */

#include "base/text.h"
#include "decode/dns_name.h"

/** Room for the longest name, its NUL included, and a few bytes. */
#define WRITER_SIZE (DNS_NAME_TEXT_SIZE + 4)

struct writer {
    struct text *out;
    size_t len; /* bytes that are not appended yet */
    char space[WRITER_SIZE];
};

NONNULL static inline void writer_flush(struct writer *writer)
{
    text_append_bytes(writer->out, (struct bytes){(const uint8_t *)writer->space, writer->len});
    writer->len = 0;
}

/** Where the next `size` bytes can be written. */
NONNULL static inline char *writer_room(struct writer *writer, size_t size)
{
    if (WRITER_SIZE - writer->len < size) {
        writer_flush(writer);
    }
    return writer->space + writer->len;
}

NONNULL static inline void writer_char(struct writer *writer, char c)
{
    *writer_room(writer, 1) = c;
    writer->len++;
}

/** Write fewer than WRITER_SIZE bytes. */
NONNULL static inline void writer_string(struct writer *writer, const char *string)
{
    size_t len = strlen(string);

    memcpy(writer_room(writer, len), string, len);
    writer->len += len;
}
