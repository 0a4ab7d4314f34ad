/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * file_reader.h - count the frames of a dnstap file
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "record/shard.h"

/** What a file is read into. */
struct file_reader_target {
    struct shard *shard;
    unsigned input;          /* its number */
    const char *server_name; /* of the server whose frames have no identity */
    uint32_t max_frame_size; /* bytes */
};

/** Read the file `path` ("-" is standard input; gzip and zstd are unpacked). Recordings that were
 * joined (`cat a b`) are all read. Shows its progress on standard error where that is a terminal.
 * Sets *is_dnstap if it begins as a dnstap file does. Returns 0; or a negative errno, after all
 * that was sound has been counted, and the damage with its byte offset in *damage. */
NONNULL MUST_USE int file_reader_run(const char *path, const struct file_reader_target *target,
                                     bool *is_dnstap, struct text *damage);
