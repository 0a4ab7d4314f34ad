/* SPDX-License-Identifier: Apache-2.0 */
/* The leak sanitizer looks at the process from a copy of it that traces all threads; reports name
 * the lines of the program. */
#include "system_calls_internal.h"

#include <stddef.h>

const char *const sanitizer_calls[] = {
    "clone",     "getrusage", "kill",  "mmap",      "mprotect", "personality",
    "pipe",      "pipe2",     "prctl", "prlimit64", "ptrace",   "sched_setaffinity",
    "setrlimit", "tgkill",    "wait4", NULL,
};

const char *const sanitizer_paths[] = {"/proc", "/proc/self/exe", NULL};
