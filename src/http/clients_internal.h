/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * clients_internal.h - the web server's connections, and which of them makes room
 *
 * A client that says nothing, or little and slowly, must not keep others out. A request has ten
 * seconds in all. An eighth of the connections is kept for requests that are complete: when
 * the others are taken, or all are, or the half that one address may have, then an idle connection
 * makes room, or else the one that has been sending its request longest, or else a client that has
 * been taking its response for more than ten seconds. Libmicrohttpd 0.9.75 knows no such rules; it
 * closes a connection whose socket was shut down.
 */

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "tls/tls_credentials.h"
#include "web_security_internal.h"

/** How many connections libmicrohttpd has to allow beyond ours, for those that are being closed. */
#define CLIENTS_CLOSING_MAX 16

#define CLIENT_ORIGIN_SIZE  16 /* an IPv6 address */

enum client_state {
    CLIENT_IDLE,  /* between two requests */
    CLIENT_ASKS,  /* its request is not complete */
    CLIENT_SERVED /* its request is complete, its response is not */
};

/** A connection. `security` to `origin` never change; what follows is under the lock. */
struct client {
    struct web_security *security; /* in force when it began; it holds a reference */
    int fd;
    bool has_address; /* none on a unix socket: its clients are not of the same address */
    uint8_t origin[CLIENT_ORIGIN_SIZE]; /* its IPv4 address, or the first half of its IPv6 one */
    char address[INET6_ADDRSTRLEN];     /* as text; "unix" on a unix socket */
    struct tls_session tls;             /* of the connection's thread; where there is TLS */
    enum client_state state;
    uint64_t since_ns; /* monotonic: of the state */
    uint64_t received; /* bytes of the connection when it became idle */
    bool closing;      /* its socket was shut down */
    bool is_outdated;  /* it is to be, when its response is complete */
    struct client *next, *previous;
};

struct clients {
    pthread_mutex_t lock;
    struct client *first;
    unsigned max; /* connections of all listening sockets together */
};

NONNULL void clients_init(struct clients *clients, unsigned max);

/** All connections have ended. */
NONNULL void clients_deinit(struct clients *clients);

/** How many connections one address may have. */
NONNULL unsigned clients_per_address(const struct clients *clients);

/** A connection begins, under *security, which is taken over. Others may have to make room for it.
 * Returns it for client_close(), or NULL without memory. */
NONNULL struct client *client_open(struct clients *clients, struct MHD_Connection *connection,
                                   struct web_security *security);

/** Its request is complete. */
NONNULL void client_begin_response(struct clients *clients, struct client *client);

/** Its response is complete. */
NONNULL void client_end_response(struct clients *clients, struct client *client);

/** Whether both come from the same address of a network. */
NONNULL bool client_same_origin(const struct client *a, const struct client *b);

/** Whether this side has ended the connection. */
NONNULL bool client_is_closing(struct clients *clients, const struct client *client);

/** End TLS connections that are between two requests or send one, and the others when their
 * response is complete: they began under other rules. */
NONNULL void clients_end_sessions(struct clients *clients);

/** Whether anything has arrived on the connection. */
NONNULL bool client_has_sent(const struct client *client);

/** The connection is about to be closed: forget and free it. */
NONNULL void client_close(struct clients *clients, struct client *client);

/** Shut down who has taken too long. Any thread, about once a second. */
NONNULL void clients_advance(struct clients *clients);

/** Shut down the client that has been taking its response longest, if that is more than ten
 * seconds. Any thread. */
NONNULL void clients_end_slowest(struct clients *clients);
