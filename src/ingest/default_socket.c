/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/default_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream/input_settings.h"

#define SOCKET_NAME      "/dnstap.sock"
#define SOCKET_PATH_SIZE sizeof((struct sockaddr_un *)NULL)->sun_path

/* Make the folder, or take it if it is there, belongs to `user` or root, and not everybody may
 * write into it: whoever owns the folder owns the socket. Root gives it to `user`. */
static int take_folder(const char *folder, uid_t user)
{
    struct stat found;

    if (mkdir(folder, 0755) < 0 && errno != EEXIST) {
        return -errno;
    }
    if (lstat(folder, &found) < 0) {
        return -errno;
    }
    bool trusted = found.st_uid == user || found.st_uid == 0;
    bool ours = S_ISDIR(found.st_mode) && trusted && (found.st_mode & S_IWOTH) == 0;
    if (!ours || access(folder, W_OK | X_OK) < 0) {
        return -EACCES;
    }
    return user != geteuid() && lchown(folder, user, (gid_t)-1) < 0 ? -errno : 0;
}

static int try_folder(struct text *path, const char *folder, uid_t user)
{
    int result = strlen(folder) + sizeof SOCKET_NAME <= SOCKET_PATH_SIZE ? take_folder(folder, user)
                                                                         : -ENAMETOOLONG;

    if (result == 0) {
        text_clear(path);
        text_append_format(path, "%s" SOCKET_NAME, folder);
    }
    return result == 0 && path->failed ? -ENOMEM : result;
}

int default_socket_place(uid_t user, struct text *path)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct text folder = {0};
    int result = try_folder(path, INPUT_DEFAULT_DIRECTORY, user);

    if (result < 0 && runtime != NULL && runtime[0] == '/') {
        text_append_format(&folder, "%s/dnstap_exporter", runtime);
        result = folder.failed ? -ENOMEM : try_folder(path, folder.data, user);
    }
    if (result < 0) {
        text_clear(&folder);
        text_append_format(&folder, "/tmp/dnstap_exporter-%u", (unsigned)user);
        result = folder.failed ? -ENOMEM : try_folder(path, folder.data, user);
    }
    text_deinit(&folder);
    return result;
}
