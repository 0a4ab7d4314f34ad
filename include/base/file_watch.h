/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * file_watch.h - whether a file that was read has been changed or replaced since
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "base/attr.h"

/** What the file was like; all zero: there was none. One thread owns it. */
struct file_watch {
    struct stat loaded; /* when it was read */
    struct stat seen;   /* at the last look */
};

/** Note what the file is like, before it is read. */
NONNULL void file_watch_begin(struct file_watch *watch, const char *path);

/** Whether the file has changed since it was read, and has not changed since the last call: call it
 * once a second, so that nobody reads half a file. True once for each change: the file counts as
 * read then. */
NONNULL MUST_USE bool file_watch_is_due(struct file_watch *watch, const char *path);
