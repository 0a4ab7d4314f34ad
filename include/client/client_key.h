/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * client_key.h - by what a client is known, and as what it is shown
 *
 * The address, or the network it is in, or a number that only says that two are the same: whichever
 * privacy asks for, nothing else is kept, so that no list, detector or log line can show more. A
 * port is never part of it.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "config/config_row.h"

/* clang-format off */
#define CLIENT_PRIVACY_KEYS(KEY, S)                                                                \
    KEY(S, number, ipv4_prefix, "privacy.client_ipv4_prefix", "32", .least = 0, .most = 32,        \
        .help = "Bits of an IPv4 address that are kept. 24 says which network a client is in, 0 "  \
                "leaves IPv4 clients out.")                                                        \
    KEY(S, number, ipv6_prefix, "privacy.client_ipv6_prefix", "128", .least = 0, .most = 128,      \
        .help = "Bits of an IPv6 address that are kept. 48 says which network a client is in, 0 "  \
                "leaves IPv6 clients out.")                                                        \
    KEY(S, boolean, hashed, "privacy.client_hash", "false",                                        \
        .help = "Show a keyed hash of what is kept. It says only that two clients are the same, "  \
                "until the next restart.")
/* clang-format on */

struct client_privacy {
    CLIENT_PRIVACY_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows client_privacy_rows; /* of a struct client_privacy */

#define CLIENT_KEY_MAX 16 /* an IPv6 address */

struct client_key {
    uint8_t len; /* 4 or 16 bytes of a network, or 8 of a hash */
    uint8_t data[CLIENT_KEY_MAX];
};

/** The key of the client at `address` (4 or 16 bytes, or empty where it is not known), hashed with
 * `secret` where privacy asks for it. False where there is no client to count: no address, or
 * 0.0.0.0 or ::, or one that privacy leaves out. */
NONNULL MUST_USE bool client_key_read(const struct client_privacy *privacy,
                                      const struct hash_key *secret, struct bytes address,
                                      struct client_key *out);

/** The key's place in our tables, which nobody outside sees. */
NONNULL uint64_t client_key_hash(const struct hash_key *secret, const struct client_key *client);

/** Whether the key is a number, in which nobody can see an address. */
NONNULL bool client_key_is_hash(const struct client_key *client);

#define CLIENT_KEY_TEXT_SIZE 64 /* an IPv6 network, or a hash, as text */

/** Write the key as text: "192.0.2.1", "192.0.2.0/24", "2001:db8::/48", or 16 hexadecimal digits
 *  for a hash. `key` is one that client_key_read() made under this privacy. */
NONNULL void client_key_print(const struct client_privacy *privacy, struct bytes key,
                              char out[CLIENT_KEY_TEXT_SIZE]);
