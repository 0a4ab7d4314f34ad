/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "stream/zstd_packer.h"
#include "support/random.h"

#define SIZE ((size_t)1 << 20)

static uint8_t plain[SIZE], packed[2 * SIZE], unpacked[2 * SIZE];

/* Half of it packs well, half not at all. */
static void make_plain(void)
{
    uint64_t seed = 1;

    for (size_t i = 0; i < SIZE; i++) {
        plain[i] = (uint8_t)(i / 1000 % 2 ? random_next(&seed) : i % 7);
    }
}

/* What libzstd itself makes of so many bytes; a frame need not have ended. */
static size_t unpack(size_t packed_len)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer from = {packed, packed_len, 0};
    ZSTD_outBuffer to = {unpacked, sizeof unpacked, 0};
    size_t result = 1;

    assert_non_null(context);
    while (from.pos < from.size) {
        result = ZSTD_decompressStream(context, &to, &from);
        assert_false(ZSTD_isError(result));
    }
    (void)ZSTD_freeDCtx(context);
    return to.pos;
}

/* Pack through an output of `room` bytes, which is emptied whenever it is full. */
static void pack(struct zstd_packer *packer, enum zstd_packer_step step, struct bytes input,
                 size_t room, size_t *packed_len)
{
    size_t len = 0;
    bool done;

    do {
        done = zstd_packer_pack(packer, step, &input, packed + *packed_len, room, &len);
        assert_true(done || len == room);
        *packed_len += len;
        len = 0;
    } while (!done);
    assert_int_equal(input.len, 0);
}

/* Everything up to a flush can be unpacked, whatever comes behind it, in outputs of any size. */
static void test_flush(void **state)
{
    static const size_t rooms[] = {100, 4096, 131072, SIZE};
    struct zstd_packer *packer;

    (void)state;
    make_plain();
    assert_int_equal(zstd_packer_create(&packer), 0);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        size_t packed_len = 0;
        zstd_packer_begin(packer);
        for (size_t at = 0; at < SIZE; at += SIZE / 8) {
            pack(packer, ZSTD_PACKER_GO_ON, (struct bytes){plain + at, SIZE / 8}, rooms[i],
                 &packed_len);
            pack(packer, ZSTD_PACKER_FLUSH, (struct bytes){0}, rooms[i], &packed_len);
            assert_int_equal(unpack(packed_len), at + SIZE / 8);
        }
        pack(packer, ZSTD_PACKER_END, (struct bytes){plain, 5}, rooms[i], &packed_len);
        assert_int_equal(unpack(packed_len), SIZE + 5);
        assert_memory_equal(unpacked, plain, SIZE);
        assert_memory_equal(unpacked + SIZE, plain, 5);
    }
    zstd_packer_free(packer);
}

/* A frame that is given up leaves nothing in the next one. */
static void test_begin_again(void **state)
{
    struct zstd_packer *packer;
    size_t packed_len = 0;

    (void)state;
    make_plain();
    assert_int_equal(zstd_packer_create(&packer), 0);
    pack(packer, ZSTD_PACKER_GO_ON, (struct bytes){plain, 300000}, SIZE, &packed_len);
    packed_len = 0;
    zstd_packer_begin(packer);
    pack(packer, ZSTD_PACKER_END, (struct bytes){plain + 1, 1000}, SIZE, &packed_len);
    assert_int_equal(unpack(packed_len), 1000);
    assert_memory_equal(unpacked, plain + 1, 1000);
    zstd_packer_free(packer);
}

/* The memory is taken at the start, and is no more than what is said. */
static void test_memory(void **state)
{
    struct zstd_packer *packer;
    size_t packed_len = 0;

    (void)state;
    assert_int_equal(zstd_packer_create(&packer), 0);
    const ZSTD_CCtx *context = (const ZSTD_CCtx *)packer;
    size_t taken = ZSTD_sizeof_CCtx(context);
    print_message("  %zu bytes\n", taken);
    assert_in_range(taken, zstd_packer_memory() / 2, zstd_packer_memory());
    for (unsigned i = 0; i < 200; i++) {
        packed_len = 0;
        pack(packer, ZSTD_PACKER_GO_ON, (struct bytes){plain, i % 2 == 0 ? SIZE : 10}, SIZE,
             &packed_len);
        pack(packer, ZSTD_PACKER_END, (struct bytes){0}, SIZE, &packed_len);
        zstd_packer_begin(packer);
    }
    assert_int_equal(ZSTD_sizeof_CCtx(context), taken);
    zstd_packer_free(packer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_begin_again),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
