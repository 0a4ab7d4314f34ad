/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * connection.h - one connected DNS server
 *
 * Belongs to one worker from its creation to its end. The part of a frame that the last read left
 * over has its place in it, or, if the frame is large, in a buffer for the largest frame, which is
 * taken then and stays.
 */

#include "base/attr.h"
#include "ingest/connection_log.h"
#include "ingest/connection_table.h"
#include "relay/frame_queue.h"
#include "ingest/read_coalescing.h"
#include "record/shard.h"
#include "stream/byte_stream.h"
#include "stream/session.h"

/** Bytes of a frame that is not large. */
#define CONNECTION_SMALL 1024

struct connection {
    struct byte_stream *stream;        /* owned */
    bool is_connected;                 /* the stream is open */
    uint32_t events;                   /* EPOLLIN, EPOLLOUT: what to wait for */
    uint64_t deadline_ns;              /* monotonic: by when the handshake, or the end, is done */
    struct read_coalescing coalescing; /* renewed by each read */
    struct session session;
    struct source source;
    const char *input_name;             /* for the log; outlives the connection */
    struct frame_queue *const *queues;  /* who else gets its frames; NULL-terminated */
    struct connection_peer peer;        /* for the log */
    struct connection_entry *entry;     /* what the accepting thread knows of it */
    bool has_frames;                    /* a data frame came */
    struct connection *next, *previous; /* the worker's list */
    uint8_t *partial;                   /* [partial_size]: the beginning of a frame */
    size_t partial_size, partial_len;   /* bytes, and those in use */
    uint8_t small[CONNECTION_SMALL];    /* at first partial is here */
};

/** Bytes that a connection takes. */
size_t connection_memory(uint32_t max_frame_size, bool has_tls);

/** Bytes of one read: hundreds of frames. */
#define CONNECTION_READ_SIZE ((size_t)64 * 1024)

/** Make a connection of a stream, which it owns, to the input that source->server_name names, and
 * whose data frames go to `queues` too, a NULL-terminated list that outlives it. Returns NULL
 * without memory; then the stream is the caller's still. */
NONNULL MUST_USE struct connection *
connection_create(struct byte_stream *stream, const struct source *source,
                  struct frame_queue *const *queues, uint32_t max_frame_size, uint64_t deadline_ns);

/** Close the stream and free the connection. */
NONNULL void connection_free(struct connection *connection);

/** Whether connection_receive() would read at once, without an event. */
NONNULL bool connection_is_pending(const struct connection *connection);

/** Why a stream on which a call returned ERROR is closed. */
NONNULL enum close_reason connection_stream_failure(const struct byte_stream *stream);

enum connection_state {
    CONNECTION_OPEN,   /* something was read: there may be more */
    CONNECTION_WAITS,  /* nothing can be done before connection->events */
    CONNECTION_CLOSED, /* *why says why */
};

/** Read once into `buffer`, which is the worker's, and count what came, as one batch of the shard;
 *  pass its data frames on, and send what the session has to say. Sets connection->events. */
NONNULL enum connection_state connection_receive(struct connection *connection,
                                                 uint8_t buffer[CONNECTION_READ_SIZE],
                                                 struct shard *shard, enum close_reason *why);
