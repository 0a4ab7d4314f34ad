/* SPDX-License-Identifier: Apache-2.0 */
#include "rate_limit_internal.h"

#include "base/clock.h"

void rate_limit_init(struct rate_limit *limit, uint64_t interval_ns, unsigned burst)
{
    uint64_t credit_max_ns = interval_ns * burst;

    *limit = (struct rate_limit){
        .interval_ns = interval_ns,
        .credit_max_ns = credit_max_ns,
        .credit_ns = credit_max_ns,
        .seen_ns = clock_monotonic_ns(),
    };
    (void)pthread_mutex_init(&limit->lock, NULL);
}

void rate_limit_deinit(struct rate_limit *limit)
{
    (void)pthread_mutex_destroy(&limit->lock);
}

bool rate_limit_take(struct rate_limit *limit, uint64_t now_ns)
{
    if (limit->interval_ns == 0) {
        return true;
    }
    (void)pthread_mutex_lock(&limit->lock);
    if (now_ns > limit->seen_ns) {
        uint64_t credit_ns = limit->credit_ns + (now_ns - limit->seen_ns);
        limit->credit_ns = credit_ns < limit->credit_max_ns ? credit_ns : limit->credit_max_ns;
        limit->seen_ns = now_ns;
    }
    bool is_within = limit->credit_ns >= limit->interval_ns;
    limit->credit_ns -= is_within ? limit->interval_ns : 0;
    (void)pthread_mutex_unlock(&limit->lock);
    return is_within;
}
