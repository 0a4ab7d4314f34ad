/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ingest/file_reader.h"
#include "support/temp_file.h"

#define MAX_FRAME 600

#define START                                                                                      \
    "\0\0\0\0\0\0\0\42\0\0\0\2\0\0\0\1\0\0\0\26"                                                   \
    "protobuf:dnstap.Dnstap"
#define START_OTHER                                                                                \
    "\0\0\0\0\0\0\0\17\0\0\0\2\0\0\0\1\0\0\0\3"                                                    \
    "abc"
#define STOP    "\0\0\0\0\0\0\0\4\0\0\0\3"
#define QUERY   "\0\0\0\6\x72\2\x08\5\x78\1" /* a CLIENT_QUERY without anything: 10 bytes */
#define GARBAGE "\0\0\0\2\xff\xff"
/* START is 42 bytes. */

static struct label_limits limits = {.servers = 2,
                                     .series = 4,
                                     .qtypes = 2,
                                     .expiry_ns = 3600 * NS_PER_SECOND,
                                     .matching_capacity = 64,
                                     .matching_timeout_ns = 10 * NS_PER_SECOND};
static char path[] = "/tmp/dnstap_exporter-test-reader-XXXXXX";
static struct label_sets labels;
static struct shard *shard;
static struct shard_sum sum;
static struct text damage;
static bool is_dnstap;

static int set_up(void **state)
{
    (void)state;
    damage = (struct text){0};
    return label_sets_init(&labels, &limits) < 0 ||
                   shard_create(&shard, &labels, &limits, 2, SHARD_TIME_FRAMES) < 0 ||
                   shard_sum_init(&sum, &limits, 2) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_deinit(&damage);
    shard_sum_deinit(&sum);
    shard_free(shard);
    label_sets_deinit(&labels);
    return 0;
}

static int read_path(const char *name)
{
    const struct file_reader_target target = {
        .shard = shard, .input = 1, .server_name = "file", .max_frame_size = MAX_FRAME};

    return file_reader_run(name, &target, &is_dnstap, &damage);
}

static int read_bytes(const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    text_clear(&damage);
    return read_path(path);
}

static const struct input_counters *input(void)
{
    shard_add_to(shard, &sum);
    return &sum.counters.inputs[1];
}

static uint64_t rejected(void)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < REJECT_REASON_COUNT; i++) {
        count += input()->rejected[i];
    }
    return count;
}

#define FILE_OF(literal) literal, sizeof(literal) - 1

static void test_files(void **state)
{
    static const struct {
        const char *what, *bytes;
        size_t len;
        uint64_t frames, rejected;
        const char *damage; /* behind the path; NULL: none */
    } cases[] = {
        {"sound", FILE_OF(START QUERY QUERY STOP), 2, 0, NULL},
        {"sound and empty", FILE_OF(START STOP), 0, 0, NULL},
        {"joined", FILE_OF(START QUERY STOP START QUERY STOP), 2, 0, NULL},
        {"nothing", FILE_OF(""), 0, 0, "offset 0: the file is empty"},
        {"no START", FILE_OF(QUERY STOP), 0, 0,
         "offset 0: no Frame Streams START before this: not a dnstap file"},
        {"text", FILE_OF("dnstap is not text"), 0, 0,
         "offset 0: no Frame Streams START before this: not a dnstap file"},
        {"data between two files", FILE_OF(START QUERY STOP QUERY), 1, 0,
         "offset 64: no Frame Streams START before this: not a dnstap file"},
        {"no STOP", FILE_OF(START QUERY), 1, 0, "offset 52: the file ends without STOP"},
        {"ends in a length", FILE_OF(START QUERY "\0\0"), 1, 0,
         "offset 52: the file ends within this frame"},
        {"ends in a frame", FILE_OF(START QUERY "\0\0\0\6\x72"), 1, 0,
         "offset 52: the file ends within this frame"},
        {"ends in an oversize frame", FILE_OF(START QUERY "\0\0\2\131zz"), 2, 1,
         "offset 52: the file ends within this frame"},
        {"a control frame of no length", FILE_OF(START QUERY "\0\0\0\0\0\0\0\0"), 1, 0,
         "offset 52: a control frame of impossible length"},
        {"START twice", FILE_OF(START QUERY START), 1, 0, "offset 94: the file ends without STOP"},
        {"ACCEPT", FILE_OF(START QUERY "\0\0\0\0\0\0\0\4\0\0\0\1"), 1, 0,
         "offset 52: a control frame that is broken or out of place"},
        {"other contents", FILE_OF(START_OTHER), 0, 0,
         "offset 0: the content type is not protobuf:dnstap.Dnstap"},
        {"frames that cannot be used", FILE_OF(START QUERY GARBAGE QUERY GARBAGE STOP), 4, 2,
         "offset 52: a frame that is no usable dnstap (2 of 4)"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].what);
        assert_int_equal(set_up(state), 0);
        int result = read_bytes(cases[i].bytes, cases[i].len);
        assert_int_equal(input()->frames, cases[i].frames);
        assert_int_equal(rejected(), cases[i].rejected);
        if (cases[i].damage == NULL) {
            assert_int_equal(result, 0);
            assert_int_equal(damage.len, 0);
        } else {
            assert_int_equal(result, -EBADMSG);
            assert_memory_equal(damage.data, path, strlen(path));
            assert_string_equal(damage.data + strlen(path) + 2, cases[i].damage);
        }
        (void)tear_down(state);
    }
}

static void test_truncated_at_every_length(void **state)
{
    static const char whole[] = START QUERY QUERY GARBAGE STOP;

    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        assert_int_equal(set_up(state), 0);
        assert_int_equal(read_bytes(whole, cut), -EBADMSG);
        assert_non_null(strstr(damage.data, "offset "));
        assert_int_equal(input()->frames, (cut >= 52) + (cut >= 62) + (cut >= 68));
        (void)tear_down(state);
    }
}

/* More than one read's worth, frames across every boundary. */
static void test_a_large_file(void **state)
{
    const size_t count = 300000;
    size_t len = 0;
    char *bytes = malloc(sizeof START + count * (sizeof QUERY - 1) + sizeof STOP);

    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, START, sizeof START - 1);
    len += sizeof START - 1;
    for (size_t i = 0; i < count; i++, len += sizeof QUERY - 1) {
        memcpy(bytes + len, QUERY, sizeof QUERY - 1);
    }
    memcpy(bytes + len, STOP, sizeof STOP - 1);
    len += sizeof STOP - 1;
    assert_int_equal(read_bytes(bytes, len), 0);
    assert_int_equal(input()->frames, count);
    assert_int_equal(input()->frame_bytes, 6 * count);
    free(bytes);
}

/* Frames without an identity are of the server that the caller names, in whatever file. */
static void test_server_name(void **state)
{
    struct server_info infos[3] = {0};

    (void)state;
    assert_int_equal(read_bytes(FILE_OF(START QUERY STOP)), 0);
    assert_int_equal(read_bytes(FILE_OF(START QUERY QUERY STOP)), 0);
    server_set_read(labels.servers, infos);
    assert_string_equal(infos[1].label, "file");
    assert_int_equal(infos[2].generation, 0);
    assert_int_equal(input()->frames, 3);
}

/* Whether it is a dnstap file at all, whatever else is wrong with it. */
static void test_is_dnstap(void **state)
{
    (void)state;
    assert_int_equal(read_bytes(FILE_OF(START STOP)), 0);
    assert_true(is_dnstap);
    assert_int_equal(read_bytes(FILE_OF(START "\0\0")), -EBADMSG);
    assert_true(is_dnstap);
    assert_int_equal(read_bytes(FILE_OF(START_OTHER QUERY STOP)), -EBADMSG);
    assert_false(is_dnstap);
    assert_int_equal(read_bytes(FILE_OF("# a text\n")), -EBADMSG);
    assert_false(is_dnstap);
}

/* `cat a b`, where a has no STOP: the frames of both count, and the place is told. */
static void test_joined_without_stop(void **state)
{
    (void)state;
    assert_int_equal(read_bytes(FILE_OF(START QUERY START QUERY QUERY STOP)), -EBADMSG);
    assert_int_equal(input()->frames, 3);
    assert_non_null(strstr(damage.data, ": offset 52: a recording ends here without STOP"));
    assert_int_equal(read_bytes(FILE_OF(START QUERY STOP START QUERY STOP)), 0);
    assert_int_equal(input()->frames, 5);
}

static void test_no_file(void **state)
{
    (void)state;
    assert_int_equal(read_path("/nonexistent/x"), -ENOENT);
    assert_string_equal(damage.data, "/nonexistent/x: No such file or directory");
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

#define WITH_SHARD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),  cmocka_unit_test(test_truncated_at_every_length),
        WITH_SHARD(test_a_large_file), WITH_SHARD(test_server_name),
        WITH_SHARD(test_is_dnstap),    WITH_SHARD(test_joined_without_stop),
        WITH_SHARD(test_no_file),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
