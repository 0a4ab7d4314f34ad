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
#include <sys/stat.h>
#include <unistd.h>

#include "program/file_list.h"

static char folder[] = "/tmp/file_list.XXXXXX";

static const char *const names[] = {
    "b.fstrm",           "a.fstrm.zst", "c.fstrm.gz",    "d.fstrm.zst.part", "a.fstrm.zst.part",
    "a.fstrm.zst.index", "x.txt",       ".hidden.fstrm", ".fstrm"};

#define NAMES (sizeof names / sizeof names[0])

static const char *path_of(const char *name)
{
    static char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        (void)unlink(path_of(names[i]));
    }
    return rmdir(folder);
}

static void test_empty_folder(void **state)
{
    struct file_list list = {0};
    struct text error = {0};

    (void)state;
    assert_int_equal(file_list_add(&list, folder, &error), -ENOENT);
    assert_non_null(strstr(text_string(&error), "no dnstap files"));
    assert_int_equal(list.count, 0);
    file_list_deinit(&list);
    text_deinit(&error);
}

static void test_folder_and_files(void **state)
{
    static const char *const expected[] = {"a.fstrm.zst", "b.fstrm", "c.fstrm.gz",
                                           "d.fstrm.zst.part"};
    struct file_list list = {0};
    struct text error = {0};
    char with_slash[64];

    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        FILE *file = fopen(path_of(names[i]), "w");
        assert_non_null(file);
        (void)fclose(file);
    }
    assert_int_equal(mkdir(path_of("folder.fstrm"), 0700), 0);
    (void)snprintf(with_slash, sizeof with_slash, "%s/", folder);
    assert_int_equal(file_list_add(&list, "z.txt", &error), 0); /* given, so that it is meant */
    assert_int_equal(file_list_add(&list, with_slash, &error), 0);
    assert_int_equal(file_list_add(&list, "-", &error), 0);
    assert_int_equal(file_list_add(&list, folder, &error), 0);
    assert_int_equal(list.count, 10);
    assert_string_equal(list.files[0].path, "z.txt");
    assert_string_equal(list.files[5].path, "-");
    assert_false(list.files[0].is_of_folder);
    assert_true(list.files[1].is_of_folder);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(list.files[1 + i].path, path_of(expected[i]));
        assert_string_equal(list.files[6 + i].path, path_of(expected[i]));
    }
    assert_int_equal(rmdir(path_of("folder.fstrm")), 0);
    file_list_deinit(&list);
}

static void test_many(void **state)
{
    struct file_list list = {0};
    struct text error = {0};

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(file_list_add(&list, "/nonexistent", &error), 0);
    }
    assert_int_equal(list.count, 100);
    file_list_deinit(&list);
    assert_null(list.files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_folder),
        cmocka_unit_test(test_folder_and_files),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
