/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * cpu_limit.h - how many CPUs this process may use
 */

#include "base/attr.h"

/** CPUs of the process' affinity (sched_getaffinity(2)), or fewer where a cgroup limits their time:
 * its quota divided by its period, rounded up. At least 1. */
unsigned cpu_limit(void);

/** CPUs that a cgroup's limit allows, as cpu.max of version 2 has it ("150000 100000"), or 0 for no
 * limit ("max 100000") and what is none. */
NONNULL unsigned cpu_limit_parse(const char *text);
