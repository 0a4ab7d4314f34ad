/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pair_key.h - by what a query and its response know each other
 *
 * Server, transport, id, name and type; for a client's or an authoritative server's messages also
 * both addresses and the client's port. What a resolver or forwarder asks others is known by the
 * address it asks: there Unbound's port differs between query and response, and its own address is
 * 0.0.0.0.
 */

#include "base/attr.h"
#include "base/hash.h"
#include "decode/observation.h"

/** The hash of the message's key under `secret`: equal for a query and its response. `server` is
 * the number of the server that saw it, `qname_hash` the hash of its name under `secret`. */
NONNULL uint64_t pair_key_hash(const struct hash_key *secret, unsigned server,
                               const struct observation *seen, uint64_t qname_hash);
