/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * histogram.h - counts of integer values by upper bound
 *
 * A value falls into the first bucket whose bound is not below it, as Prometheus' `le` has it; what
 * is above every bound falls into the last bucket, `+Inf`. Histograms with equal bounds add up,
 * number by number. The sum does not wrap around in any life of a process. One thread owns a
 * histogram.
 */

#include "base/attr.h"
#include "base/bytes.h"

#define HISTOGRAM_BOUNDS_MAX 19

struct histogram_bounds {
    const uint64_t *upper; /* ascending */
    size_t count;          /* at most HISTOGRAM_BOUNDS_MAX */
};

struct histogram {
    uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* not cumulative; [bounds.count] is +Inf */
    uint64_t sum_low, sum_high;                 /* of all values: sum_high * 2^32 + sum_low */
};

/** Count one value. */
NONNULL void histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds,
                           uint64_t value);

/** Sum of all values; exact up to 2^53. */
NONNULL double histogram_sum(const struct histogram *histogram);

/** Number of values counted. */
NONNULL uint64_t histogram_count(const struct histogram *histogram);
