/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * histogram.h - counts of integer values by upper bound
 *
 * A value falls into the first bucket whose bound is not below it, as Prometheus' `le` has it; what
 * is above every bound falls into the last bucket, `+Inf`. Histograms with equal bounds add up. One
 * thread owns a histogram.
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
    uint64_t sum;                               /* of all values */
};

/** Count one value. */
NONNULL void histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds,
                           uint64_t value);

/** Number of values counted. */
NONNULL uint64_t histogram_count(const struct histogram *histogram);
