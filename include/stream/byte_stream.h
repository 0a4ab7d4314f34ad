/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * byte_stream.h - bytes over a socket: plain or TLS, accepted or dialled
 *
 * Non-blocking, and made for one epoll set: after each call that returns AGAIN,
 * byte_stream_poll_events() says what to wait for. Callers rely on this contract alone
 * (tests/support/hostile_stream.c is a second implementation, which uses all of it): bytes may be
 * inside the stream where epoll cannot see them, so that while byte_stream_pending() is true it is
 * read again without waiting; a read may have to wait for room to write; AGAIN says nothing of what
 * is on its way. One thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "tls/tls_context.h"

struct byte_stream; /* opaque: src/stream/byte_stream.c; holds the descriptor, closes it */

enum byte_stream_result {
    BYTE_STREAM_OK,        /* it is done; *count bytes were moved, at least one */
    BYTE_STREAM_AGAIN,     /* nothing now: wait for byte_stream_poll_events() */
    BYTE_STREAM_END,       /* the peer has ended its side */
    BYTE_STREAM_TRUNCATED, /* the same, and a secure end was due: TLS without close_notify */
    BYTE_STREAM_ERROR,     /* byte_stream_error() says why */
};

/** Take over a non-blocking socket: one that was accepted, or one that is connecting; with TLS as
 *  the context has it, which is kept, or plain for NULL. Returns 0 and *out for byte_stream_free(),
 *  or a negative errno, and then the descriptor is the caller's. */
MUST_USE int byte_stream_create(struct byte_stream **out, int fd, bool is_connecting,
                                struct tls_context *tls);

/** Close without waiting. NULL is fine. */
void byte_stream_free(struct byte_stream *stream);

/** Bytes of memory that a stream takes. */
size_t byte_stream_memory(bool has_tls);

/** Go on with connecting and with the handshake of TLS. OK, also when called again: reads and
 * writes may begin. END: the peer went away before the handshake. */
NONNULL enum byte_stream_result byte_stream_open(struct byte_stream *stream);

/** Read what is there, up to `size` bytes: of records as many as fit. Fewer are right, but workers
 *  take a short read for a slow sender, and delay the next one (ingest/read_coalescing.h). */
NONNULL enum byte_stream_result byte_stream_read(struct byte_stream *stream, uint8_t *data,
                                                 size_t size, size_t *count);

/** Write some of it. After AGAIN call again with the same bytes, or with more behind them. *count
 *  bytes are taken, and not asked for again. */
NONNULL enum byte_stream_result byte_stream_write(struct byte_stream *stream, struct bytes data,
                                                  size_t *count);

/** Say that nothing more is written. Reads go on. */
NONNULL enum byte_stream_result byte_stream_end(struct byte_stream *stream);

/** EPOLLIN, EPOLLOUT or both, for the last call that returned AGAIN; poll() has the same bits. */
NONNULL uint32_t byte_stream_poll_events(const struct byte_stream *stream);

/** Whether a read would return bytes at once without the socket. */
NONNULL bool byte_stream_pending(const struct byte_stream *stream);

NONNULL int byte_stream_fd(const struct byte_stream *stream);

/** What failed, "Connection reset by peer": valid until the stream is freed. */
NONNULL const char *byte_stream_error(const struct byte_stream *stream);

/** Why TLS failed; TLS_FAILURE_NONE where something else did. */
NONNULL enum tls_failure byte_stream_tls_failure(const struct byte_stream *stream);
