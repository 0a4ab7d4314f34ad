/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * password_hash_internal.h - bcrypt
 *
 * password_hash.c is the one with libxcrypt, password_hash_none.c the one of builds without it,
 * which refuse a configuration that has users.
 */

#include <stdbool.h>

#include "base/attr.h"

/** Whether this build has bcrypt. */
extern const bool password_hash_is_available;

/** Whether `hash` is that of the password. One thread at a time. */
NONNULL bool password_hash_verify(const char *password, const char *hash);
