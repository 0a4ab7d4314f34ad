/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <unictype.h>
#include <unistr.h>

size_t utf8_shown(struct bytes text)
{
    ucs4_t character;
    int len = u8_mbtoucr(&character, text.data, text.len);
    bool is_shown = len > 0 && uc_is_print(character) &&
                    !uc_is_general_category(character, UC_CATEGORY_Cf);

    return is_shown ? (size_t)len : 0;
}
