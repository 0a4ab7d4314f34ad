/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "stream/byte_source.h"
#include "support/temp_file.h"

static char path[] = "/tmp/dnstap_exporter-test-source-XXXXXX";

/* --- Files
 * ---------------------------------------------------------------------------------------- */

struct content {
    uint8_t *data;
    size_t len;
};

/* Half of it packs well, half not at all. */
static struct content sample(size_t len)
{
    struct content content = {malloc(len + 1), len};
    uint32_t random = 1;

    assert_non_null(content.data);
    for (size_t i = 0; i < len; i++) {
        random = random * 1664525u + 1013904223u;
        content.data[i] = (uint8_t)(i / 1000 % 2 ? random >> 24 : i % 7);
    }
    return content;
}

static void append(struct content *to, struct content more)
{
    to->data = realloc(to->data, to->len + more.len + 1);
    assert_non_null(to->data);
    memcpy(to->data + to->len, more.data, more.len);
    to->len += more.len;
    free(more.data);
}

static struct content gzip(struct content plain)
{
    z_stream z = {.next_in = plain.data, .avail_in = (uInt)plain.len};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    struct content packed = {malloc(deflateBound(&z, plain.len)), 0};
    assert_non_null(packed.data);
    z.next_out = packed.data;
    z.avail_out = (uInt)deflateBound(&z, plain.len);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed.len = z.total_out;
    (void)deflateEnd(&z);
    return packed;
}

static struct content zstd(struct content plain)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t room = ZSTD_compressBound(plain.len);
    struct content packed = {malloc(room), 0};

    assert_non_null(context);
    assert_non_null(packed.data);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    packed.len = ZSTD_compress2(context, packed.data, room, plain.data, plain.len);
    assert_false(ZSTD_isError(packed.len));
    (void)ZSTD_freeCCtx(context);
    return packed;
}

static struct content as_is(struct content plain)
{
    struct content copy = {malloc(plain.len + 1), plain.len};

    assert_non_null(copy.data);
    memcpy(copy.data, plain.data, plain.len);
    return copy;
}

typedef struct content (*packer)(struct content);

static const packer packers[] = {as_is, gzip, zstd};

#define PACKERS (sizeof packers / sizeof packers[0])

static void write_file(const uint8_t *data, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* --- Reading
 * -------------------------------------------------------------------------------------- */

struct outcome {
    struct content got;
    ssize_t result; /* of the last read: 0 or an error */
    struct text error;
};

static void outcome_free(struct outcome *outcome)
{
    free(outcome->got.data);
    text_deinit(&outcome->error);
}

static struct outcome read_all(const char *from, size_t piece)
{
    struct outcome outcome = {.result = 0};
    struct byte_source *source;
    size_t room = 0;

    outcome.result = byte_source_open(&source, from, &outcome.error);
    if (outcome.result < 0) {
        return outcome;
    }
    do {
        if (room - outcome.got.len < piece) {
            room = 2 * room + piece;
            outcome.got.data = realloc(outcome.got.data, room);
            assert_non_null(outcome.got.data);
        }
        outcome.result = byte_source_read(source, outcome.got.data + outcome.got.len, piece,
                                          &outcome.error);
        outcome.got.len += outcome.result > 0 ? (size_t)outcome.result : 0;
    } while (outcome.result > 0);
    byte_source_free(source);
    return outcome;
}

static void is_sound(struct outcome *outcome, struct content expected)
{
    if (outcome->result != 0) {
        fail_msg("%s", outcome->error.data);
    }
    assert_int_equal(outcome->got.len, expected.len);
    if (expected.len > 0) {
        assert_memory_equal(outcome->got.data, expected.data, expected.len);
    }
    outcome_free(outcome);
}

static void test_whole_files(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 1000, 65536, 262144, 1000000};
    static const size_t pieces[] = {1, 7, 4096, 262144};

    (void)state;
    for (size_t p = 0; p < PACKERS; p++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct content plain = sample(sizes[s]);
            struct content packed = packers[p](plain);
            write_file(packed.data, packed.len);
            for (size_t i = sizes[s] > 70000; i < sizeof pieces / sizeof pieces[0]; i++) {
                struct outcome outcome = read_all(path, pieces[i]);
                is_sound(&outcome, plain);
            }
            free(packed.data);
            free(plain.data);
        }
    }
}

/* The output's end may fall together with the end of a read. */
static void test_pieces_that_fit_exactly(void **state)
{
    (void)state;
    for (size_t p = 0; p < PACKERS; p++) {
        struct content plain = sample(3000);
        struct content packed = packers[p](plain);
        write_file(packed.data, packed.len);
        for (size_t piece = 1; piece <= 3001; piece += piece < 40 ? 1 : 37) {
            struct outcome outcome = read_all(path, piece);
            is_sound(&outcome, plain);
        }
        for (size_t piece = 2990; piece <= 3010; piece++) {
            struct outcome outcome = read_all(path, piece);
            is_sound(&outcome, plain);
        }
        free(packed.data);
        free(plain.data);
    }
}

/* gzip members and zstd frames that follow each other, an empty one among them. */
static void test_several_parts(void **state)
{
    (void)state;
    for (size_t p = 1; p < PACKERS; p++) {
        struct content plain = sample(5000);
        struct content packed = packers[p](plain);
        append(&packed, packers[p]((struct content){plain.data, 0}));
        append(&packed, packers[p]((struct content){plain.data, 3}));
        struct content tail = as_is((struct content){plain.data, 3});
        append(&plain, tail);
        write_file(packed.data, packed.len);
        for (size_t piece = 1; piece < 10000; piece = piece * 3 + 1) {
            struct outcome outcome = read_all(path, piece);
            is_sound(&outcome, plain);
        }
        free(packed.data);
        free(plain.data);
    }
}

/* --- Damage
 * --------------------------------------------------------------------------------------- */

/* What tapes and disks put behind, as gzip itself passes over. */
static void test_zeros_behind_gzip(void **state)
{
    struct content plain = sample(1000);
    struct content zeros = {calloc(1, 300000), 300000}; /* more than is read at once */
    struct content packed = gzip(plain);

    (void)state;
    assert_non_null(zeros.data);
    append(&packed, zeros);
    write_file(packed.data, packed.len);
    struct outcome outcome = read_all(path, 4096);
    is_sound(&outcome, plain);
    free(packed.data);
    free(plain.data);
}

/* What parallel compressors put first. */
static void test_skippable_frame_first(void **state)
{
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
    struct content plain = sample(1000);
    struct content packed = {NULL, 0};

    (void)state;
    packed.data = malloc(sizeof skippable);
    assert_non_null(packed.data);
    memcpy(packed.data, skippable, sizeof skippable);
    packed.len = sizeof skippable;
    append(&packed, zstd(plain));
    write_file(packed.data, packed.len);
    struct outcome outcome = read_all(path, 4096);
    is_sound(&outcome, plain);
    free(packed.data);
    free(plain.data);
}

static void test_truncated_at_every_length(void **state)
{
    static const size_t magic[PACKERS] = {0, 2, 4}; /* shorter ones cannot be recognised */

    (void)state;
    for (size_t p = 1; p < PACKERS; p++) {
        struct content plain = sample(1500);
        struct content packed = packers[p](plain);
        for (size_t cut = magic[p]; cut < packed.len; cut++) {
            write_file(packed.data, cut);
            struct outcome outcome = read_all(path, 4096);
            assert_int_equal(outcome.result, -ENODATA);
            assert_non_null(strstr(outcome.error.data, "at offset "));
            assert_true(outcome.got.len <= plain.len);
            if (outcome.got.len > 0) {
                assert_memory_equal(outcome.got.data, plain.data, outcome.got.len);
            }
            outcome_free(&outcome);
        }
        free(packed.data);
        free(plain.data);
    }
}

static void test_garbage_behind(void **state)
{
    (void)state;
    for (size_t p = 1; p < PACKERS; p++) {
        struct content plain = sample(1500);
        struct content packed = packers[p](plain);
        struct content garbage = {malloc(8), 8};
        assert_non_null(garbage.data);
        memset(garbage.data, 'g', 8);
        append(&packed, garbage);
        write_file(packed.data, packed.len);
        struct outcome outcome = read_all(path, 100000);
        assert_int_equal(outcome.result, -EBADMSG);
        assert_int_equal(outcome.got.len, plain.len); /* what was sound is there */
        outcome_free(&outcome);
        free(packed.data);
        free(plain.data);
    }
}

static size_t sound_bytes_before_damage(packer pack, size_t damaged)
{
    struct content plain = sample(200000);
    struct content packed = pack(plain);

    assert_true(damaged < packed.len);
    memset(packed.data + packed.len - damaged, 0xff, damaged);
    write_file(packed.data, packed.len);
    struct outcome outcome = read_all(path, 262144);
    assert_true(outcome.result < 0);
    size_t sound = 0;
    while (sound < plain.len && sound < outcome.got.len &&
           outcome.got.data[sound] == plain.data[sound]) {
        sound++;
    }
    outcome_free(&outcome);
    free(packed.data);
    free(plain.data);
    return sound;
}

/* Damage takes away what follows it, not what stands before it. */
static void test_what_is_sound_before_damage_in_gzip(void **state)
{
    (void)state;
    assert_true(sound_bytes_before_damage(gzip, 8) >= 199000); /* checksum and size */
    assert_true(sound_bytes_before_damage(gzip, 10000) >= 100000);
}

static void test_what_is_sound_before_damage_in_zstd(void **state)
{
    (void)state;
    /* What a block of 128 KiB holds is known to be sound at its end only. */
    assert_true(sound_bytes_before_damage(zstd, 4) >= 131072); /* the checksum */
    assert_true(sound_bytes_before_damage(zstd, 10000) >= 131072);
}

static void test_no_file(void **state)
{
    struct outcome outcome = read_all("/nonexistent/file", 10);

    (void)state;
    assert_int_equal(outcome.result, -ENOENT);
    assert_string_equal(outcome.error.data, "/nonexistent/file: No such file or directory");
    outcome_free(&outcome);
    outcome = read_all("/tmp", 10);
    assert_int_equal(outcome.result, -EISDIR);
    outcome_free(&outcome);
}

/* --- Pipes
 * ---------------------------------------------------------------------------------------- */

struct dripping {
    int fd;
    struct content content;
};

static void *drip(void *argument)
{
    const struct dripping *dripping = argument;

    for (size_t i = 0; i < dripping->content.len; i++) {
        if (write(dripping->fd, dripping->content.data + i, 1) != 1) {
            break;
        }
        if (i < 8) {
            (void)usleep(2000); /* so that the magic comes byte by byte */
        }
    }
    (void)close(dripping->fd);
    return NULL;
}

static void test_byte_by_byte_through_a_pipe(void **state)
{
    (void)state;
    for (size_t p = 0; p < PACKERS; p++) {
        struct content plain = sample(3000);
        struct dripping dripping = {.content = packers[p](plain)};
        pthread_t thread;
        char from[32];
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        dripping.fd = ends[1];
        (void)snprintf(from, sizeof from, "/dev/fd/%d", ends[0]);
        assert_int_equal(pthread_create(&thread, NULL, drip, &dripping), 0);
        struct outcome outcome = read_all(from, 512);
        (void)pthread_join(thread, NULL);
        (void)close(ends[0]);
        is_sound(&outcome, plain);
        free(dripping.content.data);
        free(plain.data);
    }
}

static void test_position(void **state)
{
    struct content plain = sample(100000);
    struct content packed = gzip(plain);
    struct byte_source *source;
    struct text error = {0};
    uint8_t buffer[1000];

    (void)state;
    write_file(packed.data, packed.len);
    assert_int_equal(byte_source_open(&source, path, &error), 0);
    assert_int_equal(byte_source_size(source), packed.len);
    while (byte_source_read(source, buffer, sizeof buffer, &error) > 0) {
        assert_in_range(byte_source_position(source), 1, packed.len);
    }
    assert_int_equal(byte_source_position(source), packed.len);
    byte_source_free(source);
    free(packed.data);
    free(plain.data);
}

static int make_file(void **state)
{
    (void)state;
    return temp_file_make(path);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_files),
        cmocka_unit_test(test_pieces_that_fit_exactly),
        cmocka_unit_test(test_several_parts),
        cmocka_unit_test(test_zeros_behind_gzip),
        cmocka_unit_test(test_skippable_frame_first),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_garbage_behind),
        cmocka_unit_test(test_what_is_sound_before_damage_in_gzip),
        cmocka_unit_test(test_what_is_sound_before_damage_in_zstd),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_byte_by_byte_through_a_pipe),
        cmocka_unit_test(test_position),
    };

    byte_source_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
