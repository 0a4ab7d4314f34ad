/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rate_limit_internal.h - requests over time: a token bucket, full at first
 *
 * Any thread may use it.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct rate_limit {
    uint64_t interval_ns; /* between two requests; 0: no limit */
    uint64_t credit_max_ns;
    pthread_mutex_t lock; /* over the rest */
    uint64_t credit_ns;   /* what is in the bucket, as time */
    uint64_t seen_ns;     /* monotonic: when it was filled up last */
};

/** Allow one request each `interval_ns`, and `burst` at once; rate_limit_deinit() ends it. */
NONNULL void rate_limit_init(struct rate_limit *limit, uint64_t interval_ns, unsigned burst);

NONNULL void rate_limit_deinit(struct rate_limit *limit);

/** Whether one more request is within the limit at `now_ns` (monotonic), and if so, count it. */
NONNULL bool rate_limit_take(struct rate_limit *limit, uint64_t now_ns);
