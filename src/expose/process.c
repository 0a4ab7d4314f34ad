/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/process.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Everything from the state letter (field 3) on: the name before it may hold blanks and brackets.
 */
static int read_stat(struct process_stats *out, uint64_t *start_ticks)
{
    char line[1024];
    uint64_t user_ticks;
    uint64_t system_ticks;
    uint64_t resident_pages;
    FILE *file = fopen("/proc/self/stat", "re");

    if (file == NULL) {
        return -errno;
    }
    size_t len = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[len] = '\0';

    const char *fields = strrchr(line, ')');
    if (fields == NULL ||
        sscanf(fields,
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
               " %*d %*d %*d %*d %" SCNu64 " %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
               &user_ticks, &system_ticks, &out->threads, start_ticks, &out->virtual_bytes,
               &resident_pages) != 6) {
        return -EIO;
    }
    out->cpu_seconds = (double)(user_ticks + system_ticks) / (double)sysconf(_SC_CLK_TCK);
    out->resident_bytes = resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

/* When the machine started, in seconds since 1970. False where it cannot be known: containers may
 * hide /proc/stat. */
static bool read_boot_time(double *seconds)
{
    char line[256];
    bool found = false;
    FILE *file = fopen("/proc/stat", "re");

    while (!found && file != NULL && fgets(line, sizeof line, file) != NULL) {
        found = sscanf(line, "btime %lf", seconds) == 1;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

static uint64_t count_fds(void)
{
    uint64_t entries = 0;
    DIR *directory = opendir("/proc/self/fd");

    if (directory == NULL) {
        return 0;
    }
    while (readdir(directory) != NULL) {
        entries++;
    }
    (void)closedir(directory);
    return entries > 3 ? entries - 3 : 0; /* without ".", ".." and the one this took */
}

/* -1: there is none. */
static double soft_limit(const struct rlimit *limit)
{
    return limit->rlim_cur == RLIM_INFINITY ? -1 : (double)limit->rlim_cur;
}

static void read_limits(struct process_stats *stats)
{
    struct rlimit files = {.rlim_cur = RLIM_INFINITY};
    struct rlimit memory = {.rlim_cur = RLIM_INFINITY};

    (void)getrlimit(RLIMIT_NOFILE, &files);
    (void)getrlimit(RLIMIT_AS, &memory);
    stats->fd_max = soft_limit(&files);
    stats->virtual_max_bytes = soft_limit(&memory);
}

int process_stats_read(struct process_stats *out)
{
    struct process_stats stats = {0};
    uint64_t start_ticks = 0;
    double boot_seconds = 0;
    int result = read_stat(&stats, &start_ticks);

    if (result < 0) {
        return result;
    }
    stats.has_start_time = read_boot_time(&boot_seconds);
    stats.start_time_seconds = boot_seconds + (double)start_ticks / (double)sysconf(_SC_CLK_TCK);
    stats.fds = count_fds();
    read_limits(&stats);
    *out = stats;
    return 0;
}
