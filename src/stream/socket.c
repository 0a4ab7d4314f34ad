/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128 /* chosen: more than servers connect at once */

/* An unset IPV6_V6ONLY lets one IPv6 socket take IPv4 too. */
static int listen_on(const struct addrinfo *info)
{
    const int on = 1;
    const int off = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (info->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) ||
        bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int result = -errno;
        (void)close(fd);
        return result;
    }
    return fd;
}

/* Listen on the first address of the family that allows it. */
static int listen_on_family(const struct addrinfo *found, int family)
{
    int result = -EAFNOSUPPORT;

    for (const struct addrinfo *info = found; info != NULL && result < 0; info = info->ai_next) {
        if (info->ai_family == family) {
            result = listen_on(info);
        }
    }
    return result;
}

/* The port as getaddrinfo() takes it. */
static const char *port_text(const struct endpoint *endpoint, char out[6])
{
    (void)snprintf(out, 6, "%u", endpoint->port);
    return out;
}

static const char *explain_failure(int result)
{
    switch (result) {
    case -EADDRNOTAVAIL:
        return ": no interface has this address";
    case -EADDRINUSE:
        return ": ss -ltnp shows which process listens there";
    case -EACCES:
        return ": ports below 1024 are root's";
    default:
        return "";
    }
}

int socket_listen_tcp(const struct endpoint *endpoint, int *fd, struct text *error)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    bool wildcard = endpoint->host[0] == '\0';
    char place[ENDPOINT_TEXT_SIZE];
    char port[6];
    struct addrinfo *found;
    int result;

    int lookup = getaddrinfo(wildcard ? NULL : endpoint->host, port_text(endpoint, port), &hints,
                             &found);
    if (lookup != 0) {
        text_append_format(error, "cannot find the address %s: %s", endpoint_print(endpoint, place),
                           gai_strerror(lookup));
        return -EADDRNOTAVAIL;
    }
    /* Every address: the IPv6 wildcard serves IPv4 as well. A name: 127.0.0.1 is the localhost that
     * most clients and servers mean. The other family is for machines that do not have the first.
     */
    result = listen_on_family(found, wildcard ? AF_INET6 : AF_INET);
    if (result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL) {
        int other = listen_on_family(found, wildcard ? AF_INET : AF_INET6);
        result = other >= 0 || result == -EAFNOSUPPORT ? other : result;
    }
    freeaddrinfo(found);
    if (result < 0) {
        text_append_format(error, "cannot listen on %s: %s%s", endpoint_print(endpoint, place),
                           strerror(-result), explain_failure(result));
        return result;
    }
    *fd = result;
    return 0;
}

static int begin_to_connect(int family, const struct sockaddr *address, socklen_t len, int *fd)
{
    int opened = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (opened < 0) {
        return -errno;
    }
    if (connect(opened, address, len) < 0 && errno != EINPROGRESS) {
        int result = -errno;
        (void)close(opened);
        return result;
    }
    *fd = opened;
    return 0;
}

static int connect_tcp(const struct endpoint *endpoint, int *fd)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char port[6];

    if (getaddrinfo(endpoint->host, port_text(endpoint, port), &hints, &found) != 0) {
        return -EADDRNOTAVAIL;
    }
    int result = begin_to_connect(found->ai_family, found->ai_addr, found->ai_addrlen, fd);
    freeaddrinfo(found);
    return result;
}

static int connect_unix(const struct endpoint *endpoint, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, endpoint->path, sizeof address.sun_path);
    return begin_to_connect(AF_UNIX, (const struct sockaddr *)&address, sizeof address, fd);
}

int socket_connect(const struct endpoint *endpoint, int *fd)
{
    return endpoint->kind == ENDPOINT_UNIX ? connect_unix(endpoint, fd) : connect_tcp(endpoint, fd);
}
