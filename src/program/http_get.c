/* SPDX-License-Identifier: Apache-2.0 */
#include "program/http_get.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define TIMEOUT_S 5
#define BODY_MAX  ((size_t)64 * 1024 * 1024)

#define SCHEME    "http://"

bool http_get_parse(const char *text, struct endpoint *out, char *prefix)
{
    char address[ENDPOINT_TEXT_SIZE];

    prefix[0] = '\0';
    if (text[0] == '/') {
        return endpoint_parse_unix(text, out);
    }
    text += strncmp(text, SCHEME, strlen(SCHEME)) == 0 ? strlen(SCHEME) : 0;
    size_t len = strcspn(text, "/");
    if (len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    size_t prefix_len = strlen(text + len);
    while (prefix_len > 0 && text[len + prefix_len - 1] == '/') {
        prefix_len--;
    }
    memcpy(prefix, text + len, prefix_len);
    prefix[prefix_len] = '\0';
    return endpoint_parse_tcp(address, out) && out->port != 0;
}

/* A descriptor or a negative errno. */
static int connect_to(int family, const struct sockaddr *address, socklen_t len)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, address, len) < 0) {
        int result = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
        (void)close(fd);
        return result;
    }
    return fd;
}

static int connect_unix(const struct endpoint *endpoint)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", endpoint->path);
    return connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

/* The first error counts: that of the address which is tried first. */
static int connect_tcp(const struct endpoint *endpoint, struct text *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[8];
    int result = 0;

    (void)snprintf(port, sizeof port, "%u", endpoint->port);
    int failure = getaddrinfo(endpoint->host[0] != '\0' ? endpoint->host : NULL, port, &hints,
                              &found);
    if (failure != 0) {
        text_append_string(error, gai_strerror(failure));
        return -EADDRNOTAVAIL;
    }
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = connect_to(at->ai_family, at->ai_addr, at->ai_addrlen);
        result = result == 0 ? fd : result;
    }
    freeaddrinfo(found);
    return fd >= 0 ? fd : result;
}

static int send_all(int fd, const struct text *request)
{
    size_t sent = 0;

    while (sent < request->len) {
        ssize_t len = send(fd, request->data + sent, request->len - sent, MSG_NOSIGNAL);
        if (len < 0) {
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        sent += (size_t)len;
    }
    return 0;
}

/* Until the end of the connection. */
static int receive_all(int fd, struct text *response)
{
    uint64_t deadline_ns = clock_monotonic_ns() + TIMEOUT_S * NS_PER_SECOND;
    uint8_t block[16384];
    ssize_t len;

    while ((len = recv(fd, block, sizeof block, 0)) > 0) {
        text_append_bytes(response, (struct bytes){block, (size_t)len});
        if (response->failed || response->len > BODY_MAX || clock_monotonic_ns() > deadline_ns) {
            return response->failed ? -ENOMEM : -ETIMEDOUT;
        }
    }
    return len == 0 ? 0 : errno == EAGAIN ? -ETIMEDOUT : -errno;
}

/* Take the body of a response with status 200. */
static int take_body(const struct text *response, struct text *body, struct text *error)
{
    const char *data = text_string(response);
    const char *end = strstr(data, "\r\n\r\n");
    unsigned status = 0;

    if (end == NULL || sscanf(data, "HTTP/1.%*1u %3u", &status) != 1) {
        text_append_string(error, "no HTTP response; HTTPS is not supported");
        return -EPROTO;
    }
    if (status != 200) {
        text_append_format(error, "HTTP status %u", status);
        return -EPROTO;
    }
    text_append_bytes(
        body, (struct bytes){(const uint8_t *)end + 4, response->len - (size_t)(end + 4 - data)});
    return body->failed ? -ENOMEM : 0;
}

int http_get(const struct endpoint *endpoint, const char *prefix, const char *path,
             struct text *body, struct text *error)
{
    struct text request = {0};
    struct text response = {0};
    char host[ENDPOINT_TEXT_SIZE];
    bool is_unix = endpoint->kind == ENDPOINT_UNIX;
    int fd = is_unix ? connect_unix(endpoint) : connect_tcp(endpoint, error);
    int result = fd < 0 ? fd : 0;

    text_clear(body);
    if (result == 0) {
        text_append_format(&request, "GET %s%s HTTP/1.0\r\nHost: %s\r\n\r\n", prefix, path,
                           is_unix ? "localhost" : endpoint_print(endpoint, host));
        result = request.failed ? -ENOMEM : send_all(fd, &request);
        if (result == 0) {
            result = receive_all(fd, &response);
        }
        (void)close(fd);
    }
    if (result == 0) {
        result = take_body(&response, body, error);
    }
    if (result < 0 && error->len == 0) {
        text_append_string(error, strerror(-result));
    }
    text_deinit(&request);
    text_deinit(&response);
    return result;
}
