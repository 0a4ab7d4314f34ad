/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * archive_file_internal.h - one file of the archive: Frame Streams in a zstd frame
 *
 * Whatever happens, the file can be read up to its last flush, and has nothing behind it that was
 * reported as lost: where writing fails, it is cut back to there. One thread uses it.
 */

#include "archive_folder_internal.h"
#include "base/attr.h"
#include "base/bytes.h"
#include "stream/zstd_packer.h"

struct archive_file {
    struct archive_folder *folder; /* borrowed; it is open while the file is */
    struct zstd_packer *packer;
    uint8_t *out; /* [out_len]: packed, and not written yet */
    size_t out_len;
    int fd;             /* -1: there is no file */
    uint64_t written;   /* its bytes */
    uint64_t flushed;   /* of them, those that are on the disk */
    bool has_frames;    /* of what is flushed */
    bool has_unwritten; /* frames were appended since */
    uint64_t last_ns;   /* since 1970: when the last ones were */
};

/** Bytes that it takes besides its struct. */
size_t archive_file_memory(void);

/** Take the memory; ends with archive_file_deinit(). Returns 0 or a negative errno. */
NONNULL MUST_USE int archive_file_init(struct archive_file *file, struct archive_folder *folder);

NONNULL void archive_file_deinit(struct archive_file *file);

NONNULL bool archive_file_is_open(const struct archive_file *file);

/* The functions below return 0 or a negative errno; after an error the file is given up with
 * archive_file_abandon(). */

/** Create the next file. */
NONNULL MUST_USE int archive_file_begin(struct archive_file *file);

/** Append whole data frames with their length fields. */
NONNULL MUST_USE int archive_file_append(struct archive_file *file, struct bytes frames);

/** Have the disk take everything so far. */
NONNULL MUST_USE int archive_file_flush(struct archive_file *file);

/** The file's last bytes, and have the disk take everything: nothing can be appended any more. */
NONNULL MUST_USE int archive_file_finish(struct archive_file *file);

/** Write its index beside it, within the folder's bound; where an index has no room in that, there
 * is none. Between archive_file_finish() and archive_file_publish(). Returns 0 or a negative errno:
 * the file goes without. */
NONNULL MUST_USE int archive_file_write_index(struct archive_file *file, struct bytes index);

/** Give the finished file its name, and close it. Returns 0 or a negative errno; it is closed in
 * either case. */
NONNULL MUST_USE int archive_file_publish(struct archive_file *file);

/** Cut the file back to its last flush, or remove it where it has no frames then, and close it. */
NONNULL void archive_file_abandon(struct archive_file *file);

/** Its bytes so far. */
NONNULL uint64_t archive_file_size(const struct archive_file *file);
