/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/zstd_packer.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#define LEVEL      1
#define WINDOW_LOG 19 /* 512 KiB: that of level 1; readers need as much */

/* Measured with libzstd 1.5.4 and ZSTD_sizeof_CCtx(); tests/unit/test_zstd_packer.c compares. */
#define PACKER_SIZE ((size_t)1536 * 1024)

const bool zstd_packer_is_available = true;

/* A struct zstd_packer is libzstd's context. */
static ZSTD_CCtx *context_of(struct zstd_packer *packer)
{
    return (ZSTD_CCtx *)packer;
}

size_t zstd_packer_memory(void)
{
    return PACKER_SIZE;
}

static bool zstd_packer_configure(ZSTD_CCtx *context)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, WINDOW_LOG)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1));
}

/* Libzstd takes its memory when it gets the first byte. */
static bool take_memory(struct zstd_packer *packer)
{
    uint8_t out[64];
    ZSTD_inBuffer from = {"", 1, 0};
    ZSTD_outBuffer to = {out, sizeof out, 0};

    return !ZSTD_isError(ZSTD_compressStream2(context_of(packer), &to, &from, ZSTD_e_continue));
}

int zstd_packer_create(struct zstd_packer **out)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    struct zstd_packer *packer = (struct zstd_packer *)context;

    if (context == NULL || !zstd_packer_configure(context) || !take_memory(packer)) {
        (void)ZSTD_freeCCtx(context);
        return -ENOMEM;
    }
    zstd_packer_begin(packer);
    *out = packer;
    return 0;
}

void zstd_packer_free(struct zstd_packer *packer)
{
    (void)ZSTD_freeCCtx((ZSTD_CCtx *)packer);
}

void zstd_packer_begin(struct zstd_packer *packer)
{
    (void)ZSTD_CCtx_reset(context_of(packer), ZSTD_reset_session_only);
}

bool zstd_packer_pack(struct zstd_packer *packer, enum zstd_packer_step step, struct bytes *input,
                      uint8_t *out, size_t out_size, size_t *out_len)
{
    static const ZSTD_EndDirective directives[] = {
        [ZSTD_PACKER_GO_ON] = ZSTD_e_continue,
        [ZSTD_PACKER_FLUSH] = ZSTD_e_flush,
        [ZSTD_PACKER_END] = ZSTD_e_end,
    };
    ZSTD_inBuffer from = {input->data, input->len, 0};
    ZSTD_outBuffer to = {out, out_size, *out_len};
    size_t left = ZSTD_compressStream2(context_of(packer), &to, &from, directives[step]);

    if (ZSTD_isError(left)) { /* there is memory, and the steps are in order */
        abort();
    }
    input->data += from.pos;
    input->len -= from.pos;
    *out_len = to.pos;
    return step == ZSTD_PACKER_GO_ON ? input->len == 0 : left == 0;
}
