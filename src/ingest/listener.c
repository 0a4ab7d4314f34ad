/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/socket.h"

#define BACKLOG 128

static int complain(struct text *error, const char *path, const char *what, int result)
{
    text_add_format(error, "%s: %s: %s", path, what, strerror(-result));
    return result;
}

static int open_unix_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

/* The path fits: the configuration was checked. */
static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    return address;
}

/* Whether a process listens on the socket file: connecting is the only way to know. */
static bool has_listener(const struct sockaddr_un *address)
{
    int fd = open_unix_socket();

    if (fd < 0) {
        return true; /* not knowing, nothing is removed */
    }
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
                   errno == ECONNREFUSED;
    (void)close(fd);
    return !refused;
}

static int remove_stale_socket(const struct sockaddr_un *address, struct text *error)
{
    const char *path = address->sun_path;
    struct stat found;

    if (lstat(path, &found) < 0) {
        return errno == ENOENT ? 0 : complain(error, path, "cannot look at it", -errno);
    }
    if (!S_ISSOCK(found.st_mode)) {
        text_add_format(error, "%s: there is a file that is no socket; it is left alone", path);
        return -EEXIST;
    }
    if (has_listener(address)) {
        text_add_format(error, "%s: another process listens on this socket", path);
        return -EADDRINUSE;
    }
    if (unlink(path) < 0) {
        return complain(error, path, "cannot remove the stale socket", -errno);
    }
    return 0;
}

/* Nobody gets in before the permissions are set: the socket is made without any. */
static int bind_without_permissions(int fd, const struct sockaddr_un *address)
{
    mode_t previous = umask(0777);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;

    (void)umask(previous);
    return result;
}

static int open_unix(struct listener *listener, const struct config_input *input,
                     struct text *error)
{
    const struct sockaddr_un address = unix_address(input->path);
    struct stat made;
    int result = remove_stale_socket(&address, error);

    if (result < 0) {
        return result;
    }
    listener->fd = open_unix_socket();
    if (listener->fd < 0) {
        return complain(error, input->path, "cannot make a socket", listener->fd);
    }
    result = bind_without_permissions(listener->fd, &address);
    if (result < 0) {
        (void)close(listener->fd);
        return complain(error, input->path, "cannot make the socket", result);
    }
    listener->path = input->path;
    if (lstat(input->path, &made) == 0) {
        listener->device = made.st_dev;
        listener->inode = made.st_ino;
    }
    result = listener_set_permissions(listener, input, error);
    if (result == 0 && listen(listener->fd, BACKLOG) < 0) {
        result = complain(error, input->path, "cannot listen", -errno);
    }
    if (result < 0) {
        listener_close(listener);
    }
    return result;
}

int listener_open(struct listener *listener, const struct config_input *input, struct text *error)
{
    struct listener opened = {.fd = -1};
    int result = input->path != NULL ? open_unix(&opened, input, error)
                                     : socket_listen_tcp(input->address, &opened.fd, error);

    if (result == 0) {
        *listener = opened;
    }
    return result;
}

int listener_set_permissions(const struct listener *listener, const struct config_input *input,
                             struct text *error)
{
    const char *path = listener->path;

    if (path == NULL) {
        return 0;
    }
    if (lchown(path, input->uid, input->gid) < 0) { /* CONFIG_ID_KEEP is -1 */
        return complain(error, path, "cannot change owner and group", -errno);
    }
    if (chmod(path, input->mode) < 0) {
        return complain(error, path, "cannot change the mode", -errno);
    }
    return 0;
}

void listener_close(struct listener *listener)
{
    struct stat found;

    if (listener->path != NULL && lstat(listener->path, &found) == 0 &&
        found.st_dev == listener->device && found.st_ino == listener->inode) {
        (void)unlink(listener->path);
    }
    (void)close(listener->fd);
    listener->fd = -1;
}
