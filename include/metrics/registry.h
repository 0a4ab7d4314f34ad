/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * registry.h - all metrics of the process: the shards, and what the exporter says of itself
 *
 * Made once; shards and inputs are fixed for its life. A page is made from the sum of the shards,
 * each taken at a batch boundary.
 */

#include "base/attr.h"
#include "base/text.h"
#include "metrics/shard.h"

struct registry; /* opaque: src/metrics/registry.c */

struct registry_setup {
    struct metrics_limits limits;
    enum shard_time time;
    unsigned shard_count;
    const char *const *input_names; /* [input_count], all different; copied */
    unsigned input_count;
};

/** Make a registry; on success the caller frees *out. Returns 0 or a negative errno. */
NONNULL MUST_USE int registry_create(struct registry **out, const struct registry_setup *setup);

void registry_free(struct registry *registry);

/** The shard of worker `index`, below setup.shard_count; owned by the registry. */
NONNULL struct shard *registry_shard(const struct registry *registry, unsigned index);

/** Write the page in the text format 0.0.4 into *page, which is cleared first. Any thread. Returns
 * 0 or -ENOMEM. */
NONNULL MUST_USE int registry_write_text(struct registry *registry, struct text *page);

/** Count a scrape of the text format that took `duration_ns`. Any thread. */
NONNULL void registry_note_scrape(struct registry *registry, uint64_t duration_ns);

/** Note that the configuration was read, and whether it was sound. Any thread. */
NONNULL void registry_note_reload(struct registry *registry, bool successful);
