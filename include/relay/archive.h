/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * archive.h - frames into dnstap files
 *
 * One thread takes frames from a queue of fixed size and writes them unchanged into files: Frame
 * Streams in zstd. It flushes to the disk every five seconds, or every 8 MiB of a file; after a
 * crash, files can be read up to the last flush. It closes a file at the bound in size or time,
 * writes an index (client/archive_index.h) beside it, and begins another. It removes the oldest
 * files within the bounds of the settings.
 *
 * A push never waits for the disk. The queue drops and counts batches that do not fit. Frames of a
 * failed write count as dropped; the thread tries the folder again every five seconds.
 */

#include "base/attr.h"
#include "base/text.h"
#include "count/socket_counters.h"
#include "relay/archive_settings.h"
#include "relay/frame_queue.h"

struct archive; /* opaque: src/relay/archive.c */

/** Bytes that an archive takes. */
size_t archive_memory(void);

/** Create the folder, if it is not there and its parent is. Before the sandbox, which knows folders
 * that are there. Returns 0, or a negative errno and what went wrong in *error. */
NONNULL MUST_USE int archive_make_folder(const struct archive_settings *settings,
                                         struct text *error);

/** Start the thread; settings and counters outlive it. A folder that cannot be written is no error
 * here. Returns 0 and *out for archive_free(), or a negative errno. */
NONNULL MUST_USE int archive_create(struct archive **out, const struct archive_settings *settings,
                                    struct archive_counters *counters);

/** Where the frames that it keeps are pushed. */
NONNULL struct frame_queue *archive_queue(struct archive *archive);

/** Tell the thread to end: it writes what is queued, for at most two seconds, and closes the file.
 * Returns at once; archive_free() waits for it. */
NONNULL void archive_end(struct archive *archive);

/** Wait for the end of an archive that was told to, and free it. */
NONNULL void archive_free(struct archive *archive);
