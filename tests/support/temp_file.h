/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * temp_file.h - a file of its own for a group of tests
 */

#include <stdlib.h>
#include <unistd.h>

/** Make the file that mkstemp() names after the pattern in `path`. Returns 0 or -1, as cmocka's
 * set-up. */
static inline int temp_file_make(char *path)
{
    int fd = mkstemp(path);

    return fd < 0 ? -1 : close(fd);
}
