/* SPDX-License-Identifier: Apache-2.0 */
#include "socket_file_internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOOK_UP_SIZE                                                                               \
    4096 /* of a line of passwd(5) or group(5); a longer one's name is not found                   \
          */

int socket_file_read(const char *path, struct socket_file *out)
{
    char space[LOOK_UP_SIZE];
    struct stat found;
    struct passwd user, *has_user = NULL;
    struct group group, *has_group = NULL;

    if (stat(path, &found) < 0) {
        return -errno;
    }
    out->mode = found.st_mode & 07777;
    (void)getpwuid_r(found.st_uid, &user, space, sizeof space, &has_user);
    if (has_user != NULL) {
        (void)snprintf(out->owner, sizeof out->owner, "%s", user.pw_name);
    } else {
        (void)snprintf(out->owner, sizeof out->owner, "%u", found.st_uid);
    }
    (void)getgrgid_r(found.st_gid, &group, space, sizeof space, &has_group);
    if (has_group != NULL) {
        (void)snprintf(out->group, sizeof out->group, "%s", group.gr_name);
    } else {
        (void)snprintf(out->group, sizeof out->group, "%u", found.st_gid);
    }
    return 0;
}
