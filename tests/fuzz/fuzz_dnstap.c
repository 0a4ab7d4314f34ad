/* SPDX-License-Identifier: Apache-2.0 */
/* A dnstap frame: our decoder and protobuf-c both accept it or both reject it. */
#include <stdlib.h>

#include "decode/dnstap.h"
#include "dnstap.pb-c.h"
#include "fuzz/fuzz.h"

static bool repeats_message(const uint8_t *data, size_t size)
{
    const uint8_t *first = memchr(data, 0x72, size); /* the key of Dnstap.message */
    return first != NULL && memchr(first + 1, 0x72, size - (size_t)(first + 1 - data)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dnstap ours;
    bool accepted = dnstap_decode((struct bytes){data, size}, &ours) &&
                    dnstap_has(ours.present, DNSTAP_TYPE) &&
                    (!dnstap_has(ours.present, DNSTAP_MESSAGE) ||
                     dnstap_has(ours.message.present, DNSTAP_MESSAGE_TYPE));
    Dnstap__Dnstap *theirs = dnstap__dnstap__unpack(NULL, size, data);

    /* A message that comes twice is the known difference, see tests/oracle/test_dnstap_oracle.c. */
    if (accepted != (theirs != NULL) && !repeats_message(data, size)) {
        abort();
    }
    if (theirs != NULL) {
        dnstap__dnstap__free_unpacked(theirs, NULL);
    }
    return 0;
}
