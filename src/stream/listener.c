/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream/socket.h"

#define BACKLOG             128 /* chosen: more than servers connect at once */

#define LISTENS             0x10000 /* __SO_ACCEPTCON, as /proc/net/unix shows it */

#define CANNOT_CHANGE_OWNER "cannot change its owner; root may, and a service with CAP_CHOWN"
#define CANNOT_CHANGE_GROUP                                                                        \
    "cannot change its group; root may, a service with CAP_CHOWN as that of the package, and a "   \
    "member of the group (adduser)"

static int listener_complain(struct text *error, const char *path, const char *what, int result)
{
    text_append_format(error, "%s: %s: %s", path, what, strerror(-result));
    return result;
}

static int open_unix_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

static struct sockaddr_un unix_address(const struct endpoint *endpoint)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, endpoint->path, sizeof address.sun_path);
    return address;
}

/* Connect to see whether a process listens on the socket file. Returns 0 and *in_use, or a negative
 * errno if it cannot be known. */
static int listener_probe(const struct sockaddr_un *address, bool *in_use)
{
    int fd = open_unix_socket();

    if (fd < 0) {
        return fd;
    }
    int failure = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
    (void)close(fd);
    *in_use = failure == 0 || failure == EAGAIN;
    return *in_use || failure == ECONNREFUSED ? 0 : -failure;
}

static int remove_stale_socket(const struct sockaddr_un *address, struct text *error)
{
    const char *path = address->sun_path;
    struct stat found;

    if (lstat(path, &found) < 0) {
        return errno == ENOENT ? 0 : listener_complain(error, path, "cannot look at it", -errno);
    }
    if (!S_ISSOCK(found.st_mode)) {
        text_append_format(error, "%s: there is a file that is no socket; it is left alone", path);
        return -EEXIST;
    }
    bool in_use;
    int result = listener_probe(address, &in_use);
    if (result < 0) {
        return listener_complain(error, path, "cannot tell whether somebody listens on this socket",
                                 result);
    }
    if (in_use) {
        text_append_format(error, "%s: somebody listens on this socket already", path);
        return -EADDRINUSE;
    }
    if (unlink(path) < 0) {
        return listener_complain(error, path, "cannot remove the stale socket", -errno);
    }
    return 0;
}

static bool keeps_owner(const struct input_settings *input)
{
    return input->owner.number == CONFIG_ID_KEEP && input->group.number == CONFIG_ID_KEEP;
}

/* Nobody gets in before the owner is set: until then the socket has no permissions. */
static int bind_with_permissions(int fd, const struct sockaddr_un *address,
                                 const struct input_settings *input)
{
    mode_t previous = umask(keeps_owner(input) ? 0777 & ~input->mode : 0777);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;

    (void)umask(previous);
    return result;
}

/* A socket that cannot be made: most often for its folder. */
static int complain_of_folder(struct text *error, const char *path, int result)
{
    int len = (int)(strrchr(path, '/') - path);

    (void)listener_complain(error, path, "cannot make the socket", result);
    if (result == -ENOENT) {
        text_append_format(error,
                           ": there is no folder %.*s; make it, or let systemd do so "
                           "(RuntimeDirectory=)",
                           len > 0 ? len : 1, path);
    } else if (result == -EACCES) {
        text_append_format(error,
                           ": this user (number %u) may not write to the folder %.*s; choose "
                           "another folder, or change its owner",
                           geteuid(), len > 0 ? len : 1, path);
    }
    return result;
}

static int open_unix(struct listener *listener, const struct input_settings *input,
                     struct text *error)
{
    const struct sockaddr_un address = unix_address(&input->endpoint);
    struct stat made = {0};
    int result = remove_stale_socket(&address, error);

    if (result < 0) {
        return result;
    }
    listener->fd = open_unix_socket();
    if (listener->fd < 0) {
        return listener_complain(error, input->endpoint.path, "cannot make a socket", listener->fd);
    }
    result = bind_with_permissions(listener->fd, &address, input);
    if (result == 0) {
        /* At once, so that another exporter that starts now does not find a stale socket. */
        result = listen(listener->fd, BACKLOG) < 0 || lstat(input->endpoint.path, &made) < 0
                     ? -errno
                     : 0;
        if (result < 0) {
            (void)unlink(input->endpoint.path);
        }
    }
    if (result < 0) {
        (void)close(listener->fd);
        return complain_of_folder(error, input->endpoint.path, result);
    }
    listener->path = input->endpoint.path;
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    result = listener_set_permissions(listener, input, error);
    if (result < 0) {
        listener_close(listener);
    }
    return result;
}

int listener_open(struct listener *listener, const struct input_settings *input, struct text *error)
{
    struct listener opened = {.fd = -1};
    int result = input->endpoint.kind == ENDPOINT_UNIX
                     ? open_unix(&opened, input, error)
                     : socket_listen_tcp(&input->endpoint, &opened.fd, error);

    if (result == 0) {
        *listener = opened;
    }
    return result;
}

static int check_folder(const struct input_settings *input, struct text *error)
{
    const char *path = input->endpoint.path;
    char folder[ENDPOINT_PATH_SIZE];
    size_t len = (size_t)(strrchr(path, '/') - path);

    memcpy(folder, path, len + 1);
    folder[len > 0 ? len : 1] = '\0';
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0
               ? complain_of_folder(error, path, -errno)
               : 0;
}

/* Root without the capability may not either, in a container. */
static bool has_cap_chown(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & 1U << CAP_CHOWN) != 0;
}

static int check_owner(const struct input_settings *input, struct text *error)
{
    bool may_change = has_cap_chown();

    if (!may_change && input->owner.number != CONFIG_ID_KEEP && input->owner.number != geteuid()) {
        return listener_complain(error, input->endpoint.path, CANNOT_CHANGE_OWNER, -EPERM);
    }
    if (!may_change && input->group.number != CONFIG_ID_KEEP &&
        group_member(input->group.number) == 0) {
        return listener_complain(error, input->endpoint.path, CANNOT_CHANGE_GROUP, -EPERM);
    }
    return 0;
}

/* Whether a process of this network namespace listens there: a connection would be counted by the
 * exporter that does (proc(5): the flag is __SO_ACCEPTCON). */
static bool has_listener(const char *path)
{
    FILE *sockets = fopen("/proc/net/unix", "re");
    char line[ENDPOINT_PATH_SIZE + 128];
    bool found = false;

    while (sockets != NULL && !found && fgets(line, sizeof line, sockets) != NULL) {
        unsigned flags;
        int path_at = 0;
        line[strcspn(line, "\n")] = '\0';
        found = sscanf(line, "%*s %*s %*s %x %*s %*s %*s %n", &flags, &path_at) == 1 &&
                path_at > 0 && (flags & LISTENS) != 0 && strcmp(line + path_at, path) == 0;
    }
    if (sockets != NULL) {
        (void)fclose(sockets);
    }
    return found;
}

static int check_file(const char *path, struct text *error)
{
    struct stat found;

    if (lstat(path, &found) == 0 && !S_ISSOCK(found.st_mode)) {
        text_append_format(error, "%s: there is a file that is no socket; it is left alone", path);
        return -EEXIST;
    }
    if (has_listener(path)) {
        text_append_format(error, "%s: somebody listens on this socket already", path);
        return -EADDRINUSE;
    }
    return 0;
}

int listener_check(const struct input_settings *input, struct text *error)
{
    int fd;
    int result;

    if (input->endpoint.kind != ENDPOINT_UNIX) {
        result = socket_listen_tcp(&input->endpoint, &fd, error);
        if (result == 0) {
            (void)close(fd);
        }
        return result;
    }
    result = check_folder(input, error);
    if (result == 0) {
        result = check_owner(input, error);
    }
    return result == 0 ? check_file(input->endpoint.path, error) : result;
}

int listener_adopt(struct listener *listener, int fd)
{
    *listener = (struct listener){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    return listener->fd >= 0 ? 0 : -errno;
}

static bool is_ours(const struct listener *listener, const struct stat *found)
{
    return S_ISSOCK(found->st_mode) && found->st_dev == listener->device &&
           found->st_ino == listener->inode;
}

/* Through a descriptor of the file itself, so that a link that somebody put in its place is not
 * followed. Fchmod() does not take such a descriptor, its name in /proc does; where there is no
 * /proc a socket that has its mode already is all right. The owner comes last: the mode of another
 * user's file takes one capability more. */
static int set_permissions(int fd, mode_t mode, const struct input_settings *input,
                           const char **what)
{
    char name[32];

    *what = CANNOT_CHANGE_GROUP;
    if (input->group.number != CONFIG_ID_KEEP &&
        fchownat(fd, "", (uid_t)-1, input->group.number, AT_EMPTY_PATH) < 0) {
        return -errno;
    }
    *what = "cannot change its mode";
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if ((mode & 07777) != input->mode && chmod(name, input->mode) < 0) {
        return -errno;
    }
    *what = CANNOT_CHANGE_OWNER;
    return input->owner.number != CONFIG_ID_KEEP &&
                   fchownat(fd, "", input->owner.number, (gid_t)-1, AT_EMPTY_PATH) < 0
               ? -errno
               : 0;
}

int listener_set_permissions(const struct listener *listener, const struct input_settings *input,
                             struct text *error)
{
    const char *path = listener->path;
    struct stat found;

    if (path == NULL) {
        return 0;
    }
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) < 0 || !is_ours(listener, &found)) {
        if (fd >= 0) {
            (void)close(fd);
        }
        text_append_format(error, "%s: the socket file is gone, nobody can connect", path);
        return -ENOENT;
    }
    const char *what;
    int result = set_permissions(fd, found.st_mode, input, &what);
    (void)close(fd);
    return result < 0 ? listener_complain(error, path, what, result) : 0;
}

bool listener_is_reachable(const struct listener *listener)
{
    struct stat found;

    return listener->path == NULL ||
           (lstat(listener->path, &found) == 0 && is_ours(listener, &found));
}

bool listener_is_changed(struct listener *listener)
{
    struct stat found = {0};
    bool exists = lstat(listener->path, &found) == 0;
    bool changed = !exists || found.st_dev != listener->other_device ||
                   found.st_ino != listener->other_inode;

    listener->other_device = found.st_dev;
    listener->other_inode = found.st_ino;
    return changed;
}

void listener_close(struct listener *listener)
{
    if (listener->path != NULL && listener_is_reachable(listener)) {
        (void)unlink(listener->path);
    }
    if (listener->fd >= 0) {
        (void)close(listener->fd);
        listener->fd = -1;
    }
}
