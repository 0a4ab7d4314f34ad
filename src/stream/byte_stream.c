/* SPDX-License-Identifier: Apache-2.0 */
/* The plain one: a socket. */
#include "stream/byte_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert((unsigned)EPOLLIN == POLLIN && (unsigned)EPOLLOUT == POLLOUT, "the same bits");

struct byte_stream {
    int fd;
    bool is_connecting;
    uint32_t events; /* for the last AGAIN */
    int error;       /* errno of the last ERROR */
};

int byte_stream_create(struct byte_stream **out, int fd, bool is_connecting)
{
    struct byte_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL) {
        return -ENOMEM;
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
        (void)close(stream->fd);
        free(stream);
    }
}

size_t byte_stream_memory(void)
{
    return sizeof(struct byte_stream);
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

enum byte_stream_result byte_stream_open(struct byte_stream *stream)
{
    struct pollfd wanted = {.fd = stream->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;

    if (!stream->is_connecting) {
        return BYTE_STREAM_OK; /* an error of its own comes after the bytes that have arrived */
    }
    if (poll(&wanted, 1, 0) <= 0) {
        return byte_stream_fail(stream, EAGAIN, EPOLLOUT);
    }
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        error = errno;
    }
    return error != 0 ? byte_stream_fail(stream, error, EPOLLOUT) : BYTE_STREAM_OK;
}

enum byte_stream_result byte_stream_read(struct byte_stream *stream, uint8_t *data, size_t size,
                                         size_t *count)
{
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
    ssize_t sent = send(stream->fd, data.data, data.len, MSG_NOSIGNAL);

    if (sent < 0) {
        return byte_stream_fail(stream, errno, EPOLLOUT);
    }
    *count = (size_t)sent;
    return BYTE_STREAM_OK;
}

enum byte_stream_result byte_stream_end(struct byte_stream *stream)
{
    return shutdown(stream->fd, SHUT_WR) < 0 ? byte_stream_fail(stream, errno, EPOLLOUT)
                                             : BYTE_STREAM_OK;
}

uint32_t byte_stream_poll_events(const struct byte_stream *stream)
{
    return stream->events;
}

bool byte_stream_pending(const struct byte_stream *stream)
{
    (void)stream;
    return false;
}

int byte_stream_fd(const struct byte_stream *stream)
{
    return stream->fd;
}

const char *byte_stream_error(const struct byte_stream *stream)
{
    return strerror(stream->error);
}
