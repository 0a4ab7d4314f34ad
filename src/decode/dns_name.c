/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/dns_name.h"

#define LABEL_MAX     63   /* bytes (RFC 1035 section 2.3.4) */
#define POINTER_BITS  0xc0 /* both set: a compression pointer */
#define POINTER_SPACE 0x3f /* high bits of the offset (RFC 1035 section 4.1.4) */

/* Eight bytes, those that are upper case letters made lower: bit 7 of each byte tells, after sums
 * that carry into it but not beyond. */
static inline uint64_t lower8(uint64_t word)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t seven = word & 0x7f * each;
    uint64_t from_a = seven + (0x80 - 'A') * each;
    uint64_t behind_z = seven + (0x80 - 'Z' - 1) * each;
    uint64_t is_upper = from_a & ~behind_z & ~word & 0x80 * each;

    return word | is_upper >> 2; /* 0x20 */
}

static inline void copy_lower8(uint8_t *out, const uint8_t *in)
{
    uint64_t word;

    memcpy(&word, in, sizeof word);
    word = lower8(word);
    memcpy(out, &word, sizeof word);
}

/* The labels between two places of a message, in lower case; their lengths are no letters. Returns
 * how many bytes it were. */
static inline size_t copy_lower(uint8_t *out, const uint8_t *from, const uint8_t *to)
{
    size_t len = (size_t)(to - from);

    if (len < 8) {
        for (size_t i = 0; i < len; i++) {
            out[i] = dns_name_lower(from[i]);
        }
        return len;
    }
    for (size_t i = 0; i + 8 < len; i += 8) {
        copy_lower8(out + i, from + i);
    }
    copy_lower8(out + len - 8, from + len - 8);
    return len;
}

/* Where the pointer with this first byte leads, as a cursor from there to `limit`, which keeps
 * every further pointer strictly backwards, so that the walk ends. */
static struct cursor dns_name_follow(struct cursor *cursor, uint8_t first, struct bytes message,
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
    const uint8_t *run = walk.at; /* where the labels begin that are not copied yet */
    unsigned jumps = 0;
    size_t len = 0;

    for (;;) {
        const uint8_t *label_start = walk.at;
        uint8_t first = cursor_u8(&walk);

        if (walk.failed) {
            break;
        }
        if ((first & POINTER_BITS) == POINTER_BITS) {
            struct cursor target = dns_name_follow(&walk, first, message, label_start);
            len += copy_lower(out + len, run, label_start);
            if (jumps++ == 0) {
                *cursor = walk;
            }
            if (jumps > DNS_LABELS_MAX) {
                break;
            }
            walk = target;
            run = walk.at;
            continue;
        }
        if (first > DNS_LABEL_MAX ||
            len + (size_t)(walk.at - run) + first > DNS_NAME_MAX - (first > 0)) {
            break;
        }
        if (first == 0) {
            if (jumps == 0) {
                *cursor = walk;
            }
            return len + copy_lower(out + len, run, walk.at);
        }
        cursor_skip(&walk, first);
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

bool dns_name_is_at_or_below(struct bytes name, struct bytes ancestor)
{
    size_t at = 0;

    while (at < name.len && name.len - at > ancestor.len) {
        at += (size_t)name.data[at] + 1;
    }
    return at < name.len && name.len - at == ancestor.len &&
           memcmp(name.data + at, ancestor.data, ancestor.len) == 0;
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

void dns_name_sum(const struct hash_key *key, struct bytes name, struct dns_name_suffixes *out)
{
    unsigned labels = 0;

    for (size_t at = 0; name.data[at] != 0; at += 1 + (size_t)name.data[at]) {
        out->offsets[labels++] = (uint8_t)at;
    }
    uint64_t sum = HASH_START;
    out->labels = labels;
    out->sums[labels] = sum;
    while (labels-- > 0) {
        const uint8_t *label = name.data + out->offsets[labels];
        sum = hash_add_bytes(key, sum, (struct bytes){label + 1, label[0]});
        out->sums[labels] = sum;
    }
}

/* --- From text --- */

/* A character of a name: itself, or `\DDD` or `\X` (RFC 1035 section 5.1). Returns what is behind
 * it, or NULL where it is none. */
static const char *dns_name_parse_character(const char *text, uint8_t *out)
{
    if (*text != '\\') {
        *out = (uint8_t)*text;
        return text + 1;
    }
    text++;
    if (*text < '0' || *text > '9') {
        *out = (uint8_t)*text;
        return *text != '\0' ? text + 1 : NULL;
    }
    unsigned number = 0;
    for (unsigned digits = 0; digits < 3; digits++, text++) {
        if (*text < '0' || *text > '9') {
            return NULL;
        }
        number = 10 * number + (unsigned)(*text - '0');
    }
    *out = (uint8_t)number;
    return number <= UINT8_MAX ? text : NULL;
}

/* A label up to a dot or the end, in lower case, at out[*used] (RFC 4034 section 6.2). Returns what
 * is behind it, or NULL where it is none. */
static const char *dns_name_parse_label(const char *text, uint8_t out[DNS_NAME_MAX], size_t *used)
{
    size_t start = *used;
    size_t len = 0;

    while (text != NULL && *text != '.' && *text != '\0') {
        uint8_t c = 0;
        text = dns_name_parse_character(text, &c);
        len++;
        if (len > LABEL_MAX || start + 1 + len >= DNS_NAME_MAX) { /* the root's label comes, too */
            return NULL;
        }
        out[start + len] = dns_name_lower(c);
    }
    out[start] = (uint8_t)len;
    *used = start + 1 + len;
    return len > 0 ? text : NULL;
}

/* Not through ldns, which ends the program where there is no memory. */
size_t dns_name_parse(const char *text, uint8_t out[DNS_NAME_MAX])
{
    size_t used = 0;

    do {
        text = dns_name_parse_label(text, out, &used);
        if (text == NULL) {
            return 0;
        }
        text += *text == '.';
    } while (*text != '\0');
    out[used++] = 0;
    return used;
}
