/* SPDX-License-Identifier: Apache-2.0 */
#include "sketch/histogram.h"

_Static_assert(HISTOGRAM_BOUNDS_MAX < 32, "five halvings");

/* The number of bounds below the value, by halves: without a branch that depends on it. */
static inline size_t bucket_of(const struct histogram_bounds *bounds, uint64_t value)
{
    size_t bucket = 0;

    for (size_t step = 16; step > 0; step /= 2) {
        size_t next = bucket + step <= bounds->count ? bucket + step : bounds->count;
        bucket = next > bucket && value > bounds->upper[next - 1] ? next : bucket;
    }
    return bucket;
}

void histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds,
                   uint64_t value)
{
    size_t bucket = bucket_of(bounds, value);

    histogram->buckets[bucket]++;
    histogram->sum_low += value & UINT32_MAX;
    histogram->sum_high += (value >> 32) + (histogram->sum_low >> 32);
    histogram->sum_low &= UINT32_MAX;
}

double histogram_sum(const struct histogram *histogram)
{
    return (double)histogram->sum_high * 0x1p32 + (double)histogram->sum_low;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++) {
        count += histogram->buckets[i];
    }
    return count;
}
