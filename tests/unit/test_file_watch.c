/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file_watch.h"

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A change is told once, when the file has stayed as it is from one look to the next. */
static void test_changes(void **state)
{
    char folder[] = "/tmp/test_file_watch.XXXXXX";
    char path[64], fresh[64];
    struct file_watch watch;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file", folder);
    (void)snprintf(fresh, sizeof fresh, "%s/fresh", folder);
    file_watch_begin(&watch, path);
    assert_false(file_watch_is_due(&watch, path)); /* there is none */

    write_file(path, "a");
    assert_false(file_watch_is_due(&watch, path));
    assert_true(file_watch_is_due(&watch, path));
    assert_false(file_watch_is_due(&watch, path));

    write_file(path, "ab");
    assert_false(file_watch_is_due(&watch, path));
    write_file(path, "abc"); /* it is still being written */
    assert_false(file_watch_is_due(&watch, path));
    assert_true(file_watch_is_due(&watch, path));

    write_file(fresh, "abc");
    assert_int_equal(rename(fresh, path), 0);
    assert_false(file_watch_is_due(&watch, path));
    assert_true(file_watch_is_due(&watch, path));

    assert_int_equal(unlink(path), 0);
    assert_false(file_watch_is_due(&watch, path));
    assert_true(file_watch_is_due(&watch, path));
    assert_false(file_watch_is_due(&watch, path));
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
