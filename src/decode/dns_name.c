/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/dns_name.h"

#define POINTER_BITS  0xc0 /* both set: a compression pointer */
#define POINTER_SPACE 0x3f

static void copy_lower(uint8_t *out, struct bytes label)
{
    for (size_t i = 0; i < label.len; i++) {
        out[i] = dns_name_lower(label.data[i]);
    }
}

/* Where the pointer with this first byte leads, as a cursor from there to `limit`, which keeps
 * every further pointer strictly backwards, so that the walk ends. */
static struct cursor follow(struct cursor *cursor, uint8_t first, struct bytes message,
                            const uint8_t *limit)
{
    size_t offset = (size_t)(first & POINTER_SPACE) << 8 | cursor_u8(cursor);

    if (cursor->failed || offset >= (size_t)(limit - message.data)) {
        return (struct cursor){.at = limit, .end = limit, .failed = true};
    }
    return (struct cursor){.at = message.data + offset, .end = limit, .failed = false};
}

size_t dns_name_read(struct cursor *cursor, struct bytes message, uint8_t out[DNS_NAME_MAX])
{
    struct cursor walk = *cursor;
    bool jumped = false;
    size_t len = 0;

    for (;;) {
        const uint8_t *label_start = walk.at;
        uint8_t first = cursor_u8(&walk);

        if (walk.failed) {
            break;
        }
        if (first == 0) {
            out[len++] = 0;
            if (!jumped) {
                *cursor = walk;
            }
            return len;
        }
        if ((first & POINTER_BITS) == POINTER_BITS) {
            struct cursor target = follow(&walk, first, message, label_start);
            if (!jumped) {
                *cursor = walk;
                jumped = true;
            }
            walk = target;
            continue;
        }
        if (first > DNS_LABEL_MAX || len + 1 + first > DNS_NAME_MAX - 1) {
            break;
        }
        struct bytes label = cursor_take(&walk, first);
        out[len++] = first;
        copy_lower(out + len, label);
        len += label.len;
    }
    cursor_fail(cursor);
    return 0;
}

void dns_name_skip(struct cursor *cursor)
{
    size_t len = 0;

    for (;;) {
        uint8_t first = cursor_u8(cursor);

        if (first == 0) { /* the root, or the end of the input: then the cursor has failed */
            return;
        }
        if ((first & POINTER_BITS) == POINTER_BITS) {
            cursor_skip(cursor, 1);
            return;
        }
        len += 1 + (size_t)first;
        if (first > DNS_LABEL_MAX || len > DNS_NAME_MAX - 1) {
            cursor_fail(cursor);
            return;
        }
        cursor_skip(cursor, first);
    }
}

static char *print_byte(uint8_t byte, char *out)
{
    if (byte > ' ' && byte <= '~' && byte != '.' && byte != '\\') {
        *out++ = (char)byte;
        return out;
    }
    *out++ = '\\';
    *out++ = (char)('0' + byte / 100);
    *out++ = (char)('0' + byte / 10 % 10);
    *out++ = (char)('0' + byte % 10);
    return out;
}

void dns_name_print(struct bytes name, char out[DNS_NAME_TEXT_SIZE])
{
    struct cursor cursor = cursor_over(name);
    char *start = out;

    for (size_t left = cursor_u8(&cursor); left > 0; left = cursor_u8(&cursor)) {
        if (out > start) {
            *out++ = '.';
        }
        for (; left > 0; left--) {
            out = print_byte(cursor_u8(&cursor), out);
        }
    }
    if (out == start) {
        *out++ = '.';
    }
    *out = '\0';
}
