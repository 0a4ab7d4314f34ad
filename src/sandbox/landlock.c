/* SPDX-License-Identifier: Apache-2.0 */
#include "landlock_internal.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

/* What the kernel has beyond Debian 12's header, by the version of its interface (landlock(7)). */
#define ACCESS_FS_TRUNCATE     (UINT64_C(1) << 14) /* 3 */
#define ACCESS_NET_BIND_TCP    (UINT64_C(1) << 0)  /* 4 */
#define ACCESS_NET_CONNECT_TCP (UINT64_C(1) << 1)  /* 4 */
#define ACCESS_FS_IOCTL_DEV    (UINT64_C(1) << 15) /* 5 */
#define SCOPE_SIGNAL           (UINT64_C(1) << 1)  /* 6 */
#define RULE_NET_PORT          2                   /* 4 */

/* struct landlock_ruleset_attr. An older kernel takes it if what it does not know is zero. */
struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

/* struct landlock_net_port_attr. */
struct port_rule {
    uint64_t allowed_access;
    uint64_t port;
};

#define READS   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define SOCKETS (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define WRITES                                                                                     \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                                 \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | ACCESS_FS_TRUNCATE)

/* Rights that a rule on a file may have; the others are those of folders. */
#define OF_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     ACCESS_FS_TRUNCATE | ACCESS_FS_IOCTL_DEV)

/* All rights of the kernel's version. */
static uint64_t handled_files(long version)
{
    uint64_t handled = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

    handled |= version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    handled |= version >= 3 ? ACCESS_FS_TRUNCATE : 0;
    handled |= version >= 5 ? ACCESS_FS_IOCTL_DEV : 0;
    return handled;
}

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int landlock_open(bool binds, bool *network)
{
    long version = landlock_version();

    if (version < 1) {
        return -1;
    }
    const struct ruleset ruleset = {
        .handled_access_fs = handled_files(version),
        .handled_access_net = version >= 4
                                  ? ACCESS_NET_CONNECT_TCP | (binds ? 0 : ACCESS_NET_BIND_TCP)
                                  : 0,
        .scoped = version >= 6 ? SCOPE_SIGNAL : 0,
    };
    *network = version >= 4;
    return (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
}

static uint64_t rights_of(unsigned access)
{
    uint64_t rights = (access & SANDBOX_READ) != 0 ? READS : 0;

    rights |= (access & SANDBOX_SOCKETS) != 0 ? SOCKETS : 0;
    rights |= (access & SANDBOX_WRITE) != 0 ? WRITES : 0;
    return rights & handled_files(landlock_version());
}

void landlock_allow(int rules, const char *path, unsigned access)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights_of(access),
        .parent_fd = rules >= 0 ? open(path, O_PATH | O_CLOEXEC) : -1,
    };
    struct stat found;

    if (rule.parent_fd < 0) {
        return;
    }
    if (fstat(rule.parent_fd, &found) == 0 && !S_ISDIR(found.st_mode)) {
        rule.allowed_access &= OF_FILES;
    }
    /* It fails for what is no file of a folder, such as a pipe: that is not restricted either. */
    (void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    (void)close(rule.parent_fd);
}

void landlock_allow_port(int rules, uint16_t port)
{
    const struct port_rule rule = {.allowed_access = ACCESS_NET_CONNECT_TCP, .port = port};

    if (rules >= 0) { /* fails before version 4, which restricts no port */
        (void)syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &rule, 0);
    }
}

bool landlock_restrict(int rules)
{
    return rules >= 0 && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}
