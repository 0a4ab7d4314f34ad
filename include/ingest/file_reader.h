/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * file_reader.h - count the frames of a dnstap file
 */

#include "base/attr.h"
#include "base/text.h"
#include "metrics/shard.h"

/** Read the file `path` ("-" is standard input; gzip and zstd are unpacked) into the shard as input
 *  number `input`, whose frames may have `max_frame_size` bytes. Shows its progress on standard
 * error where that is a terminal. Returns 0; or a negative errno, after all that was sound has been
 * counted, and the damage with its byte offset in *damage. */
NONNULL MUST_USE int file_reader_run(const char *path, struct shard *shard, unsigned input,
                                     uint32_t max_frame_size, struct text *damage);
