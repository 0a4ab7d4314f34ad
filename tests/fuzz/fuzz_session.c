/* SPDX-License-Identifier: Apache-2.0 */
/* A session of each role over any bytes: it comes to its end, and what it has to say fits. The
 * first byte is the role. */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "stream/session.h"

static bool is_mistake(enum session_event event)
{
    return event >= SESSION_BAD_LENGTH;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session session;
    enum session_event event = SESSION_NEED_MORE;
    struct bytes payload;

    if (size == 0) {
        return 0;
    }
    struct bytes input = {data + 1, size - 1};
    session_init(&session, (enum session_role)(data[0] % 3), 1024);
    do {
        size_t before = input.len;
        event = session_next(&session, &input, &payload);
        if (session.outgoing_len > sizeof session.outgoing) {
            abort();
        }
        if (event != SESSION_NEED_MORE && !is_mistake(event) && input.len >= before) {
            abort(); /* it would go on for ever */
        }
    } while (event != SESSION_NEED_MORE && !is_mistake(event));
    return 0;
}
