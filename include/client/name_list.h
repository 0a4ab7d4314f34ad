/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * name_list.h - a list of names from a file, such as those of malware
 *
 * Four formats, told apart line by line:
 *   plain    example.com                         the name and all below it
 *   hosts    0.0.0.0 example.com www.example.com the names alone (hosts(5))
 *   RPZ      example.com CNAME .                 the name alone; *.example.com: all below it
 *            (draft-vixie-dnsop-dns-rpz. Only triggers by query name, with CNAME, A or AAAA data.
 *            The owner of the SOA record is cut off the end of absolute names.)
 *   adblock  ||example.com^                      the name and all below it
 *
 * Comments (#, !, ;, //), empty lines, and directives, SOA and NS records of a zone file are passed
 * over. Any other line is counted as unsupported.
 *
 * Names are 64-bit hashes under a secret in open addressing, behind a blocked Bloom filter: a name
 * that is not listed is taken for a listed one with a probability of about 2^-44 for a million
 * names. A list does not change; any number of threads may read it.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/text.h"
#include "decode/dns_name.h"

struct name_list; /* opaque: src/client/name_list.c */

/** What a file has. */
struct name_list_counts {
    size_t names;                  /* different ones */
    size_t unsupported;            /* lines that could not be read as names */
    size_t first_unsupported_line; /* its number; 0: none */
};

/** Bytes that a list of `names` names takes. */
size_t name_list_memory(size_t names);

/** Read the file `path`, of at most `names_max` names. Returns 0, *out for name_list_free() and
 * *counts; or -EINVAL, or another negative errno, and what was wrong in *error; or -ENOMEM. A file
 * without any name is an error, unless it is empty. */
NONNULL MUST_USE int name_list_load(struct name_list **out, const struct hash_key *secret,
                                    const char *path, size_t names_max,
                                    struct name_list_counts *counts, struct text *error);

void name_list_free(struct name_list *list);

/** Whether a name is listed, or below one that is with all below it. `suffixes` are the name's,
 * from dns_name_sum() under the secret. */
NONNULL bool name_list_has(const struct name_list *list, const struct dns_name_suffixes *suffixes);
