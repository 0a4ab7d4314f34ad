/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pane.h - who and what, over one stretch of time: the lists and the distinct counts
 *
 * Panes add up: those of several workers to the pane of all, those of several stretches to a
 * window. Memory is taken when a pane is made. One thread owns a pane.
 */

#include "base/attr.h"
#include "sketch/distinct.h"
#include "sketch/heavy_hitters.h"
#include "client/client_event.h"

enum top_list {
    TOP_CLIENT_QUERIES,
    TOP_CLIENT_NXDOMAINS,
    TOP_CLIENT_RESPONSE_BYTES,
    TOP_QNAME_QUERIES,
    TOP_QNAME_NXDOMAINS,
    TOP_QNAME_SERVFAILS,
    TOP_DOMAIN_QUERIES,
    TOP_DOMAIN_NXDOMAINS,
    TOP_DOMAIN_SERVFAILS,
    TOP_UPSTREAM_QUERIES,
    TOP_UPSTREAM_UNANSWERED,
    TOP_UPSTREAM_SERVFAILS,
    TOP_UPSTREAM_RESPONSE_SECONDS, /* counts nanoseconds */
    TOP_LIST_COUNT,
};

/** "client_queries" and so on: label values, keys of JSON, words of the configuration; then NULL.
 */
extern const char *const top_list_names[TOP_LIST_COUNT + 1];

enum distinct_count {
    DISTINCT_CLIENTS_IPV4,
    DISTINCT_CLIENTS_IPV6,
    DISTINCT_QNAMES,
    DISTINCT_NXDOMAIN_QNAMES,
    DISTINCT_DOMAINS,
    DISTINCT_COUNT_COUNT,
};

#define PANE_DISTINCT_PRECISION 12 /* standard error 1.6 % */

struct pane_shape {
    unsigned lists;     /* a bit for each enum top_list that is on */
    unsigned distincts; /* a bit for each enum distinct_count that is on */
    size_t capacity;    /* of each list, see sketch/heavy_hitters.h; those of upstream servers, of
                           which there are fewer, have half of it */
    bool by_server;     /* keys of different servers are different: see pane_key_server() */
};

struct pane {
    struct pane_shape shape;
    struct heavy_hitters *lists[TOP_LIST_COUNT]; /* owned; NULL: off */
    uint8_t distincts[DISTINCT_COUNT_COUNT][DISTINCT_SIZE(PANE_DISTINCT_PRECISION)];
};

/** In front of each key, if shape.by_server: the struct client_event's `server`. */
#define PANE_SERVER_SIZE sizeof(uint32_t)

/** Take the server from a key of a pane by server, and leave what follows in *key. */
NONNULL uint32_t pane_key_server(struct bytes *key);

/** Bytes that a pane takes. */
NONNULL size_t pane_memory(const struct pane_shape *shape);

/** Make an empty pane; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int pane_create(struct pane **out, const struct pane_shape *shape);

void pane_free(struct pane *pane);

/** Empty the pane. */
NONNULL void pane_clear(struct pane *pane);

/** Count a client event. Hot path: no allocation, no failure. */
NONNULL void pane_record(struct pane *pane, const struct client_event *event);

/** A server that others ask, in the roles resolver, forwarder and stub. */
struct upstream {
    struct bytes address; /* 4 or 16 bytes; borrowed */
    uint64_t hash;        /* of the address, hash_finish_for_table() */
    uint32_t server;      /* that asks it: the struct client_event's `server` */
};

/** Count `weight`, at least 1, for an upstream server in one of its lists. Hot path as
 * pane_record(). */
NONNULL void pane_count_upstream(struct pane *pane, enum top_list list,
                                 const struct upstream *upstream, uint64_t weight);

/** Let go of what says next to nothing; see heavy_hitters_trim(). */
NONNULL void pane_trim(struct pane *pane);

/** Add all that `from`, a pane of the same shape, has counted. */
NONNULL void pane_merge(struct pane *to, const struct pane *from);

/** Make *to, a pane of the same shape, what `from` is. */
NONNULL void pane_copy(struct pane *to, const struct pane *from);

/** Keys that a list had no room for since the pane was cleared, see heavy_hitters_evictions(). */
NONNULL uint64_t pane_evictions(const struct pane *pane, enum top_list list);

/** How many different ones there were, about. */
NONNULL double pane_distinct(const struct pane *pane, enum distinct_count which);
