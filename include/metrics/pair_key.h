/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pair_key.h - by what a query and its response know each other
 *
 * An exchange is known by transport, both addresses, the client's port and the id, a message of it
 * also by its name and type. What a resolver or forwarder asks others is known by the address that
 * it asks: there Unbound's port differs between query and response, and its own address is 0.0.0.0.
 * Clients and authoritative servers share their keys: BIND logs some exchanges as AUTH_QUERY and
 * CLIENT_RESPONSE. The server is not part of a key (see pairing.h).
 */

#include "base/attr.h"
#include "base/hash.h"
#include "decode/observation.h"

struct pair_key {
    uint64_t exchange; /* equal for all messages of an exchange. An id of 0 tells no exchanges apart
                          (RFC 8484 section 4.1, RFC 9250 section 4.2.1): then name and type are
                          part of it */
    uint64_t question; /* equal for a query and its response, if both have a question */
};

/** The keys of the message under `secret`. `qname_hash` is the hash of its name under `secret`, 0
 *  where it has no question. */
NONNULL struct pair_key pair_key_make(const struct hash_key *secret, const struct observation *seen,
                                      uint64_t qname_hash);

/** The keys of a message as those know it who have its addresses and port only: a frame that does
 *  not carry the query has nothing else. So of these, at most 14 from one address and port wait at
 *  a time (pairing.h: two sets of seven). */
NONNULL struct pair_key pair_key_of_addresses(const struct hash_key *secret,
                                              const struct observation *seen);
