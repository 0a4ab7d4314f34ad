/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include "archive_file_internal.h"
#include "support/random.h"
#include "support/temp_folder.h"

static char path[64];
static struct archive_settings settings;
static struct archive_counters counters;
static struct archive_folder folder;
static struct archive_file file;
static struct temp_folder_list list;

static int set_up(void **state)
{
    (void)state;
    strcpy(path, "/tmp/dnstap_exporter-test-archive-XXXXXX");
    if (mkdtemp(path) == NULL) {
        return -1;
    }
    settings = (struct archive_settings){
        .folder = path, .max_bytes = (uint64_t)64 << 20, .max_age_ns = 3600 * NS_PER_SECOND};
    memset(&counters, 0, sizeof counters);
    archive_folder_init(&folder, &settings, &counters);
    return archive_folder_open(&folder) < 0 ? -1 : archive_file_init(&file, &folder);
}

static int tear_down(void **state)
{
    (void)state;
    archive_file_deinit(&file);
    archive_folder_close(&folder);
    temp_folder_remove(path);
    return 0;
}

/* --- Frames: what is in one follows from its number --- */

static size_t frame_len(uint32_t number)
{
    return number % 5 == 0 ? 0x4000 : 40 + number * 37 % 300;
}

static uint8_t frame_byte(uint32_t number, size_t at)
{
    return (uint8_t)((number * 31 + (uint32_t)at) * 2654435761U >> 24); /* packs badly */
}

static void append(uint32_t number)
{
    static uint8_t bytes[4 + 0x4000];
    size_t len = frame_len(number);

    bytes[0] = bytes[1] = 0;
    bytes[2] = (uint8_t)(len >> 8);
    bytes[3] = (uint8_t)len;
    for (size_t i = 0; i < len; i++) {
        bytes[4 + i] = frame_byte(number, i);
    }
    assert_int_equal(archive_file_append(&file, (struct bytes){bytes, 4 + len}), 0);
}

/* --- Reading, by libzstd and by hand --- */

struct content {
    uint32_t frames; /* whole ones, in order from 0 */
    bool has_stop;   /* and nothing behind it */
    bool has_end;    /* of the zstd frame, with a checksum that is right */
};

static size_t read_file(const char *name, uint8_t **out)
{
    char place[256];
    struct stat found;

    (void)snprintf(place, sizeof place, "%s/%s", path, name);
    FILE *stream = fopen(place, "r");
    assert_non_null(stream);
    assert_int_equal(fstat(fileno(stream), &found), 0);
    size_t len = (size_t)found.st_size;
    *out = malloc(len + 1);
    assert_non_null(*out);
    assert_int_equal(fread(*out, 1, len, stream), len);
    assert_int_equal(fclose(stream), 0);
    return len;
}

/* Fails where the bytes are damaged; that they end early is no damage. */
static struct content read_content(const uint8_t *packed, size_t packed_len)
{
    static const uint8_t start[] =
        "\0\0\0\0\0\0\0\x22\0\0\0\2\0\0\0\1\0\0\0\x16protobuf:dnstap.Dnstap";
    static const uint8_t stop[] = "\0\0\0\0\0\0\0\4\0\0\0\3";
    const size_t start_len = sizeof start - 1, stop_len = sizeof stop - 1;
    const size_t room = (size_t)8 << 20;
    uint8_t *plain = malloc(room);
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer from = {packed, packed_len, 0};
    ZSTD_outBuffer to = {plain, room, 0};
    struct content content = {0};
    size_t result = 1;

    assert_non_null(plain);
    while (from.pos < from.size) {
        result = ZSTD_decompressStream(context, &to, &from);
        assert_false(ZSTD_isError(result));
    }
    content.has_end = result == 0;
    assert_memory_equal(plain, start, to.pos < start_len ? to.pos : start_len);
    size_t at = start_len;
    while (at + 4 <= to.pos) {
        size_t len = (size_t)plain[at + 2] << 8 | plain[at + 3];
        if (len == 0) {
            content.has_stop = at + stop_len == to.pos;
            assert_memory_equal(plain + at, stop, to.pos - at < stop_len ? to.pos - at : stop_len);
            break;
        }
        if (at + 4 + len > to.pos) {
            break;
        }
        assert_int_equal(len, frame_len(content.frames));
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(plain[at + 4 + i], frame_byte(content.frames, i));
        }
        content.frames++;
        at += 4 + len;
    }
    (void)ZSTD_freeDCtx(context);
    free(plain);
    return content;
}

static struct content read_only_file(void)
{
    uint8_t *packed;

    temp_folder_read(path, &list);
    assert_int_equal(list.count, 1);
    size_t len = read_file(list.names[0], &packed);
    struct content content = read_content(packed, len);
    free(packed);
    return content;
}

/* --- Tests --- */

/* At every flush, all frames so far can be read, and those behind the flush need not. */
static void test_flush(void **state)
{
    (void)state;
    assert_false(archive_file_is_open(&file));
    assert_int_equal(archive_file_begin(&file), 0);
    assert_true(archive_file_is_open(&file));
    uint32_t number = 0;
    for (unsigned flushes = 1; flushes <= 40; flushes++) {
        while (number < flushes * 23) {
            append(number++);
        }
        assert_int_equal(archive_file_flush(&file), 0);
        assert_int_equal(read_only_file().frames, number);
        temp_folder_read(path, &list);
        assert_int_equal(strlen(list.names[0]), ARCHIVE_BASE_LEN + 5);
    }
    append(number++);
    assert_in_range(read_only_file().frames, number - 1, number);
    assert_int_equal(archive_file_finish(&file), 0);
    static const uint8_t index[] = "the index";
    assert_int_equal(archive_file_write_index(&file, (struct bytes){index, sizeof index}), 0);
    assert_int_equal(archive_file_publish(&file), 0);
    assert_false(archive_file_is_open(&file));

    temp_folder_read(path, &list);
    assert_int_equal(list.count, 2);
    assert_int_equal(strlen(list.names[0]), ARCHIVE_BASE_LEN);
    assert_string_equal(list.names[1] + ARCHIVE_BASE_LEN, ".index");
    uint8_t *bytes;
    size_t len = read_file(list.names[0], &bytes);
    struct content content = read_content(bytes, len);
    assert_int_equal(content.frames, number);
    assert_true(content.has_stop && content.has_end);
    assert_int_equal(counters.bytes_written, len + sizeof index);
    assert_int_equal(counters.size_bytes, len + sizeof index);
    free(bytes);
    assert_int_equal(read_file(list.names[1], &bytes), sizeof index);
    assert_memory_equal(bytes, index, sizeof index);
    free(bytes);
}

/* However the file is cut, what is there can be read, as far as it goes. */
static void test_cuts(void **state)
{
    uint8_t *packed;
    uint32_t frames = 0;

    (void)state;
    assert_int_equal(archive_file_begin(&file), 0);
    for (uint32_t number = 0; number < 26; number++) {
        append(number);
        if (number % 5 == 4) {
            assert_int_equal(archive_file_flush(&file), 0);
        }
    }
    assert_int_equal(archive_file_finish(&file), 0);
    assert_int_equal(archive_file_publish(&file), 0);
    temp_folder_read(path, &list);
    size_t len = read_file(list.names[0], &packed);
    for (size_t cut = 0; cut <= len; cut += len - cut > 2000 ? 37 : 1) { /* not each one: time */
        struct content content = read_content(packed, cut);
        assert_true(content.frames >= frames);
        assert_int_equal(content.has_end, cut == len);
        frames = content.frames;
    }
    assert_int_equal(frames, 26);
    free(packed);
}

/* A file that is given up has what was flushed, and nothing else; without any frame it is gone. */
static void test_abandon(void **state)
{
    (void)state;
    assert_int_equal(archive_file_begin(&file), 0);
    assert_int_equal(archive_file_flush(&file), 0);
    append(0);
    archive_file_abandon(&file);
    temp_folder_read(path, &list);
    assert_int_equal(list.count, 0);
    assert_int_equal(counters.files, 0);

    assert_int_equal(archive_file_begin(&file), 0);
    for (uint32_t number = 0; number < 2000; number++) {
        append(number);
        if (number == 99) {
            assert_int_equal(archive_file_flush(&file), 0);
        }
    }
    assert_true(file.written > file.flushed);
    archive_file_abandon(&file);
    assert_false(archive_file_is_open(&file));
    assert_int_equal(read_only_file().frames, 100);
    assert_int_equal(counters.files, 1);
}

/* Writing fails in the middle of a write, at a limit that the kernel keeps. */
static void test_failing_writes(void **state)
{
    struct rlimit before, limit;
    uint64_t seed = 1;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(archive_file_begin(&file), 0);
    uint32_t number = 0;
    for (; number < 50; number++) {
        append(number);
    }
    assert_int_equal(archive_file_flush(&file), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)file.flushed + 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    static uint8_t noise[8004];
    int result = 0;
    for (unsigned i = 0; i < 1000 && result == 0; i++) {
        for (size_t at = 4; at < sizeof noise; at++) {
            noise[at] = (uint8_t)random_next(&seed);
        }
        noise[2] = 8000 >> 8;
        noise[3] = 8000 & 0xff;
        result = archive_file_append(&file, (struct bytes){noise, sizeof noise});
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -EFBIG);
    archive_file_abandon(&file);
    assert_int_equal(read_only_file().frames, 50);
}

/* Who removes the file is told at the next flush. */
static void test_removed_file(void **state)
{
    char place[256];

    (void)state;
    assert_int_equal(archive_file_begin(&file), 0);
    append(0);
    assert_int_equal(archive_file_flush(&file), 0);
    temp_folder_read(path, &list);
    (void)snprintf(place, sizeof place, "%s/%s", path, list.names[0]);
    assert_int_equal(unlink(place), 0);
    append(1);
    assert_int_equal(archive_file_flush(&file), -ENOENT);
    archive_file_abandon(&file);
    temp_folder_read(path, &list);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cuts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_abandon, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failing_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removed_file, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
