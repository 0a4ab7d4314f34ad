/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sandbox/sandbox.h"

/* Folders in each other, a file in each of `in`, `out`, and a link in `in` to the file in `away`.
 */
static char folder[] = "/tmp/test_sandbox.XXXXXX";

static const char *at(const char *name)
{
    static char paths[4][96];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name)
{
    FILE *file = fopen(at(name), "w");

    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static int make_files(void **state)
{
    static const char *const folders[] = {"in", "in/below", "inside", "out", "away"};

    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_int_equal(mkdir(at(folders[i]), 0700), 0);
    }
    write_file("in/file");
    write_file("out/file");
    write_file("away/file");
    return symlink(at("away/file"), at("in/link"));
}

static int remove_files(void **state)
{
    static const char *const names[] = {"in/link", "in/file", "out/file", "away/file", "in/below",
                                        "in",      "inside",  "out",      "away"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(remove(at(names[i])), 0);
    }
    return rmdir(folder);
}

/* What is in force cannot be taken back: each test has a process of its own, whose exit status says
 * how many of its checks have failed. */
static unsigned failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static int status_of(void (*run)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        run();
        _exit(failures < 100 ? (int)failures : 100);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct sandbox *create(enum sandbox_mode mode)
{
    struct sandbox *sandbox;

    CHECK(sandbox_create(&sandbox, mode) == 0);
    return sandbox;
}

/* 0 or the errno. */
static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    return fd < 0 ? errno : close(fd);
}

/* --- Before it is in force --- */

static void allow_before(void)
{
    struct sandbox *sandbox = create(SANDBOX_SERVE);
    const struct sandbox_state *state = sandbox_state_of(sandbox);

    CHECK(sandbox_allow(sandbox, at("in"), SANDBOX_READ) == 0);
    CHECK(sandbox_allow(sandbox, at("none"), SANDBOX_READ) == 0);
    CHECK(sandbox_allows(sandbox, at("out/file"), SANDBOX_READ));
    CHECK(open_file(at("out/file"), O_RDONLY) == 0);
    CHECK(!state->files && !state->network && !state->system_calls && !state->no_new_privileges);
    sandbox_free(sandbox);
    sandbox_free(NULL);
}

static void test_before(void **state)
{
    (void)state;
    assert_int_equal(status_of(allow_before), 0);
}

/* --- Files: what sandbox_allows() says is what open(2) does --- */

static void check_file(const struct sandbox *sandbox, const char *name, bool is_allowed)
{
    CHECK(sandbox_allows(sandbox, at(name), SANDBOX_READ) == is_allowed);
    CHECK(open_file(at(name), O_RDONLY) == (is_allowed ? 0 : EACCES));
}

static void restrict_files(void)
{
    struct sandbox *sandbox = create(SANDBOX_SERVE);

    CHECK(sandbox_allow_folder_of(sandbox, at("in/link"), SANDBOX_READ) == 0);
    sandbox_restrict_files(sandbox);
    CHECK(sandbox_state_of(sandbox)->no_new_privileges);
    if (!sandbox_state_of(sandbox)->files) {
        (void)fprintf(stderr, "no Landlock here\n");
        return;
    }
    check_file(sandbox, "in/file", true);
    check_file(sandbox, "in/below", true);
    check_file(sandbox, "in/link", true);
    check_file(sandbox, "away/file", true);
    check_file(sandbox, "out/file", false);
    check_file(sandbox, "inside", false); /* the name begins as one that is allowed */
    CHECK(sandbox_allows(sandbox, at("in/new"), SANDBOX_READ));
    CHECK(!sandbox_allows(sandbox, at("out/new"), SANDBOX_READ));
    CHECK(
        sandbox_allows(sandbox, at("none/new"), SANDBOX_READ)); /* "no such file" says it better */
    CHECK(!sandbox_allows(sandbox, at("in/file"), SANDBOX_WRITE));
    CHECK(open_file(at("in/file"), O_WRONLY) == EACCES);
    CHECK(open_file(at("in/new"), O_WRONLY | O_CREAT) == EACCES);
    CHECK(unlink(at("in/file")) < 0 && errno == EACCES);
    sandbox_free(sandbox);
}

static void test_files(void **state)
{
    (void)state;
    assert_int_equal(status_of(restrict_files), 0);
}

static void restrict_writes(void)
{
    struct sandbox *sandbox = create(SANDBOX_SERVE);

    CHECK(sandbox_allow(sandbox, at("in/below"), SANDBOX_READ | SANDBOX_WRITE) == 0);
    CHECK(sandbox_allow(sandbox, at("inside"), SANDBOX_SOCKETS) == 0);
    sandbox_restrict_files(sandbox);
    CHECK(open_file(at("in/below/new"), O_RDWR | O_CREAT | O_TRUNC) == 0);
    CHECK(rename(at("in/below/new"), at("in/below/other")) == 0);
    CHECK(unlink(at("in/below/other")) == 0);
    CHECK(mknod(at("inside/socket"), S_IFSOCK | 0600, 0) == 0);
    CHECK(rename(at("inside/socket"), at("inside/other")) == 0);
    CHECK(unlink(at("inside/other")) == 0);
    if (sandbox_state_of(sandbox)->files) {
        CHECK(open_file(at("inside/new"), O_WRONLY | O_CREAT) == EACCES);
        CHECK(mknod(at("in/below/socket"), S_IFSOCK | 0600, 0) < 0 && errno == EACCES);
    }
    sandbox_free(sandbox);
}

static void test_writes(void **state)
{
    (void)state;
    assert_int_equal(status_of(restrict_writes), 0);
}

/* --- System calls --- */

/* A call that is refused is counted each time, and named once. */
static void restrict_calls(void)
{
    struct sandbox *sandbox = create(SANDBOX_READ_FILES);
    char name[SANDBOX_CALL_SIZE] = "";

    sandbox_restrict_files(sandbox);
    sandbox_restrict_calls(sandbox);
    if (!sandbox_state_of(sandbox)->system_calls) {
        (void)fprintf(stderr, "no seccomp here\n");
        return;
    }
    CHECK(sandbox_violations() == 0 && !sandbox_next_violation(name));
    for (unsigned i = 1; i <= 3; i++) {
        errno = 0;
        CHECK(syscall(SYS_memfd_create, "x", 0U) == -1 && errno == EPERM);
        CHECK(sandbox_violations() == i);
    }
    CHECK(sandbox_next_violation(name) && strcmp(name, "memfd_create") == 0);
    CHECK(!sandbox_next_violation(name));
    CHECK(syscall(SYS_socket, 1, 1, 0) == -1 && errno == EPERM); /* no network in this mode */
    CHECK(sandbox_next_violation(name) && strcmp(name, "socket") == 0);
    CHECK(getpid() > 0);
    sandbox_free(sandbox);
}

static void test_calls(void **state)
{
    (void)state;
    assert_int_equal(status_of(restrict_calls), 0);
}

static void run_a_program(void)
{
    struct sandbox *sandbox = create(SANDBOX_SERVE);
    char program[] = "/bin/true";
    char *const arguments[] = {program, NULL};

    sandbox_restrict_calls(sandbox);
    if (!sandbox_state_of(sandbox)->system_calls) {
        (void)fprintf(stderr, "no seccomp here\n");
        _exit(EXIT_FAILURE);
    }
    (void)execv(program, arguments);
    _exit(EXIT_FAILURE + 1); /* it was refused, and the process has gone on */
}

static void test_fatal_calls(void **state)
{
    (void)state;
    assert_int_equal(status_of(run_a_program), EXIT_FAILURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before),      cmocka_unit_test(test_files),
        cmocka_unit_test(test_writes),      cmocka_unit_test(test_calls),
        cmocka_unit_test(test_fatal_calls),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
