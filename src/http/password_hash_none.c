/* SPDX-License-Identifier: Apache-2.0 */
#include "password_hash_internal.h"

const bool password_hash_is_available = false;

bool password_hash_verify(const char *password, const char *hash)
{
    (void)password;
    (void)hash;
    return false;
}
