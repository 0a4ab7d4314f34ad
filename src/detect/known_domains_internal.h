/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * known_domains_internal.h - which registered domains were seen before, also before a restart
 *
 * A Bloom filter of two generations (base/bloom.h), each of which has its records in a file: PATH
 * the newer one, PATH.old the older one. A record is appended when a domain comes into the newer
 * generation, so that a process that is killed loses none that it has saved. When that generation
 * is full, it becomes the older one, and the domains that only the older one had are forgotten.
 * Domains are hashes under a secret of the file's own. At most one new domain in a hundred is taken
 * for a known one.
 *
 * Each record has a check. A damaged file is named in the log and set aside as PATH.damaged; what
 * is sound in front of the damage stays. One thread at a time; any thread may ask the filter.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/hash.h"

#define KNOWN_DOMAINS_MAX  500000 /* of a generation: 16 bits for each */

#define KNOWN_FILTER_WORDS ((size_t)1 << 17) /* of a generation: 1 MiB */

struct known_filter {
    struct hash_key secret;                        /* does not change while others ask */
    _Atomic uint64_t words[2][KNOWN_FILTER_WORDS]; /* relaxed: each stands for itself */
};

/** The hash of a domain in wire format. */
NONNULL uint64_t known_filter_hash(const struct known_filter *filter, struct bytes domain);

/** Whether the domain of this hash was seen before. */
NONNULL bool known_filter_has(const struct known_filter *filter, uint64_t hash);

struct known_domains; /* opaque: src/detect/known_domains.c */

/** Bytes that it takes, without the filter. */
size_t known_domains_memory(void);

/** Make it, with what the files at `path` have; NULL: none, it forgets everything at its end. A
 * file that cannot be used is logged, and then there is none. The filter is all zero, and outlives
 * it. Returns 0 and *out for known_domains_free(); or -ENOMEM. */
MUST_USE int known_domains_create(struct known_domains **out, const char *path,
                                  struct known_filter *filter);

/** Save, and free it. */
void known_domains_free(struct known_domains *known);

/** The time, in seconds since 1970, at which the first file was begun; now, without one. */
NONNULL uint64_t known_domains_begun(const struct known_domains *known);

/** Note that a domain, in wire format, was seen. Returns whether it is new. */
NONNULL bool known_domains_insert(struct known_domains *known, struct bytes domain);

/** Write what was noted to the file. */
NONNULL void known_domains_save(struct known_domains *known);
