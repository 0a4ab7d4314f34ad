/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * http_server.h - the web side: /metrics, /api/v1/top, /, /-/healthy, /-/ready
 *
 * The only user of libmicrohttpd. One thread of its own serves all requests over epoll; a client
 * that is slow holds nobody up, and connections and their idle time are bounded.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "metrics/registry.h"

struct http_server; /* opaque: src/http/http_server.c */

struct http_setup {
    const char *address;      /* HOST:PORT, see base/address.h */
    unsigned connections_max; /* at most half of them from one address */
    uint64_t timeout_ns; /* of a connection on which nothing moves; whole seconds, rounded up */
};

/** Listen and serve the registry, which must outlive the server. Returns 0 and *out for
 *  http_server_free(), or a negative errno and what went wrong in *error. */
NONNULL MUST_USE int http_server_create(struct http_server **out, const struct http_setup *setup,
                                        struct registry *registry, struct text *error);

/** Say whether the inputs listen: what /-/ready answers. Not ready at first. Any thread. */
NONNULL void http_server_set_ready(struct http_server *server, bool ready);

/** Stop serving, cut off the requests under way, free. */
void http_server_free(struct http_server *server);
