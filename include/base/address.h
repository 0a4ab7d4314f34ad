/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * address.h - HOST:PORT as people write it
 */

#include <stdbool.h>

#include "base/attr.h"

struct address {
    char host[256]; /* without brackets; empty: every address */
    char port[6];   /* a number from 1 to 65535 */
};

/** Split "127.0.0.1:9353", "[::1]:9353", "localhost:9353" or ":9353". False where it is none of
 * these; *out is written only on success. */
NONNULL MUST_USE bool address_split(const char *text, struct address *out);

/** Whether the host is an IPv4 or IPv6 address and no name. */
NONNULL bool address_is_numeric(const struct address *address);
