/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * transaction_key.h - the keys under which a query and its response match
 *
 * A transaction is a query and its responses. Its key is made of the transport, both addresses, the
 * client's port and the DNS id; a second key adds the name and the type. The key of a query that a
 * resolver or forwarder sends has only the address that it asks: there Unbound's port differs
 * between query and response, and its own address is 0.0.0.0. Clients and authoritative servers
 * share their keys, because BIND logs some transactions as AUTH_QUERY and CLIENT_RESPONSE. The
 * server is not part of a key (see matcher.h).
 */

#include "base/attr.h"
#include "base/hash.h"
#include "decode/event.h"

struct transaction_key {
    uint64_t transaction; /* equal for all messages of a transaction. An id of 0 tells no
                          transactions apart (RFC 8484 section 4.1, RFC 9250 section 4.2.1): then
                          name and type are part of it */
    uint64_t question;    /* equal for a query and its response, if both have a question */
    uint64_t asked_sum;   /* of the response_address alone (base/hash.h), for who counts by it */
};

/** Return the keys of a message, hashed with `secret`. `qname_hash` is the hash of its name with
 * the same secret, or 0 if it has no question. */
NONNULL struct transaction_key transaction_key_make(const struct hash_key *secret,
                                                    const struct event *event, uint64_t qname_hash);

/** Return the keys of a query whose frame does not carry the query: they have its addresses and
 * port only. At most 14 such queries of one address and port have a place in the table at the same
 * time (matcher.h: two sets of seven). */
NONNULL struct transaction_key transaction_key_of_addresses(const struct hash_key *secret,
                                                            const struct event *event);
