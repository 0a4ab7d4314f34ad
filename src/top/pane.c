/* SPDX-License-Identifier: Apache-2.0 */
#include "top/pane.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

const char *const top_list_names[TOP_LIST_COUNT + 1] = {
    [TOP_CLIENT_QUERIES] = "client_queries",
    [TOP_CLIENT_NXDOMAINS] = "client_nxdomains",
    [TOP_CLIENT_RESPONSE_BYTES] = "client_response_bytes",
    [TOP_QNAME_QUERIES] = "qname_queries",
    [TOP_QNAME_NXDOMAINS] = "qname_nxdomains",
    [TOP_QNAME_SERVFAILS] = "qname_servfails",
    [TOP_DOMAIN_QUERIES] = "domain_queries",
    [TOP_DOMAIN_NXDOMAINS] = "domain_nxdomains",
    [TOP_DOMAIN_SERVFAILS] = "domain_servfails",
    [TOP_UPSTREAM_QUERIES] = "upstream_queries",
    [TOP_UPSTREAM_UNANSWERED] = "upstream_unanswered",
    [TOP_UPSTREAM_SERVFAILS] = "upstream_servfails",
    [TOP_UPSTREAM_RESPONSE_SECONDS] = "upstream_response_seconds",
};

#define ADDRESS_MAX 16 /* bytes (RFC 4291) */

static const size_t key_sizes[TOP_LIST_COUNT] = {
    [TOP_CLIENT_QUERIES] = CLIENT_KEY_MAX,         [TOP_CLIENT_NXDOMAINS] = CLIENT_KEY_MAX,
    [TOP_CLIENT_RESPONSE_BYTES] = CLIENT_KEY_MAX,  [TOP_QNAME_QUERIES] = DNS_NAME_MAX,
    [TOP_QNAME_NXDOMAINS] = DNS_NAME_MAX,          [TOP_QNAME_SERVFAILS] = DNS_NAME_MAX,
    [TOP_DOMAIN_QUERIES] = DNS_NAME_MAX,           [TOP_DOMAIN_NXDOMAINS] = DNS_NAME_MAX,
    [TOP_DOMAIN_SERVFAILS] = DNS_NAME_MAX,         [TOP_UPSTREAM_QUERIES] = ADDRESS_MAX,
    [TOP_UPSTREAM_UNANSWERED] = ADDRESS_MAX,       [TOP_UPSTREAM_SERVFAILS] = ADDRESS_MAX,
    [TOP_UPSTREAM_RESPONSE_SECONDS] = ADDRESS_MAX,
};

static size_t capacity_of_list(const struct pane_shape *shape, enum top_list list)
{
    return list >= TOP_UPSTREAM_QUERIES ? (shape->capacity + 1) / 2 : shape->capacity;
}

static struct heavy_hitters_shape shape_of_list(const struct pane_shape *shape, enum top_list list)
{
    size_t server_size = shape->by_server ? PANE_SERVER_SIZE : 0;

    return (struct heavy_hitters_shape){.capacity = capacity_of_list(shape, list),
                                        .key_max = server_size + key_sizes[list]};
}

uint32_t pane_key_server(struct bytes *key)
{
    uint32_t server;

    memcpy(&server, key->data, sizeof server);
    *key = (struct bytes){key->data + sizeof server, key->len - sizeof server};
    return server;
}

size_t pane_memory(const struct pane_shape *shape)
{
    size_t bytes = sizeof(struct pane);

    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        const struct heavy_hitters_shape of_list = shape_of_list(shape, list);
        bytes += (shape->lists >> list & 1) != 0 ? heavy_hitters_memory(&of_list) : 0;
    }
    return bytes;
}

int pane_create(struct pane **out, const struct pane_shape *shape)
{
    struct pane *pane = calloc(1, sizeof *pane);

    if (pane == NULL) {
        return -ENOMEM;
    }
    memory_touch(pane, sizeof *pane);
    pane->shape = *shape;
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        const struct heavy_hitters_shape of_list = shape_of_list(shape, list);
        if ((shape->lists >> list & 1) != 0 &&
            heavy_hitters_create(&pane->lists[list], &of_list) < 0) {
            pane_free(pane);
            return -ENOMEM;
        }
    }
    *out = pane;
    return 0;
}

void pane_free(struct pane *pane)
{
    if (pane != NULL) {
        for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
            heavy_hitters_free(pane->lists[list]);
        }
        free(pane);
    }
}

void pane_clear(struct pane *pane)
{
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (pane->lists[list] != NULL) {
            heavy_hitters_clear(pane->lists[list]);
        }
    }
    memset(pane->distincts, 0, sizeof pane->distincts);
}

COLD static void count_by_server(struct heavy_hitters *list, uint32_t server, uint64_t hash,
                                 struct bytes key, uint64_t weight)
{
    uint8_t space[PANE_SERVER_SIZE + DNS_NAME_MAX];

    memcpy(space, &server, sizeof server);
    memcpy(space + sizeof server, key.data, key.len);
    hash ^= (server + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
    (void)heavy_hitters_count(list, hash, (struct bytes){space, sizeof server + key.len}, weight);
}

static void pane_count(struct pane *pane, uint32_t server, enum top_list list, uint64_t hash,
                       struct bytes key, uint64_t weight)
{
    if (pane->lists[list] != NULL && pane->shape.by_server) {
        count_by_server(pane->lists[list], server, hash, key, weight);
    } else if (pane->lists[list] != NULL) {
        (void)heavy_hitters_count(pane->lists[list], hash, key, weight);
    }
}

static void count_client(struct pane *pane, enum top_list list, const struct client_event *event,
                         uint64_t weight)
{
    if (event->has_client) {
        pane_count(pane, event->server, list, event->client_hash,
                   (struct bytes){event->client.data, event->client.len}, weight);
    }
}

static void count_name(struct pane *pane, enum top_list of_qnames, enum top_list of_domains,
                       const struct client_event *event)
{
    if (event->has_name) {
        pane_count(pane, event->server, of_qnames, event->qname_hash, event->qname, 1);
        pane_count(pane, event->server, of_domains, event->suffix.domain_hash, event->suffix.domain,
                   1);
    }
}

static void pane_note(struct pane *pane, enum distinct_count which, uint64_t hash)
{
    if ((pane->shape.distincts >> which & 1) != 0) {
        distinct_insert(pane->distincts[which], PANE_DISTINCT_PRECISION, hash);
    }
}

static void record_query(struct pane *pane, const struct client_event *event)
{
    count_client(pane, TOP_CLIENT_QUERIES, event, 1);
    count_name(pane, TOP_QNAME_QUERIES, TOP_DOMAIN_QUERIES, event);
    if (event->has_client) {
        pane_note(pane, event->is_ipv6 ? DISTINCT_CLIENTS_IPV6 : DISTINCT_CLIENTS_IPV4,
                  event->client_hash);
    }
    if (event->has_name) {
        pane_note(pane, DISTINCT_QNAMES, event->qname_hash);
        pane_note(pane, DISTINCT_DOMAINS, event->suffix.domain_hash);
    }
}

static void record_nxdomain(struct pane *pane, const struct client_event *event)
{
    count_client(pane, TOP_CLIENT_NXDOMAINS, event, 1);
    count_name(pane, TOP_QNAME_NXDOMAINS, TOP_DOMAIN_NXDOMAINS, event);
    if (event->has_name) {
        pane_note(pane, DISTINCT_NXDOMAIN_QNAMES, event->qname_hash);
    }
}

void pane_record(struct pane *pane, const struct client_event *event)
{
    if (event->outcome == CLIENT_EVENT_QUERY) {
        record_query(pane, event);
        return;
    }
    if (event->message_size > 0) {
        count_client(pane, TOP_CLIENT_RESPONSE_BYTES, event, event->message_size);
    }
    if (event->outcome == CLIENT_EVENT_NXDOMAIN) {
        record_nxdomain(pane, event);
    } else if (event->outcome == CLIENT_EVENT_SERVFAIL) {
        count_name(pane, TOP_QNAME_SERVFAILS, TOP_DOMAIN_SERVFAILS, event);
    }
}

void pane_count_upstream(struct pane *pane, enum top_list list, const struct upstream *upstream,
                         uint64_t weight)
{
    pane_count(pane, upstream->server, list, upstream->hash, upstream->address, weight);
}

void pane_trim(struct pane *pane)
{
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (pane->lists[list] != NULL) {
            heavy_hitters_trim(pane->lists[list]);
        }
    }
}

void pane_merge(struct pane *to, const struct pane *from)
{
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (to->lists[list] != NULL) {
            heavy_hitters_merge(to->lists[list], from->lists[list], NULL);
        }
    }
    for (enum distinct_count which = 0; which < DISTINCT_COUNT_COUNT; which++) {
        distinct_merge(to->distincts[which], from->distincts[which], PANE_DISTINCT_PRECISION);
    }
}

void pane_copy(struct pane *to, const struct pane *from)
{
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (to->lists[list] != NULL) {
            heavy_hitters_copy(to->lists[list], from->lists[list]);
        }
    }
    memcpy(to->distincts, from->distincts, sizeof to->distincts);
}

uint64_t pane_evictions(const struct pane *pane, enum top_list list)
{
    return pane->lists[list] != NULL ? heavy_hitters_evictions(pane->lists[list]) : 0;
}

double pane_distinct(const struct pane *pane, enum distinct_count which)
{
    return distinct_estimate(pane->distincts[which], PANE_DISTINCT_PRECISION);
}
