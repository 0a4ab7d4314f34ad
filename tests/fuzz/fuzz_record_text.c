/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a DNS message: whatever is in them is printed in printable ASCII, within its
 * bound, and what is malformed as unknown data. */
#include <stdlib.h>

#include "decode/dns_message.h"
#include "fuzz/fuzz.h"
#include "present/record_text.h"

static void check(const struct text *text, int result)
{
    if (text->len == 0 || text->len > RECORD_TEXT_MAX || text->failed ||
        (result != RECORD_TEXT_SOUND && strncmp(text->data, "\\# ", 3) != 0)) {
        abort();
    }
    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] > '~') {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};
    struct dns_record_reader reader;
    struct dns_record record;
    struct dns_message message;
    struct text text = {0};

    dns_message_read(input, &message);
    if (message.records_offset == 0) {
        return 0;
    }
    dns_record_reader_init(&reader, input, message.records_offset);
    while (dns_record_next(&reader, &record)) {
        text_clear(&text);
        check(&text, record_text_data(&record, input, &text));
    }
    text_deinit(&text);
    return 0;
}
