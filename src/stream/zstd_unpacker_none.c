/* SPDX-License-Identifier: Apache-2.0 */
#include "zstd_unpacker_internal.h"

int zstd_unpacker_create(struct zstd_unpacker **out)
{
    *out = NULL;
    return 0;
}

void zstd_unpacker_free(struct zstd_unpacker *unpacker)
{
    (void)unpacker;
}

size_t zstd_unpacker_next(struct zstd_unpacker *unpacker, const uint8_t *packed, size_t *packed_len,
                          uint8_t *out, size_t out_size, bool *in_frame, const char **damage)
{
    (void)unpacker;
    (void)packed;
    (void)out;
    (void)out_size;
    *packed_len = 0;
    *in_frame = true;
    *damage = "this build has no libzstd";
    return 0;
}
