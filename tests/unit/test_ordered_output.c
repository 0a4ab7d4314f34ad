/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that threads make in any order come out in theirs; standard output is a file here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program/ordered_output.h"
#include "support/temp_file.h"

#define THREADS 3
#define PIECES  3

static char path[] = "/tmp/ordered_output.XXXXXX";
static int saved = -1;

static void redirect_to(const char *name)
{
    int fd = open(name, O_WRONLY | O_TRUNC);

    (void)fflush(stdout);
    saved = dup(STDOUT_FILENO);
    if (fd < 0 || saved < 0 || dup2(fd, STDOUT_FILENO) < 0) {
        abort();
    }
    (void)close(fd);
}

static void restore(void)
{
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
}

static size_t piece_size = 100;
static unsigned part_count = 40;

static void fill(struct text *text, unsigned part)
{
    char *at = text_room(text, piece_size);

    if (at != NULL) {
        memset(at, (int)('0' + part), piece_size);
        text_added(text, at + piece_size);
    }
}

/* Later parts are made faster. */
static void *make_parts(void *argument)
{
    struct ordered_output *output = argument;
    struct text text = {0};
    unsigned part;

    while (ordered_output_next(output, &part)) {
        bool goes_on = true;
        (void)usleep((part_count - part) * 50);
        for (unsigned i = 0; i < PIECES && goes_on; i++) {
            fill(&text, part);
            goes_on = ordered_output_write(output, part, &text);
        }
        ordered_output_end(output, part, &text);
    }
    text_deinit(&text);
    return NULL;
}

static int make_all(void)
{
    struct ordered_output *output;
    pthread_t threads[THREADS];

    if (ordered_output_create(&output, part_count, THREADS) < 0) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, make_parts, output) != 0) {
            abort();
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    int result = ordered_output_result(output);
    ordered_output_free(output);
    return result;
}

static void check_order(void)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    for (unsigned part = 0; part < part_count; part++) {
        for (size_t i = 0; i < PIECES * piece_size; i++) {
            int c = getc(file);
            if (c != (int)('0' + part)) {
                fail_msg("part %u, byte %zu: %d", part, i, c);
            }
        }
    }
    assert_int_equal(getc(file), EOF);
    (void)fclose(file);
}

static void test_order(void **state)
{
    (void)state;
    redirect_to(path);
    int result = make_all();
    restore();
    assert_int_equal(result, 0);
    check_order();
}

/* A part that has to wait for its turn. */
static void test_long_parts(void **state)
{
    (void)state;
    piece_size = ORDERED_OUTPUT_MAX + 1;
    part_count = 8;
    redirect_to(path);
    int result = make_all();
    restore();
    assert_int_equal(result, 0);
    check_order();
    piece_size = 100;
    part_count = 40;
}

/* Who writes to a full disk is told, and everybody ends. */
static void test_full_disk(void **state)
{
    (void)state;
    redirect_to("/dev/full");
    int result = make_all();
    restore();
    assert_int_equal(result, -ENOSPC);
}

/* A text that memory was missing for is not written in part. */
static void test_no_memory(void **state)
{
    struct ordered_output *output;
    struct text text = {.failed = true};
    unsigned part;

    (void)state;
    assert_int_equal(ordered_output_create(&output, 1, 1), 0);
    assert_true(ordered_output_next(output, &part));
    assert_false(ordered_output_write(output, part, &text));
    assert_int_equal(ordered_output_result(output), -ENOMEM);
    ordered_output_end(output, part, &text);
    assert_false(ordered_output_next(output, &part));
    ordered_output_free(output);
    ordered_output_free(NULL);
}

static int set_up(void **state)
{
    (void)state;
    return temp_file_make(path);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_long_parts),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
