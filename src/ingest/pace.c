/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/pace.h"

#include <stdbool.h>

/* As steady a rate as rates are brings less. */
#define MUCH (PACE_BYTES + PACE_BYTES / 4)

/* So much that the buffer may have been near its end. */
#define TOO_MUCH (2 * PACE_BYTES)

/* Until PACE_BYTES have come, if they come as the last ones did. */
static uint64_t rest_after(size_t got, uint64_t elapsed_ns)
{
    if (elapsed_ns > PACE_REST_MAX_NS) {
        elapsed_ns = PACE_REST_MAX_NS; /* for the product not to wrap around */
    }
    uint64_t rest_ns = elapsed_ns * PACE_BYTES / got;
    if (rest_ns < PACE_REST_MIN_NS) {
        return 0;
    }
    return rest_ns < PACE_REST_MAX_NS ? rest_ns : PACE_REST_MAX_NS;
}

void pace_note(struct pace *pace, size_t got, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - pace->read_ns;

    pace->read_ns = now_ns;
    if (got > TOO_MUCH) {
        pace->much_ns = now_ns;
    }
    bool calm = pace->much_ns == 0 || now_ns - pace->much_ns >= PACE_CALM_NS;
    pace->rest_ns = calm && got <= MUCH ? rest_after(got, elapsed_ns) : 0;
}
