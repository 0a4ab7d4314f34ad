/* SPDX-License-Identifier: Apache-2.0 */
/* The byte stream (stream/byte_stream.h) at its worst, linked in place of the product's: what TLS
 * may do, and more often. Opening takes turns, and waits for room to write. A read gets one record
 * of a few bytes or more, while the rest is in here, where epoll does not see it; it may have to
 * wait for the socket, or for room to write, although bytes are on their way. A write takes a few
 * bytes. The end comes without a farewell. */
#include "stream/byte_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/random.h"

#define OPEN_TURNS   3
#define END_TURNS    2
#define HELD_SIZE    65536
#define RECORD_MAX   4096
#define WRITE_MAX    7
#define WAITING_SIZE 64

struct byte_stream {
    int fd;
    bool is_connecting;
    uint32_t events;
    int error;
    unsigned turns; /* of opening, then of ending, that are left */
    bool is_open;
    uint64_t chance;
    size_t waiting_len;
    uint8_t waiting[WAITING_SIZE]; /* what a write that returned AGAIN began with */
    size_t first, last;            /* held[first..last) has come, and was not read */
    uint8_t held[HELD_SIZE];
};

int byte_stream_create(struct byte_stream **out, int fd, bool is_connecting,
                       struct tls_context *tls)
{
    static uint64_t seed = 1;
    struct byte_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL) {
        return -ENOMEM;
    }
    if (tls != NULL) {
        abort(); /* not with TLS */
    }
    stream->fd = fd;
    stream->is_connecting = is_connecting;
    stream->turns = OPEN_TURNS;
    stream->chance = __atomic_add_fetch(&seed, 2, __ATOMIC_RELAXED);
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

size_t byte_stream_memory(bool has_tls)
{
    (void)has_tls;
    return sizeof(struct byte_stream);
}

static enum byte_stream_result stream_wait(struct byte_stream *stream, uint32_t events)
{
    stream->events = events;
    return BYTE_STREAM_AGAIN;
}

static enum byte_stream_result stream_fail(struct byte_stream *stream, int error, uint32_t events)
{
    if (error == EAGAIN || error == EINTR) {
        return stream_wait(stream, events);
    }
    stream->error = error;
    return BYTE_STREAM_ERROR;
}

enum byte_stream_result byte_stream_open(struct byte_stream *stream)
{
    struct pollfd wanted = {.fd = stream->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;

    if (stream->is_open) {
        return BYTE_STREAM_OK;
    }
    if (poll(&wanted, 1, 0) == 0 || stream->turns > 0) {
        stream->turns -= stream->turns > 0;
        return stream_wait(stream, EPOLLOUT);
    }
    if (stream->is_connecting &&
        (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)) {
        return stream_fail(stream, error != 0 ? error : errno, EPOLLOUT);
    }
    stream->is_open = true;
    stream->turns = END_TURNS;
    return BYTE_STREAM_OK;
}

/* All that the socket has goes into the stream. */
static enum byte_stream_result stream_fill(struct byte_stream *stream)
{
    ssize_t got = recv(stream->fd, stream->held, HELD_SIZE, 0);

    if (got < 0) {
        return stream_fail(stream, errno, EPOLLIN);
    }
    stream->first = 0;
    stream->last = (size_t)got;
    return got == 0 ? BYTE_STREAM_TRUNCATED : BYTE_STREAM_OK;
}

enum byte_stream_result byte_stream_read(struct byte_stream *stream, uint8_t *data, size_t size,
                                         size_t *count)
{
    uint64_t mood = random_below(&stream->chance, 8);

    if (!stream->is_open) {
        abort(); /* the caller has to open it first */
    }
    if (stream->first == stream->last) {
        if (mood < 2) { /* whatever the socket has */
            return stream_wait(stream, mood == 0 ? EPOLLIN : EPOLLOUT);
        }
        enum byte_stream_result result = stream_fill(stream);
        if (result != BYTE_STREAM_OK) {
            return result;
        }
    }
    size_t left = stream->last - stream->first;
    size_t record = 1 + random_below(&stream->chance, mood == 7 ? 3 : RECORD_MAX);
    *count = left < record ? left : record;
    *count = *count < size ? *count : size;
    memcpy(data, stream->held + stream->first, *count);
    stream->first += *count;
    return BYTE_STREAM_OK;
}

static enum byte_stream_result stream_wait_to_write(struct byte_stream *stream, struct bytes data)
{
    stream->waiting_len = data.len < WAITING_SIZE ? data.len : WAITING_SIZE;
    memcpy(stream->waiting, data.data, stream->waiting_len);
    return stream_wait(stream, EPOLLOUT);
}

enum byte_stream_result byte_stream_write(struct byte_stream *stream, struct bytes data,
                                          size_t *count)
{
    size_t len = data.len < WRITE_MAX ? data.len : 1 + random_below(&stream->chance, data.len);

    if (!stream->is_open) {
        abort();
    }
    if (stream->waiting_len > data.len ||
        memcmp(stream->waiting, data.data, stream->waiting_len) != 0) {
        abort(); /* after AGAIN the same bytes have to come */
    }
    stream->waiting_len = 0;
    if (random_below(&stream->chance, 4) == 0) {
        return stream_wait_to_write(stream, data);
    }
    len = random_below(&stream->chance, 2) == 0 && len > WRITE_MAX ? WRITE_MAX : len;
    ssize_t sent = send(stream->fd, data.data, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
        return stream_wait_to_write(stream, data);
    }
    if (sent < 0) {
        return stream_fail(stream, errno, EPOLLOUT);
    }
    *count = (size_t)sent;
    return BYTE_STREAM_OK;
}

enum byte_stream_result byte_stream_end(struct byte_stream *stream)
{
    if (stream->turns > 0) {
        stream->turns--;
        return stream_wait(stream, EPOLLOUT);
    }
    return shutdown(stream->fd, SHUT_WR) < 0 ? stream_fail(stream, errno, EPOLLOUT)
                                             : BYTE_STREAM_OK;
}

uint32_t byte_stream_poll_events(const struct byte_stream *stream)
{
    return stream->events;
}

bool byte_stream_pending(const struct byte_stream *stream)
{
    return stream->first < stream->last;
}

int byte_stream_fd(const struct byte_stream *stream)
{
    return stream->fd;
}

const char *byte_stream_error(const struct byte_stream *stream)
{
    return strerror(stream->error);
}

enum tls_failure byte_stream_tls_failure(const struct byte_stream *stream)
{
    (void)stream;
    return TLS_FAILURE_NONE;
}
