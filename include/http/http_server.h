/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * http_server.h - the web side: /metrics, /status, the JSON ends under /api/v1, /config and /-/
 *
 * The only user of libmicrohttpd. One thread for each listening socket serves all of its requests
 * over epoll; a client that is slow holds nobody up, and connections and their idle time are
 * bounded. Passwords are verified by a thread of their own.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "http/web_security.h"
#include "expose/registry.h"

struct http_server; /* opaque: src/http/http_server.c */

struct http_setup {
    const int *sockets; /* [socket_count], listening; the server takes them over */
    unsigned socket_count;
    const struct config_strings *hosts; /* as web.hosts has them */
    unsigned connections_max;           /* of all sockets; at most half of them from one address */
    size_t page_max, json_max; /* bytes of the largest pages; there is memory for two of each */
    /* Of a connection on which nothing moves while a request is under way; whole seconds, rounded
     * up. Between two requests it is 75 s. */
    uint64_t timeout_ns;
    bool lifecycle; /* let clients ask for a reload */
};

/** Bytes that so many connections take, without pages. */
size_t http_server_memory(unsigned connections_max, bool tls);

/** Serve the registry, which must outlive the server, under *security, which is taken over. Returns
 * 0 and *out for http_server_free(), or a negative errno and what went wrong in *error. */
NONNULL MUST_USE int http_server_create(struct http_server **out, const struct http_setup *setup,
                                        struct registry *registry, struct web_security *security,
                                        struct text *error);

/** Say whether the inputs listen: what /-/ready answers. Not ready at first. Any thread. */
NONNULL void http_server_set_ready(struct http_server *server, bool ready);

/** Say what /config answers; the text's memory is taken over. Any thread. */
NONNULL void http_server_set_configuration(struct http_server *server, struct text *configuration);

/** Set the names under which pages may be asked for, as web.hosts has them. Any thread. Returns 0
 * or -ENOMEM, and the ones before stay. */
NONNULL MUST_USE int http_server_set_hosts(struct http_server *server,
                                           const struct config_strings *hosts);

/** Set how large pages may become: with more inputs they grow. Any thread. */
NONNULL void http_server_set_page_max(struct http_server *server, size_t page_max, size_t json_max);

/** Put new requests and TLS sessions under *security, which is taken over; it has TLS where the one
 * before had. Any thread. */
NONNULL void http_server_set_security(struct http_server *server, struct web_security *security);

/** Time has gone on: close connections that took too long, let go of old pages. About once a
 * second. */
NONNULL void http_server_advance(struct http_server *server);

/** A descriptor that is readable while clients wait for a reload. */
NONNULL int http_server_reload_fd(const struct http_server *server);

/** A reload begins, for the clients that wait now; the descriptor speaks of those who come later.
 */
NONNULL void http_server_begin_reload(struct http_server *server);

/** Answer the clients for whom the reload began: it went well, or *error says why it did not. */
NONNULL void http_server_answer_reload(struct http_server *server, bool done,
                                       const struct text *error);

/** Stop accepting, give the requests under way a second, stop serving, free. */
void http_server_free(struct http_server *server);
