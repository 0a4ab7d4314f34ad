/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * user.h - a process that root has started becomes another user
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "config/config_row.h"

/** Become `user` with its groups, for good; nothing happens where that is "", or this user already.
 *  With `keeps_chown` the process may change the owner of files from then on (CAP_CHOWN), and has
 * no other capability. For the first thread, while it is the only one. Returns 0, or a negative
 * errno and what went wrong in *error. */
NONNULL MUST_USE int user_become(const struct config_id *user, bool keeps_chown,
                                 struct text *error);
