/* SPDX-License-Identifier: Apache-2.0 */
#include "scrape_internal.h"

const char *const exposition_names[EXPOSITION_COUNT] = {
    [EXPOSITION_TEXT] = "text",
    [EXPOSITION_OPENMETRICS] = "openmetrics",
    [EXPOSITION_PROTOBUF] = "protobuf",
};

static bool is_of_clients(enum top_list list)
{
    return list <= TOP_CLIENT_RESPONSE_BYTES;
}

void scrape_print_key(const struct scrape *scrape, enum top_list list, struct bytes key,
                      char out[TOP_KEY_TEXT_SIZE])
{
    if (is_of_clients(list)) {
        client_key_print(scrape->numbers.privacy, key, out);
    } else {
        dns_name_print(key, out);
    }
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
