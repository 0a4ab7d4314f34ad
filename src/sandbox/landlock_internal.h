/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * landlock_internal.h - the kernel's rules on files and TCP ports, in the version that it has
 *
 * A descriptor is a set of rules that is not in force yet; -1 is none, to which rules may be added
 * in vain.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/** Make a set that allows nothing; with `binds`, listening on a TCP port is not restricted. Returns
 *  a descriptor and in *network whether it holds for TCP, or -1 if the kernel has no Landlock. */
NONNULL MUST_USE int landlock_open(bool binds, bool *network);

/** Allow SANDBOX_... to a file or a folder. Nothing happens if there is no such path. */
NONNULL void landlock_allow(int rules, const char *path, unsigned access);

void landlock_allow_port(int rules, uint16_t port);

/** Put it in force. Needs no_new_privs. Returns whether it is. */
MUST_USE bool landlock_restrict(int rules);
