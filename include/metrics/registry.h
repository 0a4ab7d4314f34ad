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
#include "metrics/exposition.h"
#include "metrics/output_tally.h"
#include "metrics/shard.h"

struct registry; /* opaque: src/metrics/registry.c */

/** Lists, distinct counts and detectors; all zero: none. */
struct traffic_setup {
    struct pane_shape panes;
    size_t top_size; /* series of a list */
    struct watch_setup watch;
    size_t suspects_max; /* series of bursts */
    uint64_t window_ns;  /* at least WINDOW_STEPS nanoseconds */
    struct client_privacy privacy;
};

struct registry_setup {
    struct metrics_limits limits;
    struct traffic_setup traffic;
    int native_schema; /* of native histograms, HISTOGRAM_SCHEMA_MIN to HISTOGRAM_SCHEMA_MAX */
    enum shard_time time;
    unsigned shard_count;
    const char *const *input_names; /* [input_count], all different; copied */
    const unsigned *input_sampling; /* [input_count]: one in so many messages comes; copied. NULL:
                                       all of them */
    unsigned input_count;
    const char *const *output_names; /* [output_count], likewise */
    unsigned output_count;
};

/** Bytes that a registry takes at the most. */
struct registry_memory {
    size_t counters; /* of the shards, and their sum */
    size_t matching; /* messages that wait for their counterpart */
    size_t lists;    /* and distinct counts */
    size_t detectors;
    size_t names;     /* what names of servers, codes and series take, per connection apart */
    size_t documents; /* parts of JSON that are being made */
    size_t per_connection;
};

/** Say what a registry of this setup takes. */
NONNULL void registry_memory(const struct registry_setup *setup, struct registry_memory *out);

/** Bytes of the largest page of metrics, in any format, and of the largest JSON document, whatever
 * peers send. */
NONNULL size_t registry_page_max(const struct registry_setup *setup);
NONNULL size_t registry_json_max(const struct registry_setup *setup);

/** Make a registry; on success the caller frees *out. Returns 0 or a negative errno. */
NONNULL MUST_USE int registry_create(struct registry **out, const struct registry_setup *setup);

void registry_free(struct registry *registry);

/** The shard of worker `index`, below setup.shard_count; owned by the registry. */
NONNULL struct shard *registry_shard(const struct registry *registry, unsigned index);

/** Where to count what becomes of frames for output `index`, below setup.output_count; owned by the
 * registry. */
NONNULL struct output_tally *registry_output(const struct registry *registry, unsigned index);

/** Find registered domains by the public suffix list in the file `path` (NULL: each name's last two
 * labels), and leave names at and below `allowed[allowed_count]`, in wire format, out of what
 * detectors see. May be called again; at first there is neither. Returns 0; or a negative errno and
 * what went wrong in *error, and then everything stays as it is. One thread at a time. */
MUST_USE int registry_set_suffixes(struct registry *registry, const char *path,
                                   const struct bytes *allowed, size_t allowed_count,
                                   struct text *error);

/** Write the lists, at most `limit` entries each, the distinct counts and the bursts that last as
 * JSON into *page, which is cleared first. Any thread. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int registry_write_top(struct registry *registry, size_t limit, struct text *page);

/** Write these and the counts of every server and input as JSON into *page, likewise. */
NONNULL MUST_USE int registry_write_status(struct registry *registry, size_t limit,
                                           struct text *page);

/** Write the metrics in `format` into *page, which is cleared first. Any thread. Returns 0 or
 * -ENOMEM. */
NONNULL MUST_USE int registry_write_page(struct registry *registry, enum exposition format,
                                         struct text *page);

/** Count a page in `format` that took `duration_ns` to make. Any thread. */
NONNULL void registry_note_scrape(struct registry *registry, enum exposition format,
                                  uint64_t duration_ns);

/** Note whether servers can connect to input `index`; so it is at first. Any thread. */
NONNULL void registry_note_listening(struct registry *registry, unsigned index, bool listening);

/** What was noted last. Any thread. */
NONNULL bool registry_is_listening(const struct registry *registry, unsigned index);

/** Note that the configuration was read, and whether it was sound. Any thread. */
NONNULL void registry_note_reload(struct registry *registry, bool successful);
