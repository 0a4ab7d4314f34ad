/* SPDX-License-Identifier: Apache-2.0 */
/* The ceiling: a receiver that reads what comes and counts frames by their lengths, and does
 * nothing else. Any number of connections, one thread. Prints the frames of each connection at its
 * end. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_SIZE  ((size_t)256 * 1024)
#define EVENTS_MAX 64

enum control { ACCEPT = 1, STOP = 3, READY = 4, FINISH = 5 };

struct connection {
    int fd;
    uint64_t frames;
    size_t skip;      /* bytes of the current frame that are still to come */
    uint8_t head[12]; /* what has come of a length, or of a control frame's beginning */
    size_t head_len;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static size_t read_be32(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static void reply(const struct connection *connection, enum control type)
{
    static const uint8_t accept_frame[] =
        "\0\0\0\0\0\0\0\x22\0\0\0\1\0\0\0\1\0\0\0\x16protobuf:dnstap.Dnstap";
    static const uint8_t finish_frame[] = "\0\0\0\0\0\0\0\4\0\0\0\5";
    const uint8_t *frame = type == ACCEPT ? accept_frame : finish_frame;
    size_t len = type == ACCEPT ? sizeof accept_frame - 1 : sizeof finish_frame - 1;

    (void)send(connection->fd, frame, len, MSG_NOSIGNAL);
}

/* Whether the stream goes on after the control frame in `head`. */
static bool take_control(struct connection *connection)
{
    size_t type = read_be32(connection->head + 8);

    if (type == READY) {
        reply(connection, ACCEPT);
    } else if (type == STOP) {
        reply(connection, FINISH);
    }
    connection->skip = read_be32(connection->head + 4) - 4;
    return type != STOP;
}

static bool take(struct connection *connection, const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;

    while (data < end) {
        size_t left = (size_t)(end - data);
        if (connection->skip > 0) {
            size_t count = connection->skip < left ? connection->skip : left;
            connection->skip -= count;
            data += count;
            continue;
        }
        if (connection->head_len == 0 && left >= 4 && read_be32(data) > 0) {
            connection->frames++;
            connection->skip = 4 + read_be32(data);
            continue;
        }
        connection->head[connection->head_len++] = *data++;
        if (connection->head_len == 4 && read_be32(connection->head) > 0) {
            connection->frames++;
            connection->skip = read_be32(connection->head);
            connection->head_len = 0;
        } else if (connection->head_len == sizeof connection->head) {
            connection->head_len = 0;
            if (!take_control(connection)) {
                return false;
            }
        }
    }
    return true;
}

static void receive(struct connection *connection)
{
    static uint8_t buffer[READ_SIZE];
    ssize_t got = read(connection->fd, buffer, sizeof buffer);

    if (got <= 0 || !take(connection, buffer, (size_t)got)) {
        printf("frames=%" PRIu64 "\n", connection->frames);
        (void)fflush(stdout);
        (void)close(connection->fd);
        free(connection);
    }
}

static int listen_at(const char *target)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strchr(target, ':');
    bool tcp = colon != NULL;
    int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
    const int on = 1;
    int bound;

    if (tcp) {
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    } else {
        (void)snprintf(path.sun_path, sizeof path.sun_path, "%s", target);
        (void)unlink(target);
        bound = bind(fd, (const struct sockaddr *)&path, sizeof path);
    }
    if (fd < 0 || bound < 0 || listen(fd, EVENTS_MAX) < 0) {
        die(target);
    }
    return fd;
}

static void watch(int epoll_fd, int fd, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll");
    }
}

static void welcome(int epoll_fd, int listening)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        die("drain");
    }
    connection->fd = accept(listening, NULL, NULL);
    if (connection->fd < 0) {
        die("accept");
    }
    watch(epoll_fd, connection->fd, connection);
}

int main(int argc, char *argv[])
{
    struct epoll_event events[EVENTS_MAX];

    if (argc != 2) {
        (void)fprintf(stderr, "usage: drain UNIX_SOCKET|127.0.0.1:PORT\n");
        return 2;
    }
    int epoll_fd = epoll_create1(0);
    int listening = listen_at(argv[1]);
    watch(epoll_fd, listening, NULL);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                welcome(epoll_fd, listening);
            } else {
                receive(events[i].data.ptr);
            }
        }
    }
}
