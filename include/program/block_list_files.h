/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * block_list_files.h - reading the files of block lists, at first and when they were replaced
 */

#include "base/attr.h"
#include "base/file_watch.h"
#include "program/settings.h"
#include "record/aggregator.h"

/** What the files were like. One thread owns it. */
struct block_list_files {
    struct file_watch watches[BLOCK_LISTS_MAX];
};

/** Note what the files are like, before they are read for the first time. */
NONNULL void block_list_files_init(struct block_list_files *files, const struct settings *settings);

/** Read all lists that the aggregator looks names up in. Returns 0; or a negative errno and in
 *  *error the key, and what is wrong with its file. */
NONNULL MUST_USE int block_list_files_load(struct aggregator *aggregator,
                                           const struct settings *settings, struct text *error);

/** Read them again. A file that cannot be read leaves its old list in force, and is logged. */
NONNULL void block_list_files_reload(struct block_list_files *files, struct aggregator *aggregator,
                                     const struct settings *settings);

/** Read those again that were replaced or changed since they were read, and have not changed since
 * the last call: call it once a second. */
NONNULL void block_list_files_check(struct block_list_files *files, struct aggregator *aggregator,
                                    const struct settings *settings);
