/* SPDX-License-Identifier: Apache-2.0 */
#include "base/socket_file.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOOK_UP_SIZE                                                                               \
    4096 /* of a line of passwd(5) or group(5); a longer one's name is not found                   \
          */

static void look_up_names(struct socket_file *file)
{
    char space[LOOK_UP_SIZE];
    struct passwd user, *has_user = NULL;
    struct group group, *has_group = NULL;

    (void)snprintf(file->owner, sizeof file->owner, "%u", file->uid);
    (void)snprintf(file->group, sizeof file->group, "%u", file->gid);
    (void)getpwuid_r(file->uid, &user, space, sizeof space, &has_user);
    if (has_user != NULL) {
        (void)snprintf(file->owner, sizeof file->owner, "%s", user.pw_name);
    }
    (void)getgrgid_r(file->gid, &group, space, sizeof space, &has_group);
    if (has_group != NULL) {
        (void)snprintf(file->group, sizeof file->group, "%s", group.gr_name);
    }
    file->has_names = true;
}

int socket_file_read(const char *path, struct socket_file *file)
{
    struct stat found;

    if (stat(path, &found) < 0) {
        return -errno;
    }
    bool has_changed = !file->has_names || file->uid != found.st_uid || file->gid != found.st_gid;
    file->mode = found.st_mode & 07777;
    file->uid = found.st_uid;
    file->gid = found.st_gid;
    if (has_changed) {
        look_up_names(file);
    }
    return 0;
}
