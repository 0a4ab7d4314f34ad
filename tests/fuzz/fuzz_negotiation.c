/* SPDX-License-Identifier: Apache-2.0 */
/* Any header gets a format. */
#include <stdlib.h>

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "http/negotiation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text header = {0};

    text_append_bytes(&header, (struct bytes){data, size});
    enum exposition format = negotiate_exposition(header.data);
    if (format >= EXPOSITION_COUNT) {
        abort();
    }
    (void)negotiate_gzip(header.data);
    text_deinit(&header);
    return 0;
}
