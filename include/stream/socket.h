/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * socket.h - sockets that listen, or begin to connect
 */

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/text.h"

/** Listen on a TCP endpoint. Without a host: every address, IPv6 and IPv4; of a name's addresses an
 *  IPv4 one is taken, or if there is none an IPv6 one. The socket is non-blocking and closed on
 *  exec. Returns 0 and the descriptor in *fd, which the caller closes; or a negative errno and what
 *  went wrong in *error. */
NONNULL MUST_USE int socket_listen_tcp(const struct endpoint *endpoint, int *fd,
                                       struct text *error);

/** Begin to connect to an endpoint, whose host is an address and no name. The socket is
 *  non-blocking and closed on exec; it is writable when it is connected or has failed, as SO_ERROR
 *  then says. Returns 0 and the descriptor in *fd, which the caller closes, or a negative errno. */
NONNULL MUST_USE int socket_connect(const struct endpoint *endpoint, int *fd);
