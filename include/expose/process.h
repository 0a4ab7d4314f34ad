/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * process.h - what the kernel says of this process (proc(5))
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct process_stats {
    double cpu_seconds;        /* user and system */
    bool has_start_time;       /* not where /proc/stat is hidden */
    double start_time_seconds; /* since 1970 */
    double virtual_max_bytes;  /* -1: no limit */
    double fd_max;
    uint64_t fds;
    uint64_t virtual_bytes;
    uint64_t resident_bytes;
    uint64_t threads;
};

/** Read the numbers of now. Returns 0, or a negative errno where /proc is not there. */
NONNULL MUST_USE int process_stats_read(struct process_stats *out);
