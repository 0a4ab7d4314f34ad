/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_print_internal.h"

void yaml_print_string(const char *string, struct text *out)
{
    text_add_char(out, '"');
    for (; *string != '\0'; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\') {
            text_add_char(out, '\\');
            text_add_char(out, *string);
        } else if (c < ' ' || c == 0x7f) {
            text_add_format(out, "\\x%02x", c);
        } else {
            text_add_char(out, *string);
        }
    }
    text_add_char(out, '"');
}
