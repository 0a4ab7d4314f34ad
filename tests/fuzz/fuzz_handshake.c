/* SPDX-License-Identifier: Apache-2.0 */
/* Control frames, each behind one byte of length, in any order: the reply is none, ACCEPT or
 * FINISH. */
#include <stdlib.h>

#include "base/cursor.h"
#include "fuzz/fuzz.h"
#include "stream/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size});
    struct control_frame reply;
    struct handshake handshake;

    handshake_init(&handshake);
    while (cursor_left(&cursor) > 0) {
        struct bytes control = cursor_take(&cursor, cursor_u8(&cursor));

        if (cursor.failed || handshake_control(&handshake, control, &reply) != HANDSHAKE_GOES_ON) {
            break;
        }
        if (reply.len != 0 && reply.len != 12 && reply.len != 42) {
            abort();
        }
    }
    return 0;
}
