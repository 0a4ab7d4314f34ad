/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * bloom.h - the bits of a hash in a blocked Bloom filter, whose blocks are words of 64 bits
 *
 * Putze, Sanders, Singler, "Cache-, hash- and space-efficient Bloom filters", 2009: all bits of a
 * hash are in one word, so that a look-up is one cache miss. Which word, other bits of the hash
 * say.
 */

#include <stdint.h>

/** Four bits of a word, by the lowest 24 bits of the hash. */
static inline uint64_t bloom_bits(uint64_t hash)
{
    return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) |
           UINT64_C(1) << (hash >> 12 & 63) | UINT64_C(1) << (hash >> 18 & 63);
}
