/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/pair_key.h"

uint64_t pair_key_hash(const struct hash_key *secret, unsigned server,
                       const struct observation *seen, uint64_t qname_hash)
{
    const struct dns_message *dns = &seen->dns;
    bool asks_others = seen->role == ROLE_RESOLVER || seen->role == ROLE_FORWARDER;
    /* Client and auth share a view: BIND's CH queries are AUTH_QUERY, CLIENT_RESPONSE. */
    uint64_t view = seen->role == ROLE_AUTH ? ROLE_CLIENT : seen->role;
    uint64_t sum = hash_add(secret, HASH_START,
                            (uint64_t)server << 16 | view << 8 | (uint64_t)seen->transport);

    sum = hash_add_bytes(secret, sum, seen->response_address);
    if (asks_others) { /* there the port differs between query and response, see the design */
        sum = hash_add(secret, sum, (uint64_t)dns->id << 16 | dns->qtype);
    } else {
        sum = hash_add_bytes(secret, sum, seen->query_address);
        sum = hash_add(secret, sum,
                       (uint64_t)seen->query_port << 32 | (uint64_t)dns->id << 16 | dns->qtype);
    }
    return hash_finish(secret, hash_add(secret, sum, qname_hash >> 4));
}
