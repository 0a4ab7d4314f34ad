/* SPDX-License-Identifier: Apache-2.0 */
#include "scrape_internal.h"

#include <arpa/inet.h>

#include "base/clock.h"

#define IPV4_LEN 4 /* bytes (RFC 791) */

const char *const exposition_names[EXPOSITION_COUNT] = {
    [EXPOSITION_TEXT] = "text",
    [EXPOSITION_OPENMETRICS] = "openmetrics",
    [EXPOSITION_PROTOBUF] = "protobuf",
};

static bool is_of_clients(enum top_list list)
{
    return list <= TOP_CLIENT_RESPONSE_BYTES;
}

static bool is_of_upstreams(enum top_list list)
{
    return list >= TOP_UPSTREAM_QUERIES;
}

static bool is_by_server(const struct scrape *scrape)
{
    return scrape->numbers.view->window->shape.by_server;
}

#define SERVERS_MAX 1001 /* limits.servers at the most, and SERVER_OTHER */

/* The number of the server that a key is of; SERVERS_MAX where that has left. */
static unsigned server_of(const struct scrape *scrape, struct bytes key)
{
    uint32_t server = pane_key_server(&key);
    unsigned number = server >> 8;
    bool is_known = number < scrape->numbers.sum->server_count &&
                    server == server_key(number, scrape->numbers.servers[number].generation);

    return is_known ? number : SERVERS_MAX;
}

const char *scrape_key_server(const struct scrape *scrape, struct bytes key)
{
    return is_by_server(scrape) ? scrape->numbers.servers[server_of(scrape, key)].label : NULL;
}

size_t scrape_top_room(const struct pane_shape *shape, size_t limit)
{
    return shape->by_server ? heavy_hitters_room(shape->capacity) : limit;
}

/* Of the keys in order, the first `limit` of each server that is there. */
static size_t keep_of_each_server(const struct scrape *scrape, size_t limit,
                                  struct heavy_hitter *keys, size_t count)
{
    size_t seen[SERVERS_MAX] = {0};
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned server = server_of(scrape, keys[i].key);
        if (server < SERVERS_MAX && seen[server]++ < limit) {
            keys[kept++] = keys[i];
        }
    }
    return kept;
}

size_t scrape_top(const struct scrape *scrape, enum top_list list, size_t limit,
                  struct heavy_hitter *out)
{
    const struct pane *window = scrape->numbers.view->window;
    size_t count = heavy_hitters_top(window->lists[list], out,
                                     scrape_top_room(&window->shape, limit));

    return is_by_server(scrape) ? keep_of_each_server(scrape, limit, out, count) : count;
}

void scrape_print_key(const struct scrape *scrape, enum top_list list, struct bytes key,
                      char out[TOP_KEY_TEXT_SIZE])
{
    if (is_by_server(scrape)) {
        (void)pane_key_server(&key);
    }
    if (is_of_clients(list)) {
        client_key_print(scrape->numbers.privacy, key, out);
    } else if (is_of_upstreams(list)) {
        (void)inet_ntop(key.len == IPV4_LEN ? AF_INET : AF_INET6, key.data, out, TOP_KEY_TEXT_SIZE);
    } else {
        dns_name_print(key, out);
    }
}

bool scrape_list_is_of_seconds(enum top_list list)
{
    return list == TOP_UPSTREAM_RESPONSE_SECONDS;
}

double scrape_list_seconds(uint64_t value)
{
    return (double)value / (double)NS_PER_SECOND;
}

uint64_t scrape_server_created_ns(const struct scrape *scrape, unsigned server)
{
    /* The first number is for all servers without one, from the start on. */
    return server == SERVER_OTHER
               ? scrape->created_ns
               : scrape->numbers.servers[server].created_ns + scrape->since_1970_ns;
}

bool scrape_has_list(const struct scrape *scrape, enum top_list list)
{
    return scrape->numbers.view != NULL && scrape->numbers.view->window->lists[list] != NULL;
}

bool scrape_has_distinct(const struct scrape *scrape, enum distinct_count which)
{
    return scrape->numbers.view != NULL &&
           (scrape->numbers.view->window->shape.distincts >> which & 1) != 0;
}
