/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu_limit.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The least of the process' own cgroup and of those that it is in; `own` is its path, or "/" where
 * the process sees no more, as in a container. */
static unsigned limit_of_version_2(char *own)
{
    char path[PATH_MAX + 32], text[TEXT_SIZE];
    unsigned least = 0;

    for (char *end = own + strlen(own); end != NULL; end = strrchr(own, '/')) {
        *end = '\0';
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", own);
        read_line(path, text, sizeof text);
        unsigned limit = cpu_limit_parse(text);
        least = limit > 0 && (least == 0 || limit < least) ? limit : least;
    }
    return least;
}

static unsigned limit_of_version_1(void)
{
    char text[TEXT_SIZE];

    read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, TEXT_SIZE / 2);
    size_t len = strcspn(text, "\n");
    text[len] = ' ';
    read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text + len + 1, (int)(sizeof text - len - 1));
    return cpu_limit_parse(text);
}

static unsigned limit_of_cgroup(void)
{
    char line[PATH_MAX];

    read_line("/proc/self/cgroup", line, sizeof line);
    line[strcspn(line, "\n")] = '\0';
    return strncmp(line, "0::", 3) == 0 ? limit_of_version_2(line + 3) : limit_of_version_1();
}

static unsigned count_of_affinity(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    long cpus = sysconf(_SC_NPROCESSORS_ONLN); /* more than the set has room for */
    return cpus > 0 ? (unsigned)cpus : 1;
}

unsigned cpu_limit(void)
{
    unsigned affinity = count_of_affinity();
    unsigned cgroup = limit_of_cgroup();

    return cgroup > 0 && cgroup < affinity ? cgroup : affinity;
}
