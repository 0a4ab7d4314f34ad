/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_print_internal.h"

void yaml_print_string(const char *string, struct text *out)
{
    text_append_char(out, '"');
    for (; *string != '\0'; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\') {
            text_append_char(out, '\\');
            text_append_char(out, *string);
        } else if (c < ' ' || c == 0x7f) {
            text_append_format(out, "\\x%02x", c);
        } else {
            text_append_char(out, *string);
        }
    }
    text_append_char(out, '"');
}
