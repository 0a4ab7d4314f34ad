/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * name_filter_internal.h - which hashes came before: a Bloom filter of two generations
 *
 * All workers and detectors share it. A hash is known if it is in the newer or the older
 * generation. When the newer one is half full it becomes the older one, and an empty one begins, so
 * that a filter of fixed size remembers as far back as it can: at least as many hashes as fill half
 * of a generation. Blocked: the bits of a hash are in one word (Putze, Sanders, Singler, "Cache-,
 * hash- and space-efficient Bloom filters", 2009), so that it takes one cache miss for each
 * generation. At most one in four new hashes is taken for a known one.
 *
 * Any thread may insert. A store that two threads make at once may be lost: the hash is new once
 * more.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define NAME_FILTER_WORDS ((size_t)1 << 17) /* of a generation: 1 MiB, 1,900,000 hashes */

struct name_filter {
    _Atomic uint64_t words[2][NAME_FILTER_WORDS]; /* relaxed: each stands for itself */
    atomic_uint newer;                            /* relaxed: index of the newer generation */
};

/** What a hash is of. */
enum name_filter_use {
    NAME_FILTER_QUERIED,      /* a name that was asked for */
    NAME_FILTER_DENIED,       /* a name that does not exist */
    NAME_FILTER_HOST_MISSING, /* a host, and a registered domain that does not exist */
    NAME_FILTER_HOST_FOUND,   /* a host, and a registered domain that exists */
    NAME_FILTER_FOUND,        /* a registered domain that exists, and a minute */
};

/** The hash of `a`, a hash, and `b` for one use. Each of its parts depends on all of both, as in
 * multiplicative hashing (Dietzfelbinger et al. 1997). */
static inline uint64_t name_filter_hash(enum name_filter_use use, uint64_t a, uint64_t b)
{
    uint64_t factor = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
    uint64_t x = b * factor + use * UINT64_C(0xbf58476d1ce4e5b9);

    return a ^ x ^ x >> 32;
}

/** Insert a hash. Returns whether it is new. */
NONNULL bool name_filter_insert(struct name_filter *filter, uint64_t hash);

/** Whether a hash came before. */
NONNULL bool name_filter_has(const struct name_filter *filter, uint64_t hash);

/** Begin an empty generation if the newer one is half full. One thread at a time. */
NONNULL void name_filter_age(struct name_filter *filter);
