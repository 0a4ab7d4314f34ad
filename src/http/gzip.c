/* SPDX-License-Identifier: Apache-2.0 */
#include "gzip_internal.h"

#include <errno.h>
#include <zlib.h>

/* Pages are made for each scrape, and repeat themselves so much that the quickest level does. */
#define LEVEL            Z_BEST_SPEED
#define WINDOW_BITS_GZIP (15 + 16) /* 16: gzip's header and checksum, not zlib's */
#define MEMORY_LEVEL     8         /* zlib's default */

#define CHUNK            16384 /* bytes; chosen */

int gzip_pack(const struct text *plain, struct text *packed)
{
    Bytef chunk[CHUNK];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)plain->data, .avail_in = (uInt)plain->len};
    int result;

    text_clear(packed);
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS_GZIP, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return -ENOMEM;
    }
    do {
        stream.next_out = chunk;
        stream.avail_out = sizeof chunk;
        result = deflate(&stream, Z_FINISH);
        text_append_bytes(packed, (struct bytes){chunk, sizeof chunk - stream.avail_out});
    } while (result == Z_OK);
    (void)deflateEnd(&stream);
    return packed->failed ? -ENOMEM : 0;
}
