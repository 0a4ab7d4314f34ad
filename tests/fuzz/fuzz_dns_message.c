/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS message: what ours finds sound has a question if it was promised one, within its bounds. */
#include <stdlib.h>

#include "decode/dns_message.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_message message;

    dns_message_read((struct bytes){data, size}, &message);
    bool question_expected = message.defect == DNS_DEFECT_NONE && message.question_promised;
    if ((question_expected && !message.has_question) || message.qname_len > DNS_NAME_MAX ||
        message.has_question != (message.qname_len > 0) ||
        message.edns.info_code_len > EDNS_INFO_CODES_MAX || message.rcode > 0xfff) {
        abort();
    }
    return 0;
}
