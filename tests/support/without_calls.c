/* SPDX-License-Identifier: Apache-2.0 */
/* Run a program under a kernel that does not know some system calls, or in a container that refuses
 * them: without_calls NAME... -- PROGRAM [ARGUMENT]... */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int i = 1;

    for (; filter != NULL && i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name(argv[i]),
                             0) < 0) {
            return 1;
        }
    }
    if (filter == NULL || i + 1 >= argc || seccomp_load(filter) < 0) {
        return 1;
    }
    (void)execvp(argv[i + 1], argv + i + 1);
    perror(argv[i + 1]);
    return 1;
}
