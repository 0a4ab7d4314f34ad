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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream/listener.h"

static char folder[] = "/tmp/dnstap_exporter-test-listener-XXXXXX";
static char path[100];
static struct input_settings unix_input;
static struct text error;

static int set_up(void **state)
{
    (void)state;
    (void)unlink(path);
    text_clear(&error);
    unix_input = (struct input_settings){
        .mode = 0660, .owner = {CONFIG_ID_KEEP, ""}, .group = {CONFIG_ID_KEEP, ""}};
    assert_true(endpoint_parse_unix(path, &unix_input.endpoint));
    return 0;
}

static mode_t mode_of(const char *name)
{
    struct stat found;

    assert_int_equal(lstat(name, &found), 0);
    return found.st_mode;
}

static bool exists(const char *name)
{
    return access(name, F_OK) == 0;
}

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    strncpy(address.sun_path, name, sizeof address.sun_path - 1);
    int result = connect(fd, (const struct sockaddr *)&address, sizeof address);
    int reason = errno;
    (void)close(fd);
    return result < 0 ? -reason : 0;
}

static void test_open_and_close(void **state)
{
    static const unsigned modes[] = {0660, 0666, 0600, 0777};

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct listener listener;
        mode_t before = umask(077);
        unix_input.mode = modes[i];
        assert_int_equal(listener_open(&listener, &unix_input, &error), 0);
        assert_int_equal(umask(before), 077); /* as it was */
        assert_true(S_ISSOCK(mode_of(path)));
        assert_int_equal(mode_of(path) & 07777, modes[i]);
        assert_int_equal(connect_to(path), 0);
        int fd = accept(listener.fd, NULL, NULL);
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(accept(listener.fd, NULL, NULL), -1);
        assert_int_equal(errno, EAGAIN); /* non-blocking */
        listener_close(&listener);
        assert_false(exists(path));
    }
}

static void test_stale_socket_is_replaced(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct listener listener;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    (void)close(fd);
    assert_int_equal(connect_to(path), -ECONNREFUSED);
    assert_int_equal(listener_open(&listener, &unix_input, &error), 0);
    assert_int_equal(connect_to(path), 0);
    listener_close(&listener);
}

static void test_live_socket_is_left_alone(void **state)
{
    struct listener first;
    struct listener second = {.fd = 77};

    (void)state;
    assert_int_equal(listener_open(&first, &unix_input, &error), 0);
    assert_int_equal(listener_open(&second, &unix_input, &error), -EADDRINUSE);
    assert_non_null(strstr(error.data, path));
    assert_int_equal(second.fd, 77);
    assert_int_equal(connect_to(path), 0);
    listener_close(&first);
}

/* A full queue is no reason to take a socket for a stale one. */
static void test_busy_socket_is_left_alone(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct listener listener;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int waiting[4];

    (void)state;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (unsigned i = 0; i < 4; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(waiting[i], (const struct sockaddr *)&address, sizeof address);
    }
    assert_int_equal(connect_to(path), -EAGAIN);
    assert_int_equal(listener_open(&listener, &unix_input, &error), -EADDRINUSE);
    for (unsigned i = 0; i < 4; i++) {
        (void)close(waiting[i]);
    }
    (void)close(fd);
}

static void test_other_files_are_left_alone(void **state)
{
    struct listener listener;
    FILE *file = fopen(path, "w");

    (void)state;
    assert_non_null(file);
    (void)fputs("precious", file);
    (void)fclose(file);
    assert_int_equal(listener_open(&listener, &unix_input, &error), -EEXIST);
    assert_non_null(strstr(error.data, "no socket"));
    assert_true(S_ISREG(mode_of(path)));

    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nonexistent/target", path), 0);
    assert_int_equal(listener_open(&listener, &unix_input, &error), -EEXIST);
    assert_true(S_ISLNK(mode_of(path)));

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(listener_open(&listener, &unix_input, &error), -EEXIST);
    assert_int_equal(rmdir(path), 0);
}

static void test_no_folder(void **state)
{
    struct listener listener;
    static char nowhere[] = "/nonexistent/folder/x.sock";

    (void)state;
    assert_true(endpoint_parse_unix(nowhere, &unix_input.endpoint));
    assert_int_equal(listener_open(&listener, &unix_input, &error), -ENOENT);
    assert_non_null(strstr(error.data, nowhere));
}

/* What somebody else has put in our place stays. */
static void test_close_removes_only_our_socket(void **state)
{
    char aside[120];
    struct listener ours;
    struct listener theirs;

    (void)state;
    (void)snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(listener_open(&ours, &unix_input, &error), 0);
    assert_int_equal(rename(path, aside), 0); /* keeps our inode in use */
    assert_int_equal(listener_open(&theirs, &unix_input, &error), 0);
    listener_close(&ours);
    assert_true(exists(path));
    assert_int_equal(connect_to(path), 0);
    listener_close(&theirs);
    assert_false(exists(path));
    assert_int_equal(unlink(aside), 0);

    assert_int_equal(listener_open(&ours, &unix_input, &error), 0);
    assert_int_equal(unlink(path), 0);
    listener_close(&ours); /* nothing to remove is fine */
}

static void test_permissions_change_while_open(void **state)
{
    struct listener listener;

    (void)state;
    assert_int_equal(listener_open(&listener, &unix_input, &error), 0);
    unix_input.mode = 0606;
    assert_int_equal(listener_set_permissions(&listener, &unix_input, &error), 0);
    assert_int_equal(mode_of(path) & 07777, 0606);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(listener_set_permissions(&listener, &unix_input, &error), -ENOENT);
    assert_non_null(strstr(error.data, path));
    listener_close(&listener);
}

/* Who can write the folder must not get the permissions of other files changed. */
static void test_permissions_of_other_files_stay(void **state)
{
    struct listener listener;
    char target[128];

    (void)state;
    (void)snprintf(target, sizeof target, "%s.target", path);
    FILE *file = fopen(target, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(target, 0600), 0);
    assert_int_equal(listener_open(&listener, &unix_input, &error), 0);
    assert_int_equal(unlink(path), 0);
    unix_input.mode = 0666;
    assert_int_equal(listener_set_permissions(&listener, &unix_input, &error), -ENOENT);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(listener_set_permissions(&listener, &unix_input, &error), -ENOENT);
    assert_int_equal(mode_of(target) & 07777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(target, path), 0);
    assert_int_equal(listener_set_permissions(&listener, &unix_input, &error), -ENOENT);
    assert_int_equal(mode_of(path) & 07777, 0600);
    listener_close(&listener);
    assert_true(exists(path));
}

static void test_owner_and_group(void **state)
{
    struct listener listener;
    struct stat found;

    (void)state;
    if (geteuid() != 0) {
        skip(); /* only root may give files away */
    }
    unix_input.owner.number = 12345;
    unix_input.group.number = 54321;
    assert_int_equal(listener_open(&listener, &unix_input, &error), 0);
    assert_int_equal(lstat(path, &found), 0);
    assert_int_equal(found.st_uid, 12345);
    assert_int_equal(found.st_gid, 54321);
    assert_int_equal(found.st_mode & 07777, 0660);
    listener_close(&listener);
}

static void test_tcp(void **state)
{
    static char address[32];
    struct input_settings input = {0};
    struct listener first;
    struct listener second;
    int result = -EADDRINUSE;

    (void)state;
    for (unsigned port = 20000; port < 20100 && result == -EADDRINUSE; port++) {
        (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
        assert_true(endpoint_parse_tcp(address, &input.endpoint));
        result = listener_open(&first, &input, &error);
    }
    assert_int_equal(result, 0);
    assert_null(first.path);
    text_clear(&error);
    assert_int_equal(listener_open(&second, &input, &error), -EADDRINUSE);
    assert_non_null(strstr(error.data, address));
    assert_int_equal(listener_set_permissions(&first, &input, &error), 0); /* nothing to do */
    listener_close(&first);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/x.sock", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    text_deinit(&error);
    return rmdir(folder);
}

#define WITH_PATH(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PATH(test_open_and_close),
        WITH_PATH(test_stale_socket_is_replaced),
        WITH_PATH(test_live_socket_is_left_alone),
        WITH_PATH(test_busy_socket_is_left_alone),
        WITH_PATH(test_other_files_are_left_alone),
        WITH_PATH(test_no_folder),
        WITH_PATH(test_close_removes_only_our_socket),
        WITH_PATH(test_permissions_change_while_open),
        WITH_PATH(test_permissions_of_other_files_stay),
        WITH_PATH(test_owner_and_group),
        WITH_PATH(test_tcp),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
