/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * wire_name.h - names as tests write them
 */

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/** Write the dotted name `text` ("" is the root) in wire format to `out`, which has 255 bytes. */
static inline struct bytes wire_name(const char *text, uint8_t *out)
{
    size_t len = 0;

    while (*text != '\0') {
        size_t label = strcspn(text, ".");
        out[len++] = (uint8_t)label;
        memcpy(out + len, text, label);
        len += label;
        text += label + (text[label] == '.');
    }
    out[len++] = 0;
    return (struct bytes){out, len};
}
