/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/byte_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/tls_stream.h"

_Static_assert((unsigned)EPOLLIN == POLLIN && (unsigned)EPOLLOUT == POLLOUT, "the same bits");

struct byte_stream {
    int fd;
    bool is_connecting;
    uint32_t events;        /* for the last AGAIN */
    int error;              /* errno of the last ERROR; of TLS 0 */
    struct tls_stream *tls; /* NULL: plain */
};

int byte_stream_create(struct byte_stream **out, int fd, bool is_connecting,
                       struct tls_context *tls)
{
    struct byte_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL) {
        return -ENOMEM;
    }
    int result = tls != NULL ? tls_stream_create(&stream->tls, tls, fd) : 0;
    if (result < 0) {
        free(stream);
        return result;
    }
    stream->fd = fd;
    stream->is_connecting = is_connecting;
    stream->events = EPOLLIN;
    *out = stream;
    return 0;
}

void byte_stream_free(struct byte_stream *stream)
{
    if (stream != NULL) {
        tls_stream_free(stream->tls);
        (void)close(stream->fd);
        free(stream);
    }
}

size_t byte_stream_memory(bool has_tls)
{
    return sizeof(struct byte_stream) + (has_tls ? tls_stream_memory() : 0);
}

/* What a call that failed with `error` comes to. */
static enum byte_stream_result byte_stream_fail(struct byte_stream *stream, int error,
                                                uint32_t events)
{
    if (error == EAGAIN || error == EINTR) {
        stream->events = events;
        return BYTE_STREAM_AGAIN;
    }
    stream->error = error;
    return BYTE_STREAM_ERROR;
}

static enum byte_stream_result result_of_tls(struct byte_stream *stream, enum tls_result result)
{
    switch (result) {
    case TLS_OK:
        return BYTE_STREAM_OK;
    case TLS_AGAIN:
        return byte_stream_fail(stream, EAGAIN,
                                tls_stream_wants_write(stream->tls) ? EPOLLOUT : EPOLLIN);
    case TLS_END:
        return BYTE_STREAM_END;
    case TLS_TRUNCATED:
        return BYTE_STREAM_TRUNCATED;
    case TLS_ERROR:
        break;
    }
    return BYTE_STREAM_ERROR;
}

static enum byte_stream_result finish_connecting(struct byte_stream *stream)
{
    struct pollfd wanted = {.fd = stream->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;

    if (poll(&wanted, 1, 0) <= 0) {
        return byte_stream_fail(stream, EAGAIN, EPOLLOUT);
    }
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        error = errno;
    }
    if (error != 0) {
        return byte_stream_fail(stream, error, EPOLLOUT);
    }
    stream->is_connecting = false;
    return BYTE_STREAM_OK;
}

enum byte_stream_result byte_stream_open(struct byte_stream *stream)
{
    enum byte_stream_result result = BYTE_STREAM_OK;

    if (stream->is_connecting) {
        result = finish_connecting(stream);
    } /* one that was accepted has an error of its own behind the bytes that have arrived */
    return result == BYTE_STREAM_OK && stream->tls != NULL
               ? result_of_tls(stream, tls_stream_handshake(stream->tls))
               : result;
}

enum byte_stream_result byte_stream_read(struct byte_stream *stream, uint8_t *data, size_t size,
                                         size_t *count)
{
    if (stream->tls != NULL) {
        return result_of_tls(stream, tls_stream_read(stream->tls, data, size, count));
    }
    ssize_t got = recv(stream->fd, data, size, 0);

    if (got < 0) {
        return byte_stream_fail(stream, errno, EPOLLIN);
    }
    *count = (size_t)got;
    return got == 0 ? BYTE_STREAM_END : BYTE_STREAM_OK;
}

enum byte_stream_result byte_stream_write(struct byte_stream *stream, struct bytes data,
                                          size_t *count)
{
    if (stream->tls != NULL) {
        return result_of_tls(stream, tls_stream_write(stream->tls, data, count));
    }
    ssize_t sent = send(stream->fd, data.data, data.len, MSG_NOSIGNAL);

    if (sent < 0) {
        return byte_stream_fail(stream, errno, EPOLLOUT);
    }
    *count = (size_t)sent;
    return BYTE_STREAM_OK;
}

enum byte_stream_result byte_stream_end(struct byte_stream *stream)
{
    if (stream->tls != NULL) {
        return result_of_tls(stream, tls_stream_end(stream->tls));
    }
    return shutdown(stream->fd, SHUT_WR) < 0 ? byte_stream_fail(stream, errno, EPOLLOUT)
                                             : BYTE_STREAM_OK;
}

uint32_t byte_stream_poll_events(const struct byte_stream *stream)
{
    return stream->events;
}

bool byte_stream_pending(const struct byte_stream *stream)
{
    return stream->tls != NULL && tls_stream_pending(stream->tls);
}

int byte_stream_fd(const struct byte_stream *stream)
{
    return stream->fd;
}

const char *byte_stream_error(const struct byte_stream *stream)
{
    return stream->tls != NULL && stream->error == 0 ? tls_stream_error(stream->tls)
                                                     : strerror(stream->error);
}

enum tls_failure byte_stream_tls_failure(const struct byte_stream *stream)
{
    return stream->tls != NULL ? tls_stream_failure(stream->tls) : TLS_FAILURE_NONE;
}
