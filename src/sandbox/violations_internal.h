/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * violations_internal.h - system calls that seccomp has refused: counted, and those remembered that
 * there were
 *
 * The kernel sends SIGSYS to the thread that made the call; that thread must not block it, or the
 * process ends. The handler lets the call return EPERM.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define FATAL_CALLS_MAX 32

/** A call that ends the process. */
struct fatal_call {
    int number;
    const char *name; /* constant */
};

/** Handle SIGSYS from now on. calls[count], at most FATAL_CALLS_MAX, are copied. Returns 0, or a
 *  negative errno. */
NONNULL MUST_USE int violations_catch(const struct fatal_call *calls, unsigned count);

uint64_t violations_count(void);

/** The number of a call that was refused and that this function has not returned yet, or -1. */
int violations_next(void);
