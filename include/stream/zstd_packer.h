/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * zstd_packer.h - a stream of bytes into a zstd frame, piece by piece
 *
 * Level 1, a window of 512 KiB, and a checksum at the end of the frame. All memory is taken when a
 * packer is made. One thread owns a packer.
 *
 * zstd_packer.c is the one with libzstd, zstd_packer_none.c the one of builds without it, in which
 * no packer can be made.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"

extern const bool zstd_packer_is_available;

struct zstd_packer; /* opaque: src/stream/zstd_packer.c */

/** Bytes that a packer takes. */
size_t zstd_packer_memory(void);

/** Make a packer; on success the caller frees *out. Returns 0, -ENOMEM, or -ENOTSUP in a build
 * without libzstd. */
NONNULL MUST_USE int zstd_packer_create(struct zstd_packer **out);

void zstd_packer_free(struct zstd_packer *packer);

/** Begin a zstd frame. One that was under way is forgotten. */
NONNULL void zstd_packer_begin(struct zstd_packer *packer);

/** What becomes of the bytes so far. */
enum zstd_packer_step {
    ZSTD_PACKER_GO_ON, /* they may wait for further ones */
    ZSTD_PACKER_FLUSH, /* they can all be unpacked from what is written until then */
    ZSTD_PACKER_END,   /* the zstd frame ends; zstd_packer_begin() begins another */
};

/** Pack bytes off the front of `input` into out[*out_len, out_size), and move *out_len behind what
 * was written. Returns whether the step is done; where it is not, `out` is full: make room in it,
 * and call again. An error of libzstd, which there is none of with these steps, ends the process. */
NONNULL MUST_USE bool zstd_packer_pack(struct zstd_packer *packer, enum zstd_packer_step step,
                                       struct bytes *input, uint8_t *out, size_t out_size,
                                       size_t *out_len);
