/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "archive_folder_internal.h"
#include "support/temp_folder.h"

#define KIB 1024

static char path[64];
static struct archive_settings settings;
static struct archive_counters counters;
static struct archive_folder folder;
static struct temp_folder_list list;

static int set_up(void **state)
{
    (void)state;
    strcpy(path, "/tmp/dnstap_exporter-test-folder-XXXXXX");
    if (mkdtemp(path) == NULL) {
        return -1;
    }
    settings = (struct archive_settings){.folder = path,
                                         .max_bytes = (uint64_t)1000 * KIB,
                                         .max_age_ns = 3600 * NS_PER_SECOND,
                                         .rotate_bytes = (uint64_t)500 * KIB};
    memset(&counters, 0, sizeof counters);
    archive_folder_init(&folder, &settings, &counters);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    archive_folder_close(&folder);
    temp_folder_remove(path);
    return 0;
}

/* A name of the archive: the number is the minute. */
static const char *name_of(unsigned number, const char *suffix)
{
    static char name[128];

    (void)snprintf(name, sizeof name, "dnstap-20260101T%02u%02u00.000Z.fstrm.zst%s",
                   number / 60 % 24, number % 60, suffix);
    return name;
}

static void make(unsigned number, const char *suffix, size_t size, int64_t age)
{
    assert_true(temp_folder_write(path, name_of(number, suffix), size, age));
}

static bool is_there(const char *name)
{
    temp_folder_read(path, &list);
    for (unsigned i = 0; i < list.count; i++) {
        if (strcmp(list.names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned file_count(void)
{
    temp_folder_read(path, &list);
    return list.count;
}

/* What is there at the start counts; at the bound the oldest goes first, with its index, and
 * nothing before. */
static void test_bytes(void **state)
{
    (void)state;
    make(1, "", 300 * KIB, 100);
    make(1, ".index", 10 * KIB, 100);
    make(2, ".part", 300 * KIB, 100); /* a crash left it */
    make(3, "", 300 * KIB, 100);
    make(3, ".index", 10 * KIB, 100);
    make(3, ".index.part", 1 * KIB, 100);
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_int_equal(folder.size, 921 * KIB);
    assert_int_equal(counters.files, 3);
    assert_int_equal(counters.size_bytes, 921 * KIB);
    assert_int_equal(counters.oldest_seconds, 1767225660); /* 2026-01-01T00:01:00Z */
    assert_int_equal(archive_folder_make_room(&folder, 79 * KIB), 0);
    assert_int_equal(file_count(), 6);
    make(4, "", 79 * KIB, 0);
    assert_int_equal(archive_folder_make_room(&folder, 1), 0);
    assert_false(is_there(name_of(1, "")));
    assert_false(is_there(name_of(1, ".index")));
    assert_int_equal(file_count(), 5);
    assert_int_equal(folder.size, 690 * KIB + 1);
    assert_int_equal(counters.files, 3);
    assert_int_equal(archive_folder_make_room(&folder, 999 * KIB), 0);
    assert_int_equal(file_count(), 0);
}

static void test_lower_bound_at_the_start(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) { /* more than one look can remove */
        make(i, "", 10 * KIB, 10);
    }
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_int_equal(file_count(), 100);
    assert_true(is_there(name_of(100, "")));
    assert_false(is_there(name_of(99, "")));
}

static void test_age(void **state)
{
    (void)state;
    make(1, "", KIB, 3601);
    make(1, ".index", KIB, 3601);
    make(2, "", KIB, 3590);
    make(3, ".part", KIB, 4000); /* whatever the order of the names */
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_int_equal(file_count(), 1);
    assert_true(is_there(name_of(2, "")));
    make(2, "", KIB, 3598);
    archive_folder_look(&folder);
    archive_folder_expire(&folder);
    assert_int_equal(file_count(), 1);
    sleep(3);
    archive_folder_expire(&folder);
    assert_int_equal(file_count(), 0);
    assert_int_equal(counters.files, 0);
    assert_int_equal(counters.oldest_seconds, 0);
}

/* Files with other names stay, whatever their age and size, and so do folders and links. */
static void test_foreign_files(void **state)
{
    static const char *const names[] = {
        "dnstap.fstrm.zst",
        "dnstap-20260101T000000.000Z.fstrm",
        "dnstap-20260101T000000.000Z.fstrm.zst.gz",
        "dnstap-20260101T000000.000Z.fstrm.zst.part.part",
        "dnstap-2026010xT000000.000Z.fstrm.zst",
        "dnstap-20260101T000000.00Z.fstrm.zst",
        "xdnstap-20260101T000000.000Z.fstrm.zst",
        "dnstap-20260101T000000.000Z.fstrm.zst ",
        "d",
    };
    const unsigned count = sizeof names / sizeof names[0];
    char place[256];

    (void)state;
    for (unsigned i = 0; i < count; i++) {
        assert_true(temp_folder_write(path, names[i], (size_t)2000 * KIB, 100000));
    }
    (void)snprintf(place, sizeof place, "%s/%s", path, name_of(1, ""));
    assert_int_equal(symlink(names[0], place), 0);
    (void)snprintf(place, sizeof place, "%s/%s", path, name_of(2, ""));
    assert_int_equal(mkdir(place, 0700), 0);
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_int_equal(folder.size, 0);
    assert_int_equal(counters.files, 0);
    assert_int_equal(archive_folder_make_room(&folder, 1000 * KIB), 0);
    assert_int_equal(file_count(), count + 2);
    assert_int_equal(rmdir(place), 0);
}

/* The current file is neither too old nor the oldest. A file that somebody else removes makes room
 * before another one is removed. */
static void test_current_file(void **state)
{
    (void)state;
    make(1, "", 300 * KIB, 10);
    make(2, "", 300 * KIB, 10);
    assert_int_equal(archive_folder_open(&folder), 0);
    int fd = archive_folder_create_file(&folder);
    assert_true(fd >= 0);
    assert_int_equal(counters.files, 3);
    struct stat found;
    assert_int_equal(fstat(fd, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0640);
    assert_int_equal(archive_folder_make_room(&folder, 300 * KIB), 0);
    assert_int_equal(ftruncate(fd, (off_t)300 * KIB), 0);
    assert_int_equal(file_count(), 3);

    char place[256];
    (void)snprintf(place, sizeof place, "%s/%s", path, name_of(2, ""));
    assert_int_equal(unlink(place), 0);
    assert_int_equal(archive_folder_make_room(&folder, 300 * KIB), 0);
    assert_true(is_there(name_of(1, "")));

    /* 300 of it are promised, and not written: only the other file is removed. */
    assert_int_equal(archive_folder_make_room(&folder, 600 * KIB), 0);
    assert_int_equal(file_count(), 1);
    assert_int_equal(archive_folder_make_room(&folder, 800 * KIB), -EFBIG);
    assert_int_equal(file_count(), 1);
    assert_int_equal(close(fd), 0);
}

/* Names are all different, and in the order of time. */
static void test_names(void **state)
{
    (void)state;
    assert_int_equal(archive_folder_open(&folder), 0);
    char last[ARCHIVE_BASE_LEN + 1] = "";
    for (unsigned i = 0; i < 100; i++) {
        int fd = archive_folder_create_file(&folder);
        assert_true(fd >= 0);
        assert_true(strcmp(folder.current, last) > 0);
        memcpy(last, folder.current, sizeof last);
        assert_int_equal(close(fd), 0);
    }
    assert_int_equal(file_count(), 100);
}

/* A clock that was ahead named and dated files: they go first, and their age counts from now. */
static void test_clock_that_was_ahead(void **state)
{
    static const char ahead[] = "dnstap-20991231T000000.000Z.fstrm.zst";

    (void)state;
    assert_true(temp_folder_write(path, ahead, (size_t)400 * KIB, -100000));
    make(1, "", 400 * KIB, 10);
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_in_range(folder.next_expiry, time(NULL) + 3580, time(NULL) + 3600);
    assert_int_equal(archive_folder_make_room(&folder, 400 * KIB), 0);
    assert_false(is_there(ahead));
    assert_true(is_there(name_of(1, "")));
    assert_true(temp_folder_write(path, ahead, (size_t)1 * KIB, -100000));
    archive_folder_look(&folder);
    struct stat found;
    char place[256];
    (void)snprintf(place, sizeof place, "%s/%s", path, ahead);
    assert_int_equal(stat(place, &found), 0);
    assert_in_range(found.st_mtime, time(NULL) - 10, time(NULL));
}

static bool set_immutable(const char *name, bool on)
{
    char place[256];

    (void)snprintf(place, sizeof place, "%s/%s", path, name);
    int fd = open(place, O_RDONLY);
    int flags = 0;
    bool is_set = fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;
    flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    is_set = is_set && ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
    (void)close(fd);
    return is_set;
}

/* A file that cannot be removed is passed over. */
static void test_unremovable(void **state)
{
    (void)state;
    make(1, "", 400 * KIB, 10);
    make(2, "", 400 * KIB, 10);
    if (!set_immutable(name_of(1, ""), true)) {
        skip(); /* it takes root and a file system that has it */
    }
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_int_equal(archive_folder_make_room(&folder, 400 * KIB), 0);
    assert_true(is_there(name_of(1, "")));
    assert_false(is_there(name_of(2, "")));
    assert_int_equal(archive_folder_make_room(&folder, 700 * KIB), -EPERM);
    assert_true(set_immutable(name_of(1, ""), false));
    assert_int_equal(archive_folder_make_room(&folder, 700 * KIB), 0);
}

static void test_one_process(void **state)
{
    struct archive_folder other;

    (void)state;
    archive_folder_init(&other, &settings, &counters);
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_int_equal(archive_folder_open(&other), -EBUSY);
    archive_folder_close(&folder);
    assert_int_equal(archive_folder_open(&other), 0);
    archive_folder_close(&other);
}

static void test_folder_removed(void **state)
{
    (void)state;
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_true(archive_folder_is_there(&folder));
    assert_int_equal(rmdir(path), 0);
    assert_false(archive_folder_is_there(&folder));
    assert_int_equal(archive_folder_create_file(&folder), -ENOENT);
    assert_int_equal(mkdir(path, 0750), 0);
    assert_false(archive_folder_is_there(&folder)); /* it is another one */
    archive_folder_close(&folder);
    assert_int_equal(archive_folder_open(&folder), 0);
    assert_true(archive_folder_is_there(&folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lower_bound_at_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_age, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_current_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock_that_was_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unremovable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folder_removed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
