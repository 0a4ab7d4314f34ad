/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * opener.h - a thread that opens streams: handshakes of TLS, and connections that are being made
 *
 * A handshake takes a millisecond of CPU and waits for the peer; here it keeps no worker and no
 * accepted connection waiting. What strangers can take is bounded: OPENER_STREAMS handshakes at the
 * same time, the oldest of which makes room for a further one; a time for each; and a quarter of a
 * core at a priority below that of the workers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "ingest/connection_log.h"
#include "stream/byte_stream.h"

#define OPENER_STREAMS 64  /* chosen: opened at the same time */
#define OPENER_PENDING 192 /* chosen: given to the opener, and not taken back */

struct opener; /* opaque: src/ingest/opener.c */

/** What has become of a stream. */
enum opening_result {
    OPENING_OPEN,
    OPENING_ENDED,     /* the peer went away without a word */
    OPENING_FAILED,    /* byte_stream_error() says why */
    OPENING_TIMED_OUT, /* it was not open at its deadline */
    OPENING_EVICTED,   /* it made room for another one */
};

/** A stream on its way through the opener. */
struct opening {
    struct byte_stream *stream; /* of whoever has the struct */
    uint64_t deadline_ns;       /* monotonic */
    bool is_dialled;            /* the exporter connects: it does not make room */
    unsigned input;
    unsigned generation; /* of the input's settings */
    struct connection_peer peer;
    enum opening_result result;
};

/** Start the thread. Returns 0 and *out for opener_free(), or a negative errno. */
NONNULL MUST_USE int opener_create(struct opener **out);

/** End the thread; what it has is closed. NULL is fine. */
void opener_free(struct opener *opener);

/** Bytes that it takes. */
size_t opener_memory(void);

/** Give it a stream. False where it has OPENER_PENDING already; then the stream is the caller's. */
NONNULL MUST_USE bool opener_give(struct opener *opener, const struct opening *opening);

/** A descriptor that is readable when a stream can be taken back. */
NONNULL int opener_fd(const struct opener *opener);

/** Take back a stream and its result. False where there is none now. */
NONNULL MUST_USE bool opener_take(struct opener *opener, struct opening *out);
