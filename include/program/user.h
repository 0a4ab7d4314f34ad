/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * user.h - a process that root has started becomes another user
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "config/config_row.h"

/** Whether this process may become `user`: root may, and others are who they are. Returns 0, or
 * -EPERM and what to do in *error. */
NONNULL MUST_USE int user_check(const struct config_id *user, struct text *error);

/** Become `user` with its groups, for good, after user_check(); nothing happens where that is "",
 * or this user already. Of the capabilities CAP_CHOWN stays, for the groups of sockets. For the
 * first thread, while it is the only one. Returns 0, or a negative errno and what went wrong in
 * *error. */
NONNULL MUST_USE int user_become(const struct config_id *user, struct text *error);
