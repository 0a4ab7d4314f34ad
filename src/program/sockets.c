/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "stream/socket.h"
#include "program/program.h"
#include "program/systemd.h"

/* The input that a socket of systemd is named after, or input_count. */
static unsigned input_named(const struct settings *settings, const char *name)
{
    unsigned i = 0;

    while (i < settings->input_count && strcmp(settings->inputs[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* -1 where it has none. */
static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

static bool is_listening(int fd)
{
    return socket_option(fd, SO_TYPE) == SOCK_STREAM && socket_option(fd, SO_ACCEPTCONN) == 1;
}

static int take_for_input(struct program_sockets *sockets, const struct settings *settings,
                          unsigned input, int fd, struct text *error)
{
    bool is_unix = settings->inputs[input].endpoint.kind == ENDPOINT_UNIX;
    int family = socket_option(fd, SO_DOMAIN);
    bool fits = is_listening(fd) && !settings->inputs[input].endpoint.is_dialled &&
                (family == AF_UNIX) == is_unix &&
                (is_unix || family == AF_INET || family == AF_INET6);

    if (!fits || sockets->inputs[input] >= 0) {
        text_append_format(error, "systemd's socket %s: %s", settings->inputs[input].name,
                           fits ? "passed twice"
                           : settings->inputs[input].endpoint.is_dialled
                               ? "the input connects, and does not listen"
                           : is_unix ? "not a listening unix stream socket, as the input is"
                                     : "not a listening TCP socket, as the input is");
        return -EINVAL;
    }
    sockets->inputs[input] = fd;
    return 0;
}

static int take_for_web(struct program_sockets *sockets, int fd, const char *name,
                        struct text *error)
{
    if (sockets->web_count == WEB_ADDRESSES_MAX || !is_listening(fd)) {
        text_append_format(error, "systemd's socket %s: %s", name,
                           sockets->web_count == WEB_ADDRESSES_MAX
                               ? "one too many to serve metrics on"
                               : "not a listening stream socket");
        return -EINVAL;
    }
    sockets->web[sockets->web_count++] = fd;
    return 0;
}

/* A socket that an input is named after is that input's, any other the web server's. */
static int sockets_take(struct program_sockets *sockets, const struct settings *settings, int fd,
                        const char *name, struct text *error)
{
    unsigned input = input_named(settings, name);
    int result = fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;

    if (result < 0) {
        text_append_format(error, "systemd's socket %s: %s", name, strerror(-result));
    } else if (input < settings->input_count) {
        result = take_for_input(sockets, settings, input, fd, error);
    } else if (settings->web.systemd_socket) {
        result = take_for_web(sockets, fd, name, error);
    } else {
        log_warn("no input has the name of this socket from systemd, it is closed", "socket", name,
                 NULL);
        result = 1;
    }
    if (result != 0) {
        (void)close(fd);
    }
    return result < 0 ? result : 0;
}

static int take_passed(struct program_sockets *sockets, const struct settings *settings,
                       struct text *error)
{
    char **names = NULL;
    int first;
    int count = systemd_sockets(&first, &names);
    int result = count < 0 ? count : 0;

    for (int i = 0; i < count; i++) {
        if (result == 0) {
            result = sockets_take(sockets, settings, first + i, names[i], error);
        } else {
            (void)close(first + i);
        }
        free(names[i]);
    }
    free(names);
    if (result == 0 && settings->web.systemd_socket && sockets->web_count == 0) {
        text_append_string(error, "--web.systemd-socket: systemd has passed no socket");
        result = -EINVAL;
    }
    return result;
}

int program_open_sockets(struct program_sockets *sockets, const struct settings *settings,
                         struct text *error)
{
    sockets->web_count = 0;
    for (unsigned i = 0; i < INPUTS_MAX; i++) {
        sockets->inputs[i] = -1;
    }
    int result = take_passed(sockets, settings, error);
    const struct config_strings *addresses = &settings->web.listen_addresses;
    for (unsigned i = 0; i < addresses->count && !settings->web.systemd_socket; i++) {
        struct endpoint endpoint;
        if (result == 0) {
            result = endpoint_parse_tcp(addresses->items[i], &endpoint)
                         ? socket_listen_tcp(&endpoint, &sockets->web[i], error)
                         : -EINVAL;
            sockets->web_count += result == 0;
        }
    }
    return result;
}

void program_close_sockets(const struct program_sockets *sockets)
{
    for (unsigned i = 0; i < sockets->web_count; i++) {
        (void)close(sockets->web[i]);
    }
    for (unsigned i = 0; i < INPUTS_MAX; i++) {
        if (sockets->inputs[i] >= 0) {
            (void)close(sockets->inputs[i]);
        }
    }
}
