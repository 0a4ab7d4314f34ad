/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define SIZE_MAX_BYTES 10

static char folder[] = "/tmp/dnstap_exporter-test-file-XXXXXX";
static char path[64];

static void refuses(const char *name, int expected, const char *why)
{
    struct text error = {0};
    FILE *file = NULL;

    assert_int_equal(file_open_regular(name, SIZE_MAX_BYTES, &file, &error), expected);
    assert_null(file);
    assert_memory_equal(error.data, name, strlen(name));
    assert_string_equal(error.data + strlen(name), why);
    text_deinit(&error);
}

static void write_bytes(size_t count)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fputc('x', file), 'x');
    }
    assert_int_equal(fclose(file), 0);
}

static void test_regular(void **state)
{
    struct text error = {0};
    FILE *file = NULL;
    char content[SIZE_MAX_BYTES + 1];

    (void)state;
    write_bytes(SIZE_MAX_BYTES);
    assert_int_equal(file_open_regular(path, SIZE_MAX_BYTES, &file, &error), 0);
    assert_int_equal(fread(content, 1, sizeof content, file), SIZE_MAX_BYTES);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(error.len, 0);
    write_bytes(SIZE_MAX_BYTES + 1);
    refuses(path, -EFBIG, ": larger than 10 bytes");
    assert_int_equal(unlink(path), 0);
    refuses(path, -ENOENT, ": No such file or directory");
}

/* A FIFO that nobody writes to is refused at once. */
static void test_others(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    refuses(path, -EINVAL, ": not a regular file");
    assert_int_equal(unlink(path), 0);
    refuses(folder, -EISDIR, ": not a regular file");
    refuses("/dev/zero", -EINVAL, ": not a regular file");
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regular),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
