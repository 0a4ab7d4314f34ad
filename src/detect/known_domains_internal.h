/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * known_domains_internal.h - which registered domains were seen before, also before a restart
 *
 * A Bloom filter of two generations (src/detect/name_filter_internal.h), each of which has its
 * records in a file: PATH the newer one, PATH.old the older one. A record is appended when a domain
 * comes into the newer generation, so that a process that is killed loses none that it has saved.
 * When that generation is full, it becomes the older one, and the domains that only the older one
 * had are forgotten. Domains are hashes under a secret of the file's own. At most one new domain in
 * a hundred is taken for a known one.
 *
 * Each record has a check. A damaged file is named in the log and set aside as PATH.damaged; what
 * is sound in front of the damage stays. One thread at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

#define KNOWN_DOMAINS_MAX 500000 /* of a generation: 16 bits for each */

struct known_domains; /* opaque: src/detect/known_domains.c */

/** Bytes that it takes. */
size_t known_domains_memory(void);

/** Make it, with what the files at `path` have; NULL: none, it forgets everything at its end. A
 * file that cannot be used is logged, and then there is none. Returns 0 and *out for
 * known_domains_free(); or -ENOMEM. */
MUST_USE int known_domains_create(struct known_domains **out, const char *path);

/** Save, and free it. */
void known_domains_free(struct known_domains *known);

/** The time, in seconds since 1970, at which the first file was begun; now, without one. */
NONNULL uint64_t known_domains_begun(const struct known_domains *known);

/** Note that a domain, in wire format, was seen. Returns whether it is new. */
NONNULL bool known_domains_insert(struct known_domains *known, struct bytes domain);

/** Write what was noted to the file. */
NONNULL void known_domains_save(struct known_domains *known);
