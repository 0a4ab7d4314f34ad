/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * file_list.h - the files that a command line names
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/text.h"

struct listed_file {
    char *path;        /* owned */
    bool is_of_folder; /* it was found in one */
};

struct file_list {
    struct listed_file *files; /* [count] */
    size_t count, space;
};

/** Add the files of `path`: of a folder its dnstap files, whose names end in .fstrm, .fstrm.gz,
 * .fstrm.zst or .fstrm.zst.part, in the order of their names; else itself. Returns 0, or a negative
 * errno and what went wrong in *error. */
NONNULL MUST_USE int file_list_add(struct file_list *list, const char *path, struct text *error);

/** Free the paths. */
NONNULL void file_list_deinit(struct file_list *list);
