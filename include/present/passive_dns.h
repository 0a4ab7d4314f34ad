/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * passive_dns.h - which records were seen, from when to when, and how often
 *
 * Passive DNS (Weimer 2005), printed in the Common Output Format of
 * draft-dulaunoy-dnsop-passive-dns-cof. A record is its owner, type and data, whatever its TTL; of
 * the class IN alone, which the format has no place for. Memory grows with the number of different
 * records: their text and some 100 bytes for each.
 */

#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"
#include "decode/event.h"

struct passive_dns;

/** Create an empty table. Returns 0 or a negative errno. */
NONNULL MUST_USE int passive_dns_create(struct passive_dns **out);

/** Free the table; NULL is allowed. */
void passive_dns_free(struct passive_dns *table);

/** Add the sound records in the answer section of a response to a QUERY that says when it was sent.
 * Returns 0 or -ENOMEM. */
NONNULL MUST_USE int passive_dns_add(struct passive_dns *table, const struct event *event);

/** Add all that `other` has. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int passive_dns_merge(struct passive_dns *table, const struct passive_dns *other);

/** How the lines are ordered: by owner, then type, then data. Call it once, when all is added. */
NONNULL void passive_dns_sort(struct passive_dns *table);

/** Records in the table. */
NONNULL size_t passive_dns_count(const struct passive_dns *table);

/** Append the record `index` as a JSON object and a line feed: rrname, rrtype, rdata, time_first
 * and time_last in seconds since 1970, count. */
NONNULL void passive_dns_line(const struct passive_dns *table, size_t index, struct text *out);
