/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * socket.h - sockets
 */

#include "base/attr.h"
#include "base/text.h"

/** Listen on HOST:PORT (see address.h). An empty host is every address, IPv6 and IPv4; of a name's
 *  addresses an IPv4 one is taken, or where there is none an IPv6 one. The socket is non-blocking
 * and closed on exec. Returns 0 and the descriptor in *fd, which the caller closes; or a negative
 * errno and what went wrong in *error. */
NONNULL MUST_USE int socket_listen_tcp(const char *address, int *fd, struct text *error);

/** Begin to connect to HOST:PORT, whose host is an address and no name, or to a unix socket. The
 * socket is non-blocking and closed on exec; it is writable when it is connected or has failed, as
 * SO_ERROR then says. Returns 0 and the descriptor in *fd, which the caller closes, or a negative
 * errno. */
NONNULL MUST_USE int socket_connect_tcp(const char *address, int *fd);
NONNULL MUST_USE int socket_connect_unix(const char *path, int *fd);
