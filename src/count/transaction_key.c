/* SPDX-License-Identifier: Apache-2.0 */
#include "count/transaction_key.h"

/* In the place of the id, which has 16 bits. */
#define WITHOUT_ID (UINT64_C(1) << 16)

/* The sum of everything that a transaction is known by, from that of the address that is asked on;
 * `id` is the DNS id or WITHOUT_ID. */
static uint64_t sum_transaction(const struct hash_key *secret, const struct event *event,
                                uint64_t asked_sum, uint64_t id)
{
    bool asks_others = event->role == ROLE_RESOLVER || event->role == ROLE_FORWARDER;
    uint64_t role = event->role == ROLE_AUTH ? ROLE_CLIENT : event->role;
    uint64_t port = asks_others ? 0 : event->query_port;
    uint64_t sum = hash_add(secret, asked_sum,
                            role << 48 | (uint64_t)event->transport << 40 | port << 20 | id);

    return asks_others ? sum : hash_add_address(secret, sum, event->query_address);
}

struct transaction_key transaction_key_make(const struct hash_key *secret,
                                            const struct event *event, uint64_t qname_hash)
{
    const struct dns_message *dns = &event->dns;
    uint64_t asked_sum = hash_add_address(secret, HASH_START, event->response_address);
    uint64_t transaction = sum_transaction(secret, event, asked_sum, dns->id);
    /* Words are below the prime of the hash (base/hash.h). */
    uint64_t question = hash_add(secret, transaction, qname_hash >> 4 ^ (uint64_t)dns->qtype << 40);

    return (struct transaction_key){
        .transaction = hash_finish(secret, dns->id != 0 ? transaction : question),
        .question = question,
        .asked_sum = asked_sum,
    };
}

struct transaction_key transaction_key_of_addresses(const struct hash_key *secret,
                                                    const struct event *event)
{
    uint64_t asked_sum = hash_add_address(secret, HASH_START, event->response_address);
    uint64_t key = hash_finish(secret, sum_transaction(secret, event, asked_sum, WITHOUT_ID));

    return (struct transaction_key){.transaction = key, .question = key, .asked_sum = asked_sum};
}
