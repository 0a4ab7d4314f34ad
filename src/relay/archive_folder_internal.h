/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * archive_folder_internal.h - the archive's folder: names, bounds, and which files are removed
 *
 * Files are named by the time at which they were begun, so that the order of their names is that of
 * time:
 *
 *     dnstap-20261129T100000.123Z.fstrm.zst         closed
 *     dnstap-20261129T100000.123Z.fstrm.zst.part    being written, or left over by a crash
 *     dnstap-20261129T100000.123Z.fstrm.zst.index   client/archive_index.h
 *
 * No other file is counted or removed. What is in the folder is looked at when it is opened, when
 * the bound in bytes is reached and when a file becomes too old, so that files which somebody else
 * removes or adds are seen before one is removed. Memory is fixed. While it is open, no other
 * process can open it here. One thread uses it.
 */

#include <stdint.h>

#include "base/attr.h"
#include "client/archive_index.h"
#include "count/socket_counters.h"
#include "relay/archive_settings.h"

/** "dnstap-20261129T100000.123Z.fstrm.zst" */
#define ARCHIVE_BASE_LEN  37
#define ARCHIVE_NAME_SIZE (ARCHIVE_BASE_LEN + sizeof ".index.part")

struct archive_folder {
    const struct archive_settings *settings; /* borrowed */
    struct archive_counters *counters;       /* borrowed */
    int fd;                                  /* of the folder; -1: it is not open */
    uint64_t size;                           /* bytes of its files and indexes */
    int64_t next_expiry;                     /* seconds since 1970, when a file becomes too old */
    char current[ARCHIVE_BASE_LEN + 1];      /* this file is not removed; "": none */
};

NONNULL void archive_folder_init(struct archive_folder *folder,
                                 const struct archive_settings *settings,
                                 struct archive_counters *counters);

/** Open the folder, and remove what is beyond the bounds. Returns 0, -EBUSY (another process has
 * it) or another negative errno. */
NONNULL MUST_USE int archive_folder_open(struct archive_folder *folder);

/** Close it, if it is open. */
NONNULL void archive_folder_close(struct archive_folder *folder);

/** Whether the folder that is open is still the one at its path. */
NONNULL bool archive_folder_is_there(const struct archive_folder *folder);

/** Create a file, which is the current one from now on, with the name of this moment and
 * ARCHIVE_PART_SUFFIX. Returns its descriptor, or a negative errno. */
NONNULL MUST_USE int archive_folder_create_file(struct archive_folder *folder);

/** Make room for so many bytes more, and take them into the account: remove the oldest files, but
 * not the current one. Returns 0, or a negative errno: a file cannot be removed. */
NONNULL MUST_USE int archive_folder_make_room(struct archive_folder *folder, uint64_t bytes);

/** Remove the files that have become too old. */
NONNULL void archive_folder_expire(struct archive_folder *folder);

/** Look at what is there, and set the counters. Nothing is removed but what is too old. */
NONNULL void archive_folder_look(struct archive_folder *folder);
