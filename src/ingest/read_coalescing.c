/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/read_coalescing.h"

#include <stdbool.h>

/* A steady rate brings less. */
#define STEADY_MAX (COALESCE_BYTES + COALESCE_BYTES / 4)

/* The buffer may have been nearly full. */
#define BURST_MIN (2 * COALESCE_BYTES)

/* Until COALESCE_BYTES have come, if they come as the last ones did. */
static uint64_t read_coalescing_delay(size_t got, uint64_t elapsed_ns)
{
    if (elapsed_ns > COALESCE_DELAY_MAX_NS) {
        elapsed_ns = COALESCE_DELAY_MAX_NS; /* for the product not to wrap around */
    }
    uint64_t delay_ns = elapsed_ns * COALESCE_BYTES / got;
    if (delay_ns < COALESCE_DELAY_MIN_NS) {
        return 0;
    }
    return delay_ns < COALESCE_DELAY_MAX_NS ? delay_ns : COALESCE_DELAY_MAX_NS;
}

void read_coalescing_update(struct read_coalescing *coalescing, size_t got, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - coalescing->read_ns;

    coalescing->read_ns = now_ns;
    if (got > BURST_MIN) {
        coalescing->burst_ns = now_ns;
    }
    bool calm = coalescing->burst_ns == 0 ||
                now_ns - coalescing->burst_ns >= COALESCE_AFTER_BURST_NS;
    coalescing->delay_ns = calm && got <= STEADY_MAX ? read_coalescing_delay(got, elapsed_ns) : 0;
}
