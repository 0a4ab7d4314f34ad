/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that takes SLOW_DISK_SECONDS for each flush, in place of libc's function. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const char *seconds = getenv("SLOW_DISK_SECONDS");
    const struct timespec duration = {.tv_sec = seconds != NULL ? atoi(seconds) : 0};

    (void)nanosleep(&duration, NULL);
    return (int)syscall(SYS_fdatasync, fd);
}
