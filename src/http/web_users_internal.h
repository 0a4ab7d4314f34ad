/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_users_internal.h - users and their passwords, as bcrypt hashes
 *
 * Bcrypt is slow on purpose. A password that has been verified is known again by keyed hashes
 * (SipHash, base/hash.h) that nobody outside sees.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "config/config_row.h"

struct web_users; /* opaque: src/http/web_users.c */

/** Take the users, "NAME:HASH", which outlive *out. On success the caller frees *out. Returns 0, or
 *  a negative errno and what is wrong in *error. */
NONNULL MUST_USE int web_users_create(struct web_users **out, const struct config_strings *users,
                                      struct text *error);

/** NULL is fine. */
void web_users_free(struct web_users *users);

/** Whether this password has been verified for this user before; takes no time. Any thread. */
NONNULL bool web_users_is_verified(struct web_users *users, const char *name, const char *password);

/** Whether this is the user's password. Takes as long for a user that does not exist, some 50 ms of
 *  CPU at bcrypt's cost of 10. One thread at a time. */
NONNULL bool web_users_verify(struct web_users *users, const char *name, const char *password);

/** Know again the passwords that `from` does, of the users that are still the same; before the
 *  first request. */
NONNULL void web_users_inherit(struct web_users *users, struct web_users *from);
