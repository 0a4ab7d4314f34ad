/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * socket_file_internal.h - who may connect to a unix socket
 */

#include "base/attr.h"

#define SOCKET_FILE_NAME_SIZE 64

struct socket_file {
    char owner[SOCKET_FILE_NAME_SIZE]; /* the name, or the number where there is none */
    char group[SOCKET_FILE_NAME_SIZE];
    unsigned mode; /* permission bits */
};

/** Read what the file says now. Returns 0 or a negative errno. */
NONNULL MUST_USE int socket_file_read(const char *path, struct socket_file *out);
