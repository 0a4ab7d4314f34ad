/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/pair_key.h"

/* What a query and its response have in common. Hashed as bytes: no padding, unused parts zero. */
struct pair_key {
    uint8_t query_address[16], response_address[16];
    uint64_t qname_hash;
    uint16_t server, id, qtype, port;
    uint8_t view; /* client and auth share one: BIND's CH queries are AUTH_QUERY, CLIENT_RESPONSE */
    uint8_t transport;
    uint8_t query_address_len, response_address_len;
    uint8_t zero[4];
};

_Static_assert(sizeof(struct pair_key) == 56, "no padding");

static void put_address(struct bytes address, uint8_t out[16], uint8_t *len)
{
    if (address.len > 0) {
        memcpy(out, address.data, address.len);
    }
    *len = (uint8_t)address.len;
}

uint64_t pair_key_hash(const struct hash_key *secret, unsigned server,
                       const struct observation *seen, uint64_t qname_hash)
{
    const struct dns_message *dns = &seen->dns;
    bool asks_others = seen->role == ROLE_RESOLVER || seen->role == ROLE_FORWARDER;
    struct pair_key key = {
        .qname_hash = qname_hash,
        .server = (uint16_t)server,
        .id = dns->id,
        .qtype = dns->qtype,
        .view = (uint8_t)(seen->role == ROLE_AUTH ? ROLE_CLIENT : seen->role),
        .transport = (uint8_t)seen->transport,
    };

    put_address(seen->response_address, key.response_address, &key.response_address_len);
    if (!asks_others) { /* there the port differs between query and response, see the design */
        put_address(seen->query_address, key.query_address, &key.query_address_len);
        key.port = seen->query_port;
    }
    return hash_bytes(secret, (struct bytes){(const uint8_t *)&key, sizeof key});
}
