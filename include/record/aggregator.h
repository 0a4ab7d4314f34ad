/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * aggregator.h - the shards of all workers, and the sum of what they have counted
 *
 * Made once; shards and inputs are fixed for its life. A snapshot is the sum of the shards, each
 * taken at a batch boundary.
 */

#include "base/attr.h"
#include "base/text.h"
#include "record/evaluator.h"
#include "record/shard.h"
#include "record/snapshot.h"

struct aggregator; /* opaque: src/record/aggregator.c */

struct aggregator_setup {
    struct label_limits limits;
    struct analysis_setup analysis;
    enum shard_time time;
    unsigned shard_count;
    unsigned input_count;
};

/** Bytes that an aggregator takes at the most. */
struct aggregator_memory {
    size_t counters; /* of the shards, and their sum */
    size_t matching; /* messages that wait for their counterpart */
    size_t lists;    /* and distinct counts */
    size_t detectors[DETECTOR_COUNT];
    size_t findings; /* and what detectors share */
    size_t names;    /* what names of servers, codes and series take, per connection apart */
    size_t per_connection;
};

/** Say what an aggregator of this setup takes. */
NONNULL void aggregator_memory(const struct aggregator_setup *setup, struct aggregator_memory *out);

/** The most pairs of a server and a role that have series under these limits, those of SERVER_OTHER
 * included. */
NONNULL size_t aggregator_pair_count(const struct label_limits *limits);

/** Make an aggregator with its shards; on success the caller frees *out. The forwarders, from
 * malloc(), are the aggregator's in either case. Returns 0 or a negative errno. */
NONNULL MUST_USE int aggregator_create(struct aggregator **out,
                                       const struct aggregator_setup *setup);

void aggregator_free(struct aggregator *aggregator);

/** The shard of worker `index`, below setup.shard_count; owned by the aggregator. */
NONNULL struct shard *aggregator_shard(const struct aggregator *aggregator, unsigned index);

/** What it was made of. */
NONNULL const struct aggregator_setup *aggregator_setup_of(const struct aggregator *aggregator);

/** Start the thread that evaluates once a second; SHARD_TIME_LIVE only. Returns 0 or a negative
 * errno. */
NONNULL MUST_USE int aggregator_start(struct aggregator *aggregator);

/** Return the time (monotonic) at which the thread's next evaluation was due when it last waited:
 * one that is long ago shows that it hangs. UINT64_MAX without the thread. */
NONNULL uint64_t aggregator_heartbeat_ns(const struct aggregator *aggregator);

/** End the thread, if there is one. aggregator_free() does so, too. */
NONNULL void aggregator_stop(struct aggregator *aggregator);

/** What the thread does each time: take the parts of all shards, evaluate them as of `now_ns`
 * (monotonic), publish. For callers without the thread. */
NONNULL void aggregator_evaluate(struct aggregator *aggregator, uint64_t now_ns);

/** Find registered domains by the public suffix list in the file `path` (NULL: each name's last two
 * labels), and leave names at and below `allowed[allowed_count]`, in wire format, out of what
 * detectors see. May be called again; at first there is neither. Returns 0; or a negative errno and
 * what went wrong in *error, and then everything stays as it is. One thread at a time. */
MUST_USE int aggregator_set_suffixes(struct aggregator *aggregator, const char *path,
                                     const struct bytes *allowed, size_t allowed_count,
                                     struct text *error);

/** Look names up in the list of setup.analysis.block_lists[index], in place of the one before, if
 * there is any; at first in their order. The list, which has these counts, is the aggregator's from
 * now on. One thread at a time. */
NONNULL void aggregator_set_block_list(struct aggregator *aggregator, unsigned index,
                                       struct name_list *list,
                                       const struct name_list_counts *counts);

/** The secret that names are hashed with. */
NONNULL const struct hash_key *aggregator_secret(const struct aggregator *aggregator);

/** Add up the counters of the shards, to the view of the last evaluation. The snapshot stays as it
 * is until aggregator_release(), which has to follow; other readers wait for that. Any thread. */
NONNULL void aggregator_collect(struct aggregator *aggregator, struct snapshot *out);

/** End what aggregator_collect() began. */
NONNULL void aggregator_release(struct aggregator *aggregator);
