/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tls_stream.h - one TLS session over a connected socket
 *
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446), without session tickets: Unbound up to 1.17 takes one for
 * the end of the stream, and connections that last for days gain nothing by resuming. Non-blocking,
 * with the contract of stream/byte_stream.h. It reads more from the socket than one record, so that
 * short records do not cost two system calls each. One thread at a time.
 *
 * tls_stream.c is the one with GnuTLS, tls_stream_none.c the one of builds without it, in which no
 * stream can be made.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "tls/tls_context.h"

struct tls_stream; /* opaque: src/tls/tls_stream.c */

enum tls_result {
    TLS_OK,
    TLS_AGAIN,     /* wait until tls_stream_wants_write() can be done, or there is more to read */
    TLS_END,       /* close_notify */
    TLS_TRUNCATED, /* the socket ended without it */
    TLS_ERROR,     /* tls_stream_failure() and tls_stream_error() say why */
};

/** Begin a session over `fd`, a non-blocking socket that outlives it, as the client or server that
 *  the context is, which is kept. Returns 0 and *out for tls_stream_free(), or -ENOMEM. */
NONNULL MUST_USE int tls_stream_create(struct tls_stream **out, struct tls_context *context,
                                       int fd);

/** End it without a word. NULL is fine. */
void tls_stream_free(struct tls_stream *stream);

/** Bytes that a stream takes, those of GnuTLS among them; measured. */
size_t tls_stream_memory(void);

/** Go on with the handshake. */
NONNULL enum tls_result tls_stream_handshake(struct tls_stream *stream);

/** Read decrypted bytes: what fits of the records that are there. OK: *count is at least 1. */
NONNULL enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t size,
                                        size_t *count);

/** Send up to one record. After AGAIN call it with the same bytes, or with more behind them. */
NONNULL enum tls_result tls_stream_write(struct tls_stream *stream, struct bytes data,
                                         size_t *count);

/** Send close_notify (RFC 8446 section 6.1). */
NONNULL enum tls_result tls_stream_end(struct tls_stream *stream);

/** After AGAIN: whether it waits for room to write, and not for something to read. */
NONNULL bool tls_stream_wants_write(const struct tls_stream *stream);

/** Whether a read would return bytes at once without the socket. */
NONNULL bool tls_stream_pending(const struct tls_stream *stream);

/** Why it failed. */
NONNULL enum tls_failure tls_stream_failure(const struct tls_stream *stream);

/** The same as text: "the certificate has expired", "Connection reset by peer". Valid until the
 *  stream is freed. */
NONNULL const char *tls_stream_error(const struct tls_stream *stream);
