/* SPDX-License-Identifier: Apache-2.0 */
#include "zstd_unpacker_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#define FRAME_START 5 /* bytes that tell how long a frame's header is */

struct zstd_unpacker {
    ZSTD_DStream *stream;
    size_t wants; /* within a frame: bytes to give it next */
};

int zstd_unpacker_create(struct zstd_unpacker **out)
{
    struct zstd_unpacker *unpacker = calloc(1, sizeof *unpacker);

    if (unpacker == NULL) {
        return -ENOMEM;
    }
    unpacker->stream = ZSTD_createDStream();
    if (unpacker->stream == NULL) {
        free(unpacker);
        return -ENOMEM;
    }
    *out = unpacker;
    return 0;
}

void zstd_unpacker_free(struct zstd_unpacker *unpacker)
{
    if (unpacker != NULL) {
        (void)ZSTD_freeDStream(unpacker->stream);
        free(unpacker);
    }
}

/* Libzstd tells nothing of what it made in a call that fails, so it gets one block at a time, as it
 * asks. */
size_t zstd_unpacker_next(struct zstd_unpacker *unpacker, const uint8_t *packed, size_t *packed_len,
                          uint8_t *out, size_t out_size, bool *in_frame, const char **damage)
{
    size_t wanted = *in_frame ? unpacker->wants : FRAME_START;
    ZSTD_inBuffer from = {packed, *packed_len < wanted ? *packed_len : wanted, 0};
    ZSTD_outBuffer to = {out, out_size, 0};
    size_t result = ZSTD_decompressStream(unpacker->stream, &to, &from);

    if (ZSTD_isError(result)) {
        *damage = ZSTD_getErrorName(result);
    }
    *packed_len = from.pos;
    *in_frame = result != 0;
    unpacker->wants = result;
    return to.pos;
}
