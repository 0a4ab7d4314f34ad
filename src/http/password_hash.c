/* SPDX-License-Identifier: Apache-2.0 */
#include "password_hash_internal.h"

#include <crypt.h>
#include <string.h>

const bool password_hash_is_available = true;

/* In the same time, wherever they differ. */
static bool is_same(const char *a, const char *b, size_t len)
{
    unsigned char difference = 0;

    for (size_t i = 0; i < len; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]);
    }
    return difference == 0;
}

bool password_hash_verify(const char *password, const char *hash)
{
    static struct crypt_data data; /* 32 KiB, of the one thread */
    const char *made = crypt_rn(password, hash, &data, sizeof data);

    return made != NULL && strlen(made) == strlen(hash) && is_same(made, hash, strlen(hash));
}
