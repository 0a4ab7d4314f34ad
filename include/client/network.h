/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * network.h - an IPv4 or IPv6 network, and which addresses are in it
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"

struct network {
    uint8_t len;    /* bytes of an address: 4 or 16 */
    uint8_t prefix; /* bits that its addresses share */
    uint8_t address[16];
};

/** Read "192.0.2.0/24", "2001:db8::/32", or an address, which is a network of its own. Returns
 * whether it is one; bits behind the prefix are ignored. */
NONNULL MUST_USE bool network_parse(const char *text, struct network *out);

/** Whether the address, of 4 or 16 bytes or empty, is in the network. */
NONNULL bool network_contains(const struct network *network, struct bytes address);
