/* SPDX-License-Identifier: Apache-2.0 */
#include "sketch/histogram.h"

#include <math.h>

#define FRACTION_BITS 52 /* of a double (IEEE 754) */
#define FRACTION_MASK ((UINT64_C(1) << FRACTION_BITS) - 1)
#define EXPONENT_BIAS 1023 /* of a double (IEEE 754) */

/* The native bounds are per_unit * 2^(k/8). Each octave of values has eight of them, at the same
 * fractions of a double: these, ascending, and one that none is above. Of sixteen counters of an
 * octave none has two of them: `below` says for each counters how many are below all of it.
 * `offset` is the bucket below the first bound of values from 1 to 2, less one. */
const struct histogram_unit histogram_numbers = {
    .per_unit = 1,
    .fractions = {0, UINT64_C(0x172b83c7d517b), UINT64_C(0x306fe0a31b715),
                  UINT64_C(0x4bfdad5362a27), UINT64_C(0x6a09e667f3bcd), UINT64_C(0x8ace5422aa0db),
                  UINT64_C(0xae89f995ad3ad), UINT64_C(0xd5818dcfba487), FRACTION_MASK},
    .below = {0, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7, 8, 8},
    .offset = 0,
};

const struct histogram_unit histogram_nanoseconds = {
    .per_unit = 1e9,
    .fractions = {UINT64_C(0x03ff4f52a9395), UINT64_C(0x1b87712c02c95), UINT64_C(0x3530ce0a9aa24),
                  UINT64_C(0x512cbee97e0ca), UINT64_C(0x6fb11425a1bb4), UINT64_C(0x90f87cfa079b8),
                  UINT64_C(0xb542f859a32ab), UINT64_C(0xdcd6500000000), FRACTION_MASK},
    .below = {0, 1, 2, 2, 3, 3, 4, 5, 5, 5, 6, 6, 7, 7, 8, 8},
    .offset = -239,
};

/* The native bucket: the least i with value <= per_unit * 2^(i/8). Of zero, far below every other.
 */
static inline int native_index(const struct histogram_unit *unit, uint64_t value)
{
    double number = (double)value;
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    uint64_t fraction = bits & FRACTION_MASK;
    unsigned below = unit->below[fraction >> (FRACTION_BITS - 4)];
    below += fraction > unit->fractions[below];
    return ((int)(bits >> FRACTION_BITS) - EXPONENT_BIAS) * 8 + (int)below + unit->offset;
}

static inline size_t native_place(const struct histogram_bounds *bounds, uint64_t value)
{
    int place = native_index(bounds->unit, value) - bounds->native_zero;

    if (place < 0) {
        return 0;
    }
    return place < HISTOGRAM_NATIVE_BUCKETS ? (size_t)place : HISTOGRAM_NATIVE_BUCKETS - 1;
}

/* Bounds in the place before are below all of the next. */
void histogram_prepare(struct histogram_bounds *bounds)
{
    for (size_t place = 1; place < HISTOGRAM_NATIVE_BUCKETS; place++) {
        size_t below = bounds->below[place - 1];

        while (below < bounds->count && native_place(bounds, bounds->upper[below]) < place) {
            below++;
        }
        bounds->below[place] = (uint8_t)below;
    }
}

void histogram_observe(struct histogram *histogram, const struct histogram_bounds *bounds,
                       uint64_t value)
{
    size_t place = native_place(bounds, value);
    size_t bucket = bounds->below[place];

    while (bucket < bounds->count && value > bounds->upper[bucket]) {
        bucket++;
    }
    histogram->buckets[bucket]++;
    histogram->native[place]++;
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

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    if (histogram_count(from) == 0) {
        return; /* most of them, and their memory has never been touched */
    }
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++) {
        to->buckets[i] += from->buckets[i];
    }
    to->sum_low += from->sum_low;
    to->sum_high += from->sum_high;
    for (size_t i = 0; i < HISTOGRAM_NATIVE_BUCKETS; i++) {
        to->native[i] += from->native[i];
    }
}

void histogram_clear(struct histogram *histogram)
{
    if (histogram_count(histogram) > 0) {
        *histogram = (struct histogram){0};
    }
}

/* --- As Prometheus' native histograms are sent --- */

/* Bucket i of a schema lies in bucket (i + 1) / 2, rounded down, of the next coarser one. */
static int histogram_coarsen(int index, int times)
{
    while (times-- > 0) {
        index = (index + 1) >> 1;
    }
    return index;
}

/* False where there are more buckets than are shown. */
static bool list_buckets(const struct histogram *histogram, const struct histogram_bounds *bounds,
                         struct native_histogram *out)
{
    out->count = 0;
    for (int place = 1; place < HISTOGRAM_NATIVE_BUCKETS; place++) {
        int index = histogram_coarsen(bounds->native_zero + place,
                                      HISTOGRAM_SCHEMA_MAX - out->schema);
        if (histogram->native[place] == 0) {
            continue;
        }
        if (out->count > 0 && out->index[out->count - 1] == index) {
            out->values[out->count - 1] += histogram->native[place];
            continue;
        }
        if (out->count == HISTOGRAM_NATIVE_SHOWN_MAX) {
            return false;
        }
        out->index[out->count] = index;
        out->values[out->count++] = histogram->native[place];
    }
    return true;
}

void histogram_native(const struct histogram *histogram, const struct histogram_bounds *bounds,
                      int schema, struct native_histogram *out)
{
    out->schema = schema;
    out->zero_threshold = exp2(bounds->native_zero / 8.0);
    out->zero_count = histogram->native[0];
    while (!list_buckets(histogram, bounds, out)) {
        out->schema--;
    }
}
