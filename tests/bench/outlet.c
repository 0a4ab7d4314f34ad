/* SPDX-License-Identifier: Apache-2.0 */
#include "outlet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTENT_TYPE "protobuf:dnstap.Dnstap"
#define TIMEOUT_S    60

enum control { ACCEPT = 1, START = 2, STOP = 3, READY = 4, FINISH = 5 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_socket(int family, const struct sockaddr *address, socklen_t size,
                          const char *target)
{
    const struct timeval patience = {.tv_sec = TIMEOUT_S};
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        connect(fd, address, size) < 0) {
        die(target);
    }
    return fd;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connect_socket(AF_UNIX, (const struct sockaddr *)&address, sizeof address, path);
}

static int connect_tcp(const char *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strchr(target, ':');
    const int at_once = 1;

    if (colon != NULL && (size_t)(colon - target) < sizeof host) {
        memcpy(host, target, (size_t)(colon - target));
        address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    }
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        die(target);
    }
    int fd = connect_socket(AF_INET, (const struct sockaddr *)&address, sizeof address, target);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once) < 0) {
        die(target);
    }
    return fd;
}

void outlet_open(struct outlet *outlet, const char *target)
{
    outlet->len = 0;
    outlet->is_file = strcmp(target, "-") == 0;
    if (outlet->is_file) {
        outlet->fd = STDOUT_FILENO;
    } else {
        outlet->fd = strchr(target, '/') != NULL ? connect_unix(target) : connect_tcp(target);
    }
}

void outlet_close(struct outlet *outlet)
{
    if (!outlet->is_file) {
        (void)close(outlet->fd);
    }
}

static void write_all(const struct outlet *outlet, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t count = write(outlet->fd, data, len);
        if (count < 0) {
            die("write");
        }
        data += count;
        len -= (size_t)count;
    }
}

static void flush(struct outlet *outlet)
{
    write_all(outlet, outlet->buffer, outlet->len);
    outlet->len = 0;
}

void outlet_put(struct outlet *outlet, const void *data, size_t len)
{
    if (outlet->len + len > OUTLET_BUFFER) {
        flush(outlet);
    }
    memcpy(outlet->buffer + outlet->len, data, len);
    outlet->len += len;
}

void outlet_put_be32(struct outlet *outlet, size_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    outlet_put(outlet, bytes, sizeof bytes);
}

void outlet_write(struct outlet *outlet, const void *data, size_t len)
{
    flush(outlet);
    write_all(outlet, data, len);
}

static void put_control(struct outlet *outlet, enum control type)
{
    size_t content = type == STOP ? 0 : 8 + strlen(CONTENT_TYPE);

    outlet_put_be32(outlet, 0);
    outlet_put_be32(outlet, 4 + content);
    outlet_put_be32(outlet, type);
    if (content > 0) {
        outlet_put_be32(outlet, 1);
        outlet_put_be32(outlet, strlen(CONTENT_TYPE));
        outlet_put(outlet, CONTENT_TYPE, strlen(CONTENT_TYPE));
    }
}

/* The receiver's answer: nothing but its type matters here. */
static void expect(const struct outlet *outlet, enum control type)
{
    uint8_t answer[256];
    size_t got = 0;

    while (got < 12 || got < 8 + (size_t)answer[7]) {
        ssize_t count = read(outlet->fd, answer + got, sizeof answer - got);
        if (count <= 0) {
            die("no answer");
        }
        got += (size_t)count;
    }
    if (answer[11] != type) {
        errno = EPROTO;
        die("answer");
    }
}

void outlet_begin(struct outlet *outlet)
{
    if (!outlet->is_file) {
        put_control(outlet, READY);
        flush(outlet);
        expect(outlet, ACCEPT);
    }
    put_control(outlet, START);
}

void outlet_end(struct outlet *outlet)
{
    put_control(outlet, STOP);
    flush(outlet);
    if (!outlet->is_file) {
        expect(outlet, FINISH);
    }
}
