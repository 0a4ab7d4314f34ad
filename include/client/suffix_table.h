/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * suffix_table.h - what is known of the ends of names: public suffixes, and those that are allowed
 *
 * The registered domain of a name is its public suffix and one label more, by the rules of
 * https://publicsuffix.org/list: the longest rule counts, `*` stands for one label or none, `!` is
 * an exception, and without any rule the last label is the suffix. Of a reverse name it is the /24
 * of in-addr.arpa or the /48 of ip6.arpa that the name is in: about what one network has. Ours and
 * not libpsl, since every query asks: libpsl takes five to twelve times as long (tests/bench); it
 * is the oracle.
 *
 * A name is looked up from its end, label by label, as long as some rule goes on; one cache line
 * each, mostly twice. Suffixes are known by 56 bits made of their sums (base/hash.h): the odds that
 * some suffix is taken for one of the 10,000 of the list are about 2^-40.
 * A table does not change; any number of threads may read it.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/text.h"
#include "decode/dns_name.h"

struct suffix_table; /* opaque: src/client/suffix_table.c */

/** Make a table under `secret` from the public suffix list in the file `path`, as the list is
 * published (NULL: no rules), and from the names in wire format, `allowed[allowed_count]`, at and
 * below which everything is allowed. Returns 0 and *out for suffix_table_free(); or a negative
 * errno and what went wrong, with file and line, in *error. */
MUST_USE int suffix_table_create(struct suffix_table **out, const struct hash_key *secret,
                                 const char *path, const struct bytes *allowed,
                                 size_t allowed_count, struct text *error);

void suffix_table_free(struct suffix_table *table);

/** Whether the label, in lower case, is a top-level domain of the list. */
NONNULL bool suffix_table_has_top_level(const struct suffix_table *table, struct bytes label);

struct suffix_match {
    struct bytes domain;  /* the registered domain, a part of the name; a public suffix itself, or
                             the root, is its own */
    uint64_t domain_hash; /* under the secret */
    bool has_rule;        /* the list has the public suffix, or there is no list */
    bool allowed;
};

/** Look up a name in wire format, lower case, without compression. `suffixes` are the name's, from
 * dns_name_sum() under the secret. */
NONNULL struct suffix_match suffix_table_match(const struct suffix_table *table, struct bytes name,
                                               const struct dns_name_suffixes *suffixes);
