/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * zstd_unpacker_internal.h - zstd frames, unpacked block by block
 *
 * zstd_unpacker.c is the one with libzstd, zstd_unpacker_none.c the one of builds without it, which
 * say so of the first block.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct zstd_unpacker; /* opaque: src/stream/zstd_unpacker.c */

/** On success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int zstd_unpacker_create(struct zstd_unpacker **out);

/** NULL is fine. */
void zstd_unpacker_free(struct zstd_unpacker *unpacker);

/** Unpack the beginning of packed[*packed_len] into out[out_size]. *packed_len becomes the bytes
 *  that were used up. Sets *in_frame if a frame goes on, and *damage, if what follows cannot be
 *  unpacked, to the reason. Returns the bytes that were made. */
NONNULL size_t zstd_unpacker_next(struct zstd_unpacker *unpacker, const uint8_t *packed,
                                  size_t *packed_len, uint8_t *out, size_t out_size, bool *in_frame,
                                  const char **damage);
