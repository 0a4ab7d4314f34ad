/* SPDX-License-Identifier: Apache-2.0 */
/* A build without GnuTLS has no context, and so no stream. */
#include "tls/tls_stream.h"

#include <errno.h>

int tls_stream_create(struct tls_stream **out, struct tls_context *context, int fd)
{
    (void)out;
    (void)context;
    (void)fd;
    return -ENOTSUP;
}

void tls_stream_free(struct tls_stream *stream)
{
    (void)stream;
}

size_t tls_stream_memory(void)
{
    return 0;
}

enum tls_result tls_stream_handshake(struct tls_stream *stream)
{
    (void)stream;
    return TLS_ERROR;
}

enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t size,
                                size_t *count)
{
    (void)stream;
    (void)data;
    (void)size;
    (void)count;
    return TLS_ERROR;
}

enum tls_result tls_stream_write(struct tls_stream *stream, struct bytes data, size_t *count)
{
    (void)stream;
    (void)data;
    (void)count;
    return TLS_ERROR;
}

enum tls_result tls_stream_end(struct tls_stream *stream)
{
    (void)stream;
    return TLS_ERROR;
}

bool tls_stream_wants_write(const struct tls_stream *stream)
{
    (void)stream;
    return false;
}

bool tls_stream_pending(const struct tls_stream *stream)
{
    (void)stream;
    return false;
}

enum tls_failure tls_stream_failure(const struct tls_stream *stream)
{
    (void)stream;
    return TLS_FAILURE_NONE;
}

const char *tls_stream_error(const struct tls_stream *stream)
{
    (void)stream;
    return "";
}
