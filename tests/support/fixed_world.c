/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: the secret of hashes is the same in every run, and the time since 1970 stands
 * still, so that two runs over the same frames give the same pages. */
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOW_S 1790000000 /* in September 2026 */

ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    (void)flags;
    memset(buffer, 0x5a, size);
    return (ssize_t)size;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    if (clock == CLOCK_REALTIME) {
        *out = (struct timespec){.tv_sec = NOW_S};
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, clock, out);
}
