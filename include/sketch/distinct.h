/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * distinct.h - how many different keys there were, in a few bytes (HyperLogLog)
 *
 * Registers as in Flajolet et al. 2007, read by the estimator of Ertl, "New cardinality estimation
 * algorithms for HyperLogLog sketches" (2017, algorithm 6), which needs no tables and is unbiased
 * from nothing up to 2^64. Its standard error is 1.04 / sqrt(2^precision): 1.6 % at 12, 6.5 % at 8.
 *
 * A counter is 2^precision registers of one byte, at least eight, embedded by its owner, all zero
 * when it has seen nothing. Keys come as 64-bit hashes made with a secret (base/hash.h), so that
 * nobody outside can choose names that blow a count up. An update touches one cache line.
 */

#include "base/attr.h"
#include "base/bytes.h"

#define DISTINCT_SIZE(precision) ((size_t)1 << (precision))

/** Note a key's hash. The counter's `registers` are DISTINCT_SIZE(precision) bytes. */
NONNULL static inline void distinct_insert(uint8_t *registers, unsigned precision, uint64_t hash)
{
    uint8_t *place = &registers[hash >> (64 - precision)];
    /* The last bit ends the run of zeros where there is no other. */
    uint64_t rest = hash << precision | (uint64_t)1 << (precision - 1);
    uint8_t rank = (uint8_t)(1 + __builtin_clzll(rest));

    if (rank > *place) {
        *place = rank;
    }
}

/** Add all that `from`, a counter of the same precision, has seen. */
NONNULL void distinct_merge(uint8_t *to, const uint8_t *from, unsigned precision);

/** How many different keys were added, about. */
NONNULL double distinct_estimate(const uint8_t *registers, unsigned precision);
