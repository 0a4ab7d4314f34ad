/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * byte_source.h - a file's bytes, unpacked where its first bytes say gzip or zstd
 *
 * With zlib and libzstd. One thread owns a source.
 */

#include <sys/types.h>

#include "base/attr.h"
#include "base/text.h"

struct byte_source; /* opaque: src/stream/byte_source.c */

/** Open `path`, which outlives the source, or standard input where it is "-". Returns 0 and *out
 * for byte_source_free(), or a negative errno and what went wrong in *error. */
NONNULL MUST_USE int byte_source_open(struct byte_source **out, const char *path,
                                      struct text *error);

void byte_source_free(struct byte_source *source);

/** Read up to `size` bytes. Returns how many, 0 at the end of the file, or a negative errno and
 * what went wrong, with its place, in *error: -ENODATA where a compressed file ends early. */
NONNULL MUST_USE ssize_t byte_source_read(struct byte_source *source, void *buffer, size_t size,
                                          struct text *error);

/** Bytes of the file read so far, packed as they are, and of the whole file; 0 where unknown. */
NONNULL uint64_t byte_source_position(const struct byte_source *source);
NONNULL uint64_t byte_source_size(const struct byte_source *source);
