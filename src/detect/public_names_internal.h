/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * public_names_internal.h - which names had a public address in the last minutes
 *
 * A name has one place, where a later one replaces it: of more names than places within the time,
 * some are forgotten. Any thread may use it; each place stands for itself.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define PUBLIC_NAMES_PLACES ((size_t)1 << 16) /* chosen: 512 KiB */

struct public_names {
    _Atomic uint64_t
        places[PUBLIC_NAMES_PLACES]; /* relaxed: 48 bits of the hash, then the minute's */
};

/** A name has a public address in the minute of this number. */
static inline void public_names_note(struct public_names *names, uint64_t hash, uint64_t minute)
{
    atomic_store_explicit(&names->places[hash & (PUBLIC_NAMES_PLACES - 1)],
                          (hash & ~UINT64_C(0xffff)) | (minute & 0xffff), memory_order_relaxed);
}

/** Whether a name had one at `minute`, or at most `minutes` before. */
NONNULL bool public_names_has(const struct public_names *names, uint64_t hash, uint64_t minute,
                              unsigned minutes);
