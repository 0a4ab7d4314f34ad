/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * socket_file.h - who may connect to a unix socket
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

#define SOCKET_FILE_NAME_SIZE 64

struct socket_file {
    bool has_names; /* of these numbers */
    uid_t uid;
    gid_t gid;
    char owner[SOCKET_FILE_NAME_SIZE]; /* the name, or the number where there is none */
    char group[SOCKET_FILE_NAME_SIZE];
    unsigned mode; /* permission bits */
};

/** Read what the file says now; *file is all zero at first. Names, which a directory service may
 * take long to say, are looked up where the numbers have changed. Returns 0 or a negative errno. */
NONNULL MUST_USE int socket_file_read(const char *path, struct socket_file *file);
