/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/pace.h"

uint64_t pace_rest(size_t got, uint64_t elapsed_ns)
{
    if (got > PACE_BYTES + PACE_BYTES / 4) { /* as steady a rate as rates are stays below */
        return 0;
    }
    if (elapsed_ns > PACE_REST_MAX_NS) {
        elapsed_ns = PACE_REST_MAX_NS; /* for the product not to wrap around */
    }
    uint64_t rest_ns = elapsed_ns * PACE_BYTES / got;
    if (rest_ns < PACE_REST_MIN_NS) {
        return 0;
    }
    return rest_ns < PACE_REST_MAX_NS ? rest_ns : PACE_REST_MAX_NS;
}
