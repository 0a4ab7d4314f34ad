/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * system_calls_internal.h - the system calls that a mode needs
 *
 * system_calls.c is the one with libseccomp, system_calls_none.c the one of builds without it,
 * where none is refused.
 */

#include "base/attr.h"
#include "sandbox/sandbox.h"

/** Refuse all others from now on, in all threads. Needs no_new_privs. Returns 0, or a negative
 *  errno: -ENOSYS if this build or the kernel cannot. */
MUST_USE int system_calls_restrict(enum sandbox_mode mode);

/** Write the name of a call, or its number. */
NONNULL void system_calls_print(int number, char name[SANDBOX_CALL_SIZE]);

/** What a sanitizer calls and reads besides, in a build with one (sanitizer_calls.c);
 *  NULL-terminated. */
extern const char *const sanitizer_calls[], *const sanitizer_paths[];
