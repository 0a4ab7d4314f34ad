/* SPDX-License-Identifier: Apache-2.0 */
#include "count/label.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/utf8.h"

#define HASH_PRINTED 9 /* a dash and eight digits */

/* A character of a label, and what it takes on a page. */
struct piece {
    char text[8];
    size_t len;
    size_t printed;
    size_t taken; /* bytes of the value */
};

static struct piece next_piece(struct bytes value)
{
    static const char digits[] = "0123456789abcdef";
    struct piece piece = {.len = 4, .taken = 1};
    size_t len = utf8_shown(value);

    if (len > 0) {
        memcpy(piece.text, value.data, len);
        piece.len = piece.taken = len;
    } else {
        piece.text[0] = '\\';
        piece.text[1] = 'x';
        piece.text[2] = digits[value.data[0] >> 4];
        piece.text[3] = digits[value.data[0] & 0xf];
    }
    piece.printed = piece.len + (piece.text[0] == '\\' || piece.text[0] == '"');
    return piece;
}

static uint32_t label_hash_of(struct bytes value)
{
    uint32_t hash = 0x811c9dc5;

    for (size_t i = 0; i < value.len; i++) {
        hash = (hash ^ value.data[i]) * 0x01000193;
    }
    return hash;
}

void label_write(struct bytes value, char label[LABEL_SIZE])
{
    struct bytes left = value;
    size_t len = 0;
    size_t printed = 0;
    size_t cut = 0; /* bytes that are kept if the label gets too long */

    while (left.len > 0) {
        struct piece piece = next_piece(left);

        if (printed + piece.printed > LABEL_PRINTED_MAX) {
            (void)snprintf(label + cut, LABEL_SIZE - cut, "-%08" PRIx32, label_hash_of(value));
            return;
        }
        memcpy(label + len, piece.text, piece.len);
        len += piece.len;
        printed += piece.printed;
        if (printed <= LABEL_PRINTED_MAX - HASH_PRINTED) {
            cut = len;
        }
        left.data += piece.taken;
        left.len -= piece.taken;
    }
    label[len] = '\0';
}
