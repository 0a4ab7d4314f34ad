/* SPDX-License-Identifier: Apache-2.0 */
#include "system_calls_internal.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "violations_internal.h"

/* Observed in the integration tests on glibc 2.36, and what newer ones and other libraries call in
 * their place. A name that this machine does not know is left out. */
static const char *const calls_of_all[] = {
    /* files that Landlock lets open */
    "access",
    "close",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fcntl",
    "fstat",
    "fstatfs",
    "getcwd",
    "getdents",
    "getdents64",
    "lseek",
    "lstat",
    "newfstatat",
    "open",
    "openat",
    "pread64",
    "preadv",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "stat",
    "statx",
    "write",
    "writev",
    /* memory */
    "brk",
    "madvise",
    "mremap",
    "munmap",
    /* threads and signals */
    "exit",
    "exit_group",
    "futex",
    "futex_waitv",
    "membarrier",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
    /* time and waiting */
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "gettimeofday",
    "nanosleep",
    "poll",
    "ppoll",
    "time",
    /* about the process and the machine */
    "getcpu",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getpgrp",
    "getpid",
    "getppid",
    "getrandom",
    "getrlimit",
    "getrusage",
    "gettid",
    "getuid",
    "sysinfo",
    "uname",
    NULL,
};

static const char *const calls_of_serve[] = {
    /* sockets */
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendfile",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socketpair",
    /* waiting */
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd2",
    "pipe2",
    "pselect6",
    "select",
    "timerfd_create",
    "timerfd_settime",
    /* sockets' files, and the file of known domains */
    "chmod",
    "chown",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fdatasync",
    "flock",
    "fsync",
    "ftruncate",
    "lchown",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "umask",
    "unlink",
    "unlinkat",
    "utimensat",
    /* the thread that checks passwords makes itself less urgent */
    "getpriority",
    "setpriority",
    NULL,
};

/* No program calls these by mistake: somebody else's code runs in the process. */
static const char *const calls_of_attackers[] = {
    "bpf",
    "chroot",
    "execve",
    "execveat",
    "finit_module",
    "init_module",
    "io_uring_setup",
    "kexec_load",
    "mount",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "setns",
    "setresuid",
    "setuid",
    "unshare",
    "userfaultfd",
    NULL,
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Mistakes of a rule that the architecture does not have are none: -EDOM. */
static int add_rule(scmp_filter_ctx filter, uint32_t action, const char *name,
                    const struct scmp_arg_cmp *arguments, unsigned count)
{
    int number = seccomp_syscall_resolve_name(name);

    if (number < 0) {
        return 0;
    }
    int result = seccomp_rule_add_array(filter, action, number, count, arguments);
    return result == -EDOM ? 0 : result;
}

static int add_names(scmp_filter_ctx filter, const char *const *names)
{
    int result = 0;

    for (; *names != NULL && result == 0; names++) {
        result = add_rule(filter, SCMP_ACT_ALLOW, *names, NULL, 0);
    }
    return result;
}

/* A call with an argument whose bits of the mask have this value. */
struct argument_rule {
    const char *name;
    unsigned argument; /* from 0 on */
    bool of_serve;     /* in the mode SANDBOX_SERVE only */
    uint64_t mask;
    uint64_t value;
};

/* All bits of an int and of a pointer. */
#define INT     UINT64_C(0xffffffff)
#define POINTER UINT64_MAX

static int add_argument_rule(scmp_filter_ctx filter, uint32_t action,
                             const struct argument_rule *rule)
{
    const struct scmp_arg_cmp comparison = {
        .arg = rule->argument,
        .op = SCMP_CMP_MASKED_EQ,
        .datum_a = rule->mask,
        .datum_b = rule->value,
    };

    return add_rule(filter, action, rule->name, &comparison, 1);
}

/* A call is allowed where one of its rows holds. */
static int add_argument_rules(scmp_filter_ctx filter, enum sandbox_mode mode)
{
    const struct argument_rule rules[] = {
        /* no memory that is written and then run; libraries of NSS are mapped from their file */
        {"mmap", 2, false, PROT_EXEC, 0},
        {"mmap", 2, false, PROT_WRITE, 0},
        {"mprotect", 2, false, PROT_EXEC, 0},
        {"prctl", 0, false, INT, PR_SET_NAME},
        {"prctl", 0, false, INT, PR_SET_VMA},          /* names memory, glibc 2.39 */
        {"prlimit64", 2, false, POINTER, 0},           /* limits are read, not set */
        {"tgkill", 0, false, INT, (uint64_t)getpid()}, /* abort(3) */
        {"ioctl", 1, false, INT, TCGETS},              /* isatty(3) */
        {"ioctl", 1, true, INT, FIONREAD},
        {"ioctl", 1, true, INT, FIONBIO},
        {"clone", 0, false, CLONE_THREAD, CLONE_THREAD}, /* threads, and no processes */
        {"socket", 0, true, INT, AF_UNIX},
        {"socket", 0, true, INT, AF_INET},
        {"socket", 0, true, INT, AF_INET6},
    };
    int result = 0;

    for (size_t i = 0; i < LENGTH(rules) && result == 0; i++) {
        if (!rules[i].of_serve || mode == SANDBOX_SERVE) {
            result = add_argument_rule(filter, SCMP_ACT_ALLOW, &rules[i]);
        }
    }
    return result;
}

/* Answers that libc takes well, so that they are no violations: pthread_create(3) goes on with
 * clone(2), whose flags can be looked at; getaddrinfo(3) looks for addresses of this machine. */
static int add_answers(scmp_filter_ctx filter, enum sandbox_mode mode)
{
    const struct argument_rule netlink = {"socket", 0, true, INT, AF_NETLINK};
    int result = add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL, 0);

    if (result == 0 && mode == SANDBOX_SERVE) {
        result = add_argument_rule(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), &netlink);
    }
    return result;
}

static int fill_filter(scmp_filter_ctx filter, enum sandbox_mode mode)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (result == 0) {
        result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    }
    if (result == 0) {
        result = add_names(filter, calls_of_all);
    }
    if (result == 0 && mode == SANDBOX_SERVE) {
        result = add_names(filter, calls_of_serve);
    }
    if (result == 0) {
        result = add_names(filter, sanitizer_calls);
    }
    if (result == 0) {
        result = add_answers(filter, mode);
    }
    if (result == 0) {
        result = add_argument_rules(filter, mode);
    }
    return result;
}

static int catch_violations(void)
{
    _Static_assert(LENGTH(calls_of_attackers) <= FATAL_CALLS_MAX, "they are copied");
    struct fatal_call fatal[LENGTH(calls_of_attackers)];
    unsigned count = 0;

    for (size_t i = 0; calls_of_attackers[i] != NULL; i++) {
        int number = seccomp_syscall_resolve_name(calls_of_attackers[i]);
        if (number >= 0) {
            fatal[count++] = (struct fatal_call){number, calls_of_attackers[i]};
        }
    }
    return violations_catch(fatal, count);
}

int system_calls_restrict(enum sandbox_mode mode)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);

    if (filter == NULL) {
        return -ENOMEM;
    }
    int result = fill_filter(filter, mode);
    if (result == 0) {
        result = catch_violations();
    }
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    return result;
}

void system_calls_print(int number, char name[SANDBOX_CALL_SIZE])
{
    char *found = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

    if (found != NULL) {
        (void)snprintf(name, SANDBOX_CALL_SIZE, "%s", found);
    } else {
        (void)snprintf(name, SANDBOX_CALL_SIZE, "%d", number);
    }
    free(found);
}
