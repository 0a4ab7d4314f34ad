/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * shard.h - one worker's metrics: what records the frames
 *
 * A worker brackets each batch of frames with shard_begin() and shard_end(); in between it alone
 * counts, without locks or atomic operations. A reader adds the shard's counters to its own at a
 * batch boundary, so that it never sees half a batch and the invariant frames = queries + responses
 * + rejected + expired holds in every snapshot, where "expired" are the messages of servers that
 * left the set.
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "record/part.h"
#include "count/server_set.h"
#include "count/counters.h"
#include "count/label_sets.h"

struct shard; /* opaque: src/record/shard.c */

/** Which clock the time-outs of a shard follow. */
enum shard_time {
    SHARD_TIME_LIVE,  /* frames come as they happen: the machine's clocks */
    SHARD_TIME_FRAMES /* frames come from a file: their own time stamps; no ingest delay */
};

/** Where frames come from: one connection or file, and what was last found out about it. Embedded
 * by its owner, who belongs to one worker; set the first members, leave the rest zero. */
struct source {
    unsigned input;          /* index among the inputs */
    const char *server_name; /* stands for an empty identity; outlives the source */
    bool sampled;            /* the server sends a part of its messages only */
    struct server_holder holder;
    struct server_ref server; /* that of identity */
    uint64_t valid_until_ns;  /* when SERVER_OTHER has to be looked up again; 0: no server yet */
    uint8_t identity_len;
    uint8_t identity[SERVER_IDENTITY_MAX];
};

/** Bytes that a shard takes, without its counters, waiting messages and part. */
NONNULL size_t shard_memory(const struct label_limits *limits);

/** Make a shard; on success the caller frees *out. `labels` must outlive it. Returns 0 or
 *  -ENOMEM. */
NONNULL MUST_USE int shard_create(struct shard **out, struct label_sets *labels,
                                  const struct label_limits *limits, unsigned input_count,
                                  enum shard_time time);

void shard_free(struct shard *shard);

/** Count for the lists and detectors, too, by these rules, into `part`, which is the shard's from
 * now on. Before the first batch. */
NONNULL void shard_set_part(struct shard *shard, struct part *part,
                            const struct client_event_rules *rules);

/** Exchange the shard's part with an empty one between two batches, as part_exchange(): the worker
 * waits for an exchange of pointers. Any thread but the worker's within a batch. */
NONNULL void shard_exchange_part(struct shard *shard, struct part *part, bool detectors_due);

/** Called within a batch when the clock of the frames comes to another second, before anything of
 * that second is counted into the part. */
typedef void (*shard_tick)(void *context, struct part *part, uint64_t now_ns);

/** SHARD_TIME_FRAMES: call `tick` from now on. Before the first batch. */
NONNULL void shard_set_tick(struct shard *shard, shard_tick tick, void *context);

/** Look names up in another suffix table; the one before is no longer used then. Any thread but the
 *  worker's within a batch. */
NONNULL void shard_set_suffixes(struct shard *shard, const struct suffix_table *suffixes);

/** Look names up in a further list, `index` of which there are, or in another one in its place; the
 * one before is no longer used then. Any thread but the worker's within a batch. */
NONNULL void shard_set_block_list(struct shard *shard, unsigned index,
                                  const struct name_list *list);

/** Begin a connection as the source of frames: the servers that it names are not replaced while it
 * is open. Returns 0 or -ENOMEM; on success the caller ends with shard_close_source(). */
NONNULL MUST_USE int shard_open_source(struct shard *shard, struct source *source);

/** End the connection. Does nothing to a source that was not opened. */
NONNULL void shard_close_source(struct shard *shard, struct source *source);

/** Begin a batch: what follows until shard_end() is seen by readers together. Waits while a reader
 *  adds up. Worker only, as all below except shard_add_to(). */
NONNULL void shard_begin(struct shard *shard);

/** End a batch. */
NONNULL void shard_end(struct shard *shard);

/** Within a batch: count one data frame, whose bytes stay where they are until the batch ends. Says
 *  whether it could be used; that is counted as well. */
NONNULL enum decode_status shard_record(struct shard *shard, struct source *source,
                                        struct bytes frame);

/** Within a batch, SHARD_TIME_FRAMES: another recording begins, earlier or later than the one
 *  before. */
NONNULL void shard_begin_recording(struct shard *shard);

/** Within a batch: count a data frame that is over the size bound and was not read. */
NONNULL void shard_record_oversize(struct shard *shard, const struct source *source);

/** Within a batch: count a connection opened or ended, or turned away by a limit. */
NONNULL void shard_record_accepted(struct shard *shard, unsigned input);
NONNULL void shard_record_closed(struct shard *shard, unsigned input, enum close_reason why);
NONNULL void shard_record_overflow(struct shard *shard, enum limit limit);

/** Within a batch, about twice a second: count messages whose counterpart did not come in
 * time. */
NONNULL void shard_expire(struct shard *shard);

/** Within a batch: nothing more will come, give up on all that wait. */
NONNULL void shard_flush(struct shard *shard);

/** What readers add up. */
struct shard_sum {
    struct counters counters; /* everything counted so far */
    struct counters spare;    /* empty: the next shard's own */
};

/** Make an empty sum for shards with these limits and inputs. Returns 0 or -ENOMEM;
 * on success the caller ends with shard_sum_deinit(). */
NONNULL MUST_USE int shard_sum_init(struct shard_sum *sum, const struct label_limits *limits,
                                    unsigned input_count);

/** Free what the sum holds; an all-zero one is fine. */
NONNULL void shard_sum_deinit(struct shard_sum *sum);

/** Add to the sum's counters what the shard has counted since the last time, as of a batch
 * boundary. The worker waits for an exchange of pointers, not for the adding. One
 * sum takes all of a shard's counts. Any thread but the worker's within a batch. */
NONNULL void shard_add_to(struct shard *shard, struct shard_sum *sum);
