/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * hash.h - a keyed hash (SipHash-1-3, Aumasson and Bernstein 2012)
 *
 * With a key drawn at start, nobody outside can choose names or addresses that collide.
 */

#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

struct hash_key {
    uint64_t k0, k1;
};

/** Draw a key from the kernel. Returns 0 or a negative errno. */
NONNULL MUST_USE int hash_key_draw(struct hash_key *key);

/** The 64-bit hash of `input` under `key`. */
NONNULL uint64_t hash_bytes(const struct hash_key *key, struct bytes input);
