/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * clock.h - the two clocks, in nanoseconds
 */

#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS     UINT64_C(1000000)

/** Time since some fixed moment; never steps. For time-outs and durations. */
uint64_t clock_monotonic_ns(void);

/** Time since 1970-01-01T00:00:00Z; may step. For comparing with dnstap's time stamps. */
uint64_t clock_realtime_ns(void);
