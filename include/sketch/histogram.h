/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * histogram.h - counts of integer values by upper bound, in Prometheus' two ways at once
 *
 * Classic: a value falls into the first bucket whose bound is not below it, as `le` has it; what is
 * above every bound falls into the last bucket, `+Inf`. Native: bucket i holds the values in
 * (2^((i-1)/8), 2^(i/8)] of the metric's unit, Prometheus' schema 3. Histograms with equal bounds
 * add up, number by number. The sum does not wrap around in any life of a process. One thread owns
 * a histogram.
 */

#include "base/attr.h"
#include "base/bytes.h"

#define HISTOGRAM_BOUNDS_MAX 19 /* of the response times, which have the most */

/** From one microsecond to an hour; of bytes, more than there can be. */
#define HISTOGRAM_NATIVE_BUCKETS 256

/** The finest resolution there is, and the coarsest that can be asked for. */
#define HISTOGRAM_SCHEMA_MAX 3
#define HISTOGRAM_SCHEMA_MIN 0

/** More than these are never shown: the resolution is halved instead. */
#define HISTOGRAM_NATIVE_SHOWN_MAX 160

/** What values are counted in: the unit of the metric, or nanoseconds of a metric in seconds. */
struct histogram_unit {
    double per_unit; /* values divided by it are in the metric's unit */
    /* For native_index(). */
    uint64_t fractions[9];
    uint8_t below[16];
    int offset;
};

extern const struct histogram_unit histogram_numbers;
extern const struct histogram_unit histogram_nanoseconds;

struct histogram_bounds {
    const uint64_t *upper; /* classic ones, ascending */
    size_t count;          /* at most HISTOGRAM_BOUNDS_MAX */
    const struct histogram_unit *unit;
    int native_zero; /* native bucket up to which all is zero; see histogram_native() */
    uint8_t below[HISTOGRAM_NATIVE_BUCKETS]; /* zeros at first; see histogram_prepare() */
};

/* Only uint64_t inside. */
struct histogram {
    uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* not cumulative; [bounds.count] is +Inf */
    uint64_t sum_low, sum_high;                 /* of all values: sum_high * 2^32 + sum_low */
    uint64_t native[HISTOGRAM_NATIVE_BUCKETS];  /* [0] zero, [i] bucket bounds.native_zero + i */
};

/** Write to bounds->below for each native bucket how many classic bounds are below all of it, from
 * where a value's classic bucket is then searched. Without it the search begins at the first. */
NONNULL void histogram_prepare(struct histogram_bounds *bounds);

/** Count one value. What is above the last native bucket falls into it. */
NONNULL void histogram_observe(struct histogram *histogram, const struct histogram_bounds *bounds,
                               uint64_t value);

/** Sum of all values; exact up to 2^53. */
NONNULL double histogram_sum(const struct histogram *histogram);

/** Number of values counted. */
NONNULL uint64_t histogram_count(const struct histogram *histogram);

/** Add all of `from` to `to`, a histogram of the same bounds. */
NONNULL void histogram_merge(struct histogram *to, const struct histogram *from);

/** Forget all values. */
NONNULL void histogram_clear(struct histogram *histogram);

/** A histogram as Prometheus' native ones are sent. */
struct native_histogram {
    int schema;            /* bucket i ends at 2^(i / 2^schema) */
    double zero_threshold; /* what is not above it is zero, in the metric's unit */
    uint64_t zero_count;
    unsigned count; /* of the buckets that are not empty */
    int index[HISTOGRAM_NATIVE_SHOWN_MAX];
    uint64_t values[HISTOGRAM_NATIVE_SHOWN_MAX];
};

/** Write the buckets that are not empty, in ascending order, at most as fine as `schema`
 *  (HISTOGRAM_SCHEMA_MIN to HISTOGRAM_SCHEMA_MAX), and coarser where they are too many. */
NONNULL void histogram_native(const struct histogram *histogram,
                              const struct histogram_bounds *bounds, int schema,
                              struct native_histogram *out);
