/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * host_names_internal.h - the names under which the web server may be asked for pages
 *
 * DNS rebinding: a page from elsewhere has its own name resolve to this server's address, and its
 * script then reads from here as if it were from there. The Host of its requests is that name (RFC
 * 9110 section 7.2), which is none of ours.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "config/config_row.h"

struct host_names; /* opaque: src/http/host_names.c */

/** Take the configured names, and those of this machine: its host name, those beside it in
 * hosts(5), and it in each domain of resolv.conf(5). Returns NULL without memory; the caller ends
 * with host_names_free(). */
NONNULL struct host_names *host_names_create(const struct config_strings *configured);

/** NULL is fine. */
void host_names_free(struct host_names *names);

/** Whether `host`, the value of the header Host, cannot be the name of somebody else's site: an
 * address, a name without a dot, one below a domain that the public DNS does not have (RFC 6761,
 * RFC 6762, RFC 8375, .internal, and those of Kubernetes), or one of the names. */
NONNULL bool host_names_allow(const struct host_names *names, const char *host);
