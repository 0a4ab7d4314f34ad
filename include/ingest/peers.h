/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * peers.h - which process or host is at the other end, and the worker that has its connections
 *
 * A peer is a process on a unix socket and a host on TCP. All of its connections go to one worker:
 * a server may send a query on one and its response on another.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "ingest/connection_log.h"

#define PEERS_REMEMBERED 64 /* chosen */

/** Compared as bytes. */
struct peer {
    uint8_t id[24];
};

/** The latest peers and their workers; the oldest is forgotten first. All zero at first. */
struct peers {
    struct peer peers[PEERS_REMEMBERED];
    unsigned workers[PEERS_REMEMBERED];
    unsigned seen;
};

/** Say who is at the other end of the socket, also as text for the log. */
NONNULL struct peer peer_of(int fd, bool is_unix, struct connection_peer *description);

/** The worker of the peer: the one it had, or the next in turn of `worker_count`. */
NONNULL unsigned peers_worker(struct peers *peers, const struct peer *peer, unsigned worker_count);
