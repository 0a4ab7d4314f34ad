/* SPDX-License-Identifier: Apache-2.0 */
#include "program/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All others are given up. */
static int keep_cap_chown(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = 1U << CAP_CHOWN, .permitted = 1U << CAP_CHOWN},
    };

    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* The user is last: whoever is not root can change no group. */
static int change_ids(const struct passwd *entry)
{
    if (initgroups(entry->pw_name, entry->pw_gid) < 0 ||
        setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
        prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) < 0 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0) {
        return -errno;
    }
    return keep_cap_chown();
}

static bool is_another(const struct config_id *user)
{
    return user->number != CONFIG_ID_KEEP && user->number != geteuid();
}

int user_check(const struct config_id *user, struct text *error)
{
    if (!is_another(user) || geteuid() == 0) {
        return 0;
    }
    text_append_format(error,
                       "user: only root can become another user; this process has been started "
                       "by user number %u",
                       geteuid());
    return -EPERM;
}

int user_become(const struct config_id *user, struct text *error)
{
    if (!is_another(user)) {
        return 0;
    }
    errno = 0;
    const struct passwd *entry = getpwuid(user->number);
    if (entry == NULL) {
        text_append_format(error, "user: %s: %s", user->text,
                           errno != 0 ? strerror(errno) : "there is no such user");
        return errno != 0 ? -errno : -ENOENT;
    }
    int result = change_ids(entry);
    if (result < 0) {
        text_append_format(error, "user: cannot become %s: %s", user->text, strerror(-result));
    }
    return result;
}
