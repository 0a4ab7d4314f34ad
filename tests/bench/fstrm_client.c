/* SPDX-License-Identifier: Apache-2.0 */
#include "fstrm_client.h"

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

static ssize_t send_plain(const struct fstrm_client *client, const void *data, size_t len)
{
    return write(client->fd, data, len);
}

static ssize_t receive_plain(const struct fstrm_client *client, void *data, size_t size)
{
    return read(client->fd, data, size);
}

void fstrm_client_open(struct fstrm_client *client, const char *target)
{
    client->len = 0;
    client->tls = NULL;
    client->send = send_plain;
    client->receive = receive_plain;
    client->is_file = strcmp(target, "-") == 0;
    if (client->is_file) {
        client->fd = STDOUT_FILENO;
    } else {
        client->fd = strchr(target, '/') != NULL ? connect_unix(target) : connect_tcp(target);
    }
}

void fstrm_client_close(struct fstrm_client *client)
{
    if (!client->is_file) {
        (void)close(client->fd);
    }
}

static void write_all(const struct fstrm_client *client, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t count = client->send(client, data, len);
        if (count < 0) {
            die("write");
        }
        data += count;
        len -= (size_t)count;
    }
}

static void flush(struct fstrm_client *client)
{
    write_all(client, client->buffer, client->len);
    client->len = 0;
}

void fstrm_client_put(struct fstrm_client *client, const void *data, size_t len)
{
    if (client->len + len > FSTRM_CLIENT_BUFFER) {
        flush(client);
    }
    memcpy(client->buffer + client->len, data, len);
    client->len += len;
}

void fstrm_client_put_be32(struct fstrm_client *client, size_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    fstrm_client_put(client, bytes, sizeof bytes);
}

void fstrm_client_write(struct fstrm_client *client, const void *data, size_t len)
{
    flush(client);
    write_all(client, data, len);
}

static void put_control(struct fstrm_client *client, enum control type)
{
    size_t content = type == STOP ? 0 : 8 + strlen(CONTENT_TYPE);

    fstrm_client_put_be32(client, 0);
    fstrm_client_put_be32(client, 4 + content);
    fstrm_client_put_be32(client, type);
    if (content > 0) {
        fstrm_client_put_be32(client, 1);
        fstrm_client_put_be32(client, strlen(CONTENT_TYPE));
        fstrm_client_put(client, CONTENT_TYPE, strlen(CONTENT_TYPE));
    }
}

/* The receiver's answer: nothing but its type matters here. */
static void expect(const struct fstrm_client *client, enum control type)
{
    uint8_t answer[256];
    size_t got = 0;

    while (got < 12 || got < 8 + (size_t)answer[7]) {
        ssize_t count = client->receive(client, answer + got, sizeof answer - got);
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

void fstrm_client_begin(struct fstrm_client *client)
{
    if (!client->is_file) {
        put_control(client, READY);
        flush(client);
        expect(client, ACCEPT);
    }
    put_control(client, START);
}

void fstrm_client_end(struct fstrm_client *client)
{
    put_control(client, STOP);
    flush(client);
    if (!client->is_file) {
        expect(client, FINISH);
    }
}
