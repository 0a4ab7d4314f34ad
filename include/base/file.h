/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * file.h - reading a file that the configuration names; writing to a descriptor
 */

#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"

/** Open the regular file `path`, of at most `size_max` bytes, for reading. Returns 0 and *out,
 * which the caller closes; or a negative errno, and in *error the path and what is wrong with the
 * file. Never waits, as opening a FIFO would. */
NONNULL MUST_USE int file_open_regular(const char *path, uint64_t size_max, FILE **out,
                                       struct text *error);

/** Write all of it, also to a pipe that does not block. Returns 0 or a negative errno. */
MUST_USE int file_write_all(int fd, struct bytes bytes);
