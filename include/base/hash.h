/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * hash.h - two keyed hashes
 *
 * With a key drawn at start, nobody outside can choose names or addresses that collide.
 *
 * For what others see: SipHash-1-3 (Aumasson and Bernstein 2012), from which nothing can be learned
 * of the key. For our own tables: a polynomial over the prime 2^61 - 1, whose value at a secret
 * point is the hash (Carter and Wegman 1981). Two different sequences of up to n words share it
 * with probability n / 2^60 at most, whoever chose them; it takes one multiplication a word; and
 * what begins with a sequence can be hashed on from its sum. Its users never show it.
 */

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/bytes.h"

struct hash_key {
    uint64_t k0, k1;
};

/** Draw a key from the kernel. Returns 0 or a negative errno. */
NONNULL MUST_USE int hash_key_draw(struct hash_key *key);

/** SipHash-1-3 of `input` under `key`. */
NONNULL uint64_t hash_bytes(const struct hash_key *key, struct bytes input);

#define HASH_PRIME ((UINT64_C(1) << 61) - 1)

/** The sum of no words. */
#define HASH_START UINT64_C(1)

/** The sum of a sequence and one word more. Words are below the prime: seven bytes fit. The secret
 * point is below 2^60, so that a sum, once folded, stays below 2^62; it need not be below the
 * prime. */
NONNULL static inline uint64_t hash_add(const struct hash_key *key, uint64_t sum, uint64_t word)
{
    __extension__ typedef unsigned __int128 uint128;
    uint128 product = (uint128)sum * (key->k0 & HASH_PRIME >> 1) + word;

    return (uint64_t)(product & HASH_PRIME) + (uint64_t)(product >> 61);
}

/** The sum with the words of `input` added. Where it ends shows in the last word, so that different
 * inputs, and sequences of inputs, are different sequences of words: one for each seven bytes or
 * less. */
NONNULL uint64_t hash_add_bytes(const struct hash_key *key, uint64_t sum, struct bytes input);

/** Added to the number of bytes it is the top byte of an input's last word. */
#define HASH_LAST_WORD UINT64_C(8)

/** hash_add_bytes() of an address, in a third of the time where it is one of IPv4. */
NONNULL static inline uint64_t hash_add_address(const struct hash_key *key, uint64_t sum,
                                                struct bytes address)
{
    uint32_t ipv4;

    if (address.len != sizeof ipv4) {
        return hash_add_bytes(key, sum, address);
    }
    memcpy(&ipv4, address.data, sizeof ipv4);
    return hash_add(key, sum, le32toh(ipv4) | (HASH_LAST_WORD + sizeof ipv4) << 56);
}

/** The hash of the sequence with this sum for a table of keys: different sums have different
 * hashes, and the lower 32 bits are those of multiply-shift hashing (Dietzfelbinger et al. 1997),
 * which nobody outside can make collide. It takes a quarter of hash_finish(), where all bits are
 * as good as random. */
NONNULL static inline uint64_t hash_finish_for_table(const struct hash_key *key, uint64_t sum)
{
    uint64_t x = sum * (key->k1 | 1);

    return x << 32 | x >> 32;
}

/** The hash of the sequence with this sum, in 64 bits that all depend on all of it (the mixing is
 * Stafford's variant 13, one to one). */
NONNULL static inline uint64_t hash_finish(const struct hash_key *key, uint64_t sum)
{
    uint64_t folded = (sum & HASH_PRIME) + (sum >> 61);
    uint64_t x = (folded >= HASH_PRIME ? folded - HASH_PRIME : folded) ^ key->k1;

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}
