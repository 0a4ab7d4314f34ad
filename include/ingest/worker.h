/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * worker.h - a thread that reads its connections and counts into its shard
 *
 * A connection that is handed to a worker stays with it. Each turn reads each ready connection
 * once, so that one loud server does not starve the others.
 */

#include <stdatomic.h>

#include "base/attr.h"
#include "ingest/connection.h"
#include "record/shard.h"

struct worker; /* opaque: src/ingest/worker.c */

/** What all workers follow; outlives them. Relaxed: each number stands for itself. */
struct worker_settings {
    uint32_t max_frame_size; /* bytes; fixed */
    _Atomic uint64_t handshake_timeout_ns;
};

/** What the accepting thread tells a worker. */
enum worker_order {
    WORKER_OPEN,            /* take over the stream */
    WORKER_REFUSE,          /* count and log a connection that is closed already */
    WORKER_CLOSE_FOR_LIMIT, /* end the connection of this entry: limits.connections are open */
    WORKER_CLOSE_FOR_DESCRIPTORS, /* end it: too many descriptors are open */
    WORKER_CLOSE_FOR_INPUT,       /* end it: its input was removed or changed */
    WORKER_STOP,
};

struct worker_message {
    enum worker_order order;
    struct connection_entry *entry; /* not of WORKER_REFUSE and WORKER_STOP */
    /* Of WORKER_OPEN, and of WORKER_REFUSE as far as it goes. */
    enum close_reason why;      /* it was refused */
    struct byte_stream *stream; /* the worker's from then on */
    unsigned input;
    bool sampled; /* the input's servers send a part of their messages only */
    const char *input_name;
    struct frame_queue *const *queues; /* who else gets its frames; NULL-terminated */
    struct connection_peer peer;
};

/** Start a worker on `shard`, which is its alone. Returns 0 or a negative errno; on success the
 * caller ends with worker_stop(). */
NONNULL MUST_USE int worker_start(struct worker **out, struct shard *shard,
                                  struct worker_settings *settings);

/** Tell the worker something; waits while its mailbox is full. */
NONNULL void worker_tell(struct worker *worker, const struct worker_message *message);

/** When it was last seen to go on, by the monotonic clock: twice a second. Any thread. */
NONNULL uint64_t worker_heartbeat_ns(const struct worker *worker);

/** Tell the worker to end: it reads what has arrived, for at most a second, and closes. Returns at
 *  once; worker_join() waits for it. */
NONNULL void worker_stop(struct worker *worker);

/** Wait for the end of a worker that was told to stop, and free it. */
NONNULL void worker_join(struct worker *worker);
