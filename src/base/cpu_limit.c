/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu_limit.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 64 /* of two numbers */

/* The first line, or as much of it as there is room for; "" where there is no such file. */
static void read_line(const char *path, char *out, int size)
{
    FILE *file = fopen(path, "re");

    out[0] = '\0';
    if (file != NULL) {
        if (fgets(out, size, file) == NULL) {
            out[0] = '\0';
        }
        (void)fclose(file);
    }
}

unsigned cpu_limit_parse(const char *text)
{
    char *end;
    long long quota = strtoll(text, &end, 10);
    long long period = strtoll(end, &end, 10);

    if (quota <= 0 || period <= 0 || quota / period >= INT_MAX) {
        return 0;
    }
    return (unsigned)((quota + period - 1) / period);
}

/* Of the cgroup that the process sees as its root, as a container does, and of its own. */
static unsigned limit_of_cgroup(void)
{
    char own[PATH_MAX], path[PATH_MAX + 32], text[TEXT_SIZE];

    read_line("/proc/self/cgroup", own, sizeof own);
    own[strcspn(own, "\n")] = '\0';
    if (strncmp(own, "0::", 3) == 0) { /* version 2 */
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", own + 3);
        read_line(path, text, sizeof text);
        unsigned limit = cpu_limit_parse(text);
        if (limit > 0) {
            return limit;
        }
    }
    read_line("/sys/fs/cgroup/cpu.max", text, sizeof text);
    if (text[0] == '\0') { /* version 1 */
        read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, TEXT_SIZE / 2);
        size_t len = strcspn(text, "\n");
        text[len] = ' ';
        read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text + len + 1,
                  (int)(sizeof text - len - 1));
    }
    return cpu_limit_parse(text);
}

static unsigned count_of_affinity(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

unsigned cpu_limit(void)
{
    unsigned affinity = count_of_affinity();
    unsigned cgroup = limit_of_cgroup();

    return cgroup > 0 && cgroup < affinity ? cgroup : affinity;
}
