/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/label.h"

#include <unictype.h>
#include <unistr.h>

void label_write(struct bytes value, char *label)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *at = value.data;
    size_t left = value.len;

    while (left > 0) {
        ucs4_t character;
        int len = u8_mbtoucr(&character, at, left);

        if (len > 0 && uc_is_print(character)) {
            memcpy(label, at, (size_t)len);
            label += len;
        } else {
            len = 1;
            *label++ = '\\';
            *label++ = 'x';
            *label++ = digits[*at >> 4];
            *label++ = digits[*at & 0xf];
        }
        at += len;
        left -= (size_t)len;
    }
    *label = '\0';
}
