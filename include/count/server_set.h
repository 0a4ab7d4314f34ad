/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * server_set.h - the values of the label `server`, each with a small number
 *
 * Holds at most `capacity` servers. In a full set a new server takes the place of one that left: of
 * one whose connections are all closed, or else of one that has sent nothing for `expiry_ns`; of
 * several the one that was seen least recently goes. If there is none, the new server shares the
 * number SERVER_OTHER, as does one that is called "other". So pods that come and go do not use the
 * set up. A connection that brought the servers in half of the places gets places of these only: a
 * peer that makes identities up gets half of the set at most.
 *
 * A number that is used again gets a new generation. Whoever keeps a number keeps its generation
 * with it and asks server_set_is_current() before using it. Looking a server up takes no lock; only
 * a new server or a new connection of one does. Any thread may call every function.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "count/label.h"

#define SERVER_OTHER 0 /* the number that all servers over the capacity share */

/** Bytes of the longest identity that gets a series of its own; of an input's name in its place the
 * last ones count. */
#define SERVER_IDENTITY_MAX 255

struct server_set; /* opaque: src/count/server_set.c */

/** A server's place in the set. */
struct server_ref {
    unsigned number;     /* SERVER_OTHER, or 1 to capacity */
    uint32_t generation; /* 0 for SERVER_OTHER; else from 1 on */
};

/** A server in one number, as far as generations are told apart: by their lowest byte. */
static inline uint32_t server_key(unsigned number, uint32_t generation)
{
    return (uint32_t)number << 8 | (generation & 0xff);
}

/** A connection's share of the set: which servers it keeps from being replaced. One thread owns it.
 * All zero: frames do not come by a connection, and the servers that they name stay. */
struct server_holder {
    uint64_t id;          /* of the connection; 0: none */
    uint32_t *held;       /* [capacity + 1]: the generation of the server that it holds; 0: none */
    uint64_t retry_at_ns; /* when it may ask for a new server again */
};

struct server_set_bounds {
    unsigned servers;   /* the capacity */
    unsigned series;    /* pairs of a server and a role that have series of their own; those of
                           SERVER_OTHER are not counted */
    uint64_t expiry_ns; /* how long a server has to be silent to be replaced while connected */
};

/** Bytes that a set for so many servers takes. */
size_t server_set_memory(unsigned servers);

/** Make a set, whose labels are hashed under `key`; on success the caller frees *out. Returns 0 or
 *  -ENOMEM. */
NONNULL MUST_USE int server_set_create(struct server_set **out,
                                       const struct server_set_bounds *bounds,
                                       const struct hash_key *key);

void server_set_free(struct server_set *set);

/** Begin a connection. Returns 0 or -ENOMEM; on success the caller ends with
 *  server_holder_close(). */
NONNULL MUST_USE int server_holder_open(struct server_set *set, struct server_holder *holder);

/** End a connection, if one was begun: servers that no other one holds may be replaced now. */
NONNULL void server_holder_close(struct server_set *set, struct server_holder *holder);

/** The server with this dnstap identity, which sent a frame by `holder`'s connection at `now_ns`
 *  (monotonic). An empty identity stands for `name`. Returns SERVER_OTHER where there is no place
 *  for it or the identity is too long. */
NONNULL struct server_ref server_set_find(struct server_set *set, struct bytes identity,
                                          const char *name, struct server_holder *holder,
                                          uint64_t now_ns);

/** Keep a server from being replaced while `holder`'s connection is open, except by a silence of
 *  `expiry_ns`. Cheap where it is kept already. Returns false where its number is another one's by
 *  now. */
NONNULL bool server_set_hold(struct server_set *set, struct server_ref server,
                             struct server_holder *holder);

/** Whether the server has series of its own in this role, a number below 32; it gets them where
 * bounds.series are not in use, and keeps them until it is replaced. Cheap where it is decided. */
NONNULL bool server_set_take_series(struct server_set *set, struct server_ref server,
                                    unsigned role);

/** The generation that the number stands for. */
NONNULL uint32_t server_set_generation(const struct server_set *set, unsigned number);

/** Whether the number still stands for the server. */
NONNULL bool server_set_is_current(const struct server_set *set, struct server_ref server);

/** Note that the server has sent frames, the last of them at `now_ns`. */
NONNULL void server_set_touch(struct server_set *set, struct server_ref server, uint64_t now_ns);

/** What readers show of a server. */
struct server_info {
    uint32_t generation;    /* 0: the number is not in use */
    uint64_t created_ns;    /* monotonic: when the server was first seen */
    char label[LABEL_SIZE]; /* UTF-8 */
};

/** Bring `infos[capacity + 1]` up to date, by number; zero at first. Only what has changed is
 * copied. */
NONNULL void server_set_read(struct server_set *set, struct server_info *infos);
