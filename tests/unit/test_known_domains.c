/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "known_domains_internal.h"

#define MANY        20000
#define RECORD_SIZE 16
#define HEADER_SIZE 48

static char folder[64];
static char path[128], old[160], damaged[160];

static struct known_filter filters[2];

static struct known_domains *open_with(const char *file, struct known_filter *filter)
{
    struct known_domains *known = NULL;

    memset(filter, 0, sizeof *filter);
    assert_int_equal(known_domains_create(&known, file, filter), 0);
    return known;
}

static struct known_domains *open_known(const char *file)
{
    return open_with(file, &filters[0]);
}

static bool insert(struct known_domains *known, unsigned number)
{
    char domain[32];
    int len = snprintf(domain, sizeof domain, "domain-%u", number);

    return known_domains_insert(known, (struct bytes){(const uint8_t *)domain, (size_t)len});
}

/* How many of the domains first..first+count are new. */
static unsigned insert_many(struct known_domains *known, unsigned first, unsigned count)
{
    unsigned fresh = 0;

    for (unsigned i = first; i < first + count; i++) {
        fresh += insert(known, i);
    }
    return fresh;
}

static off_t size_of(const char *file)
{
    struct stat found;

    return stat(file, &found) == 0 ? found.st_size : -1;
}

static void overwrite(const char *file, long at, const char *content)
{
    FILE *stream = fopen(file, "r+");

    assert_non_null(stream);
    assert_int_equal(fseek(stream, at, SEEK_SET), 0);
    assert_true(fputs(content, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

static void test_without_file(void **state)
{
    (void)state;
    struct known_domains *known = open_known(NULL);
    assert_true(insert(known, 1));
    assert_false(insert(known, 1));
    assert_true(insert_many(known, 2, MANY) > MANY - MANY / 100);
    assert_int_equal(insert_many(known, 2, MANY), 0);
    known_domains_save(known);
    known_domains_free(known);
    known_domains_free(NULL); /* is fine */
}

static void test_restart(void **state)
{
    (void)state;
    struct known_domains *known = open_known(path);
    uint64_t begun = known_domains_begun(known);
    unsigned fresh = insert_many(known, 0, MANY);
    known_domains_free(known);
    assert_int_equal(size_of(path), HEADER_SIZE + RECORD_SIZE * (off_t)fresh);
    known = open_known(path);
    assert_int_equal(known_domains_begun(known), begun);
    assert_int_equal(insert_many(known, 0, MANY), 0);
    assert_true(insert_many(known, MANY, 100) > 90);
    known_domains_free(known);
    assert_int_equal(size_of(damaged), -1);
}

/* What was saved before a process is killed stays. */
static void test_killed(void **state)
{
    int status;

    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct known_domains *known = open_known(path);
        (void)insert_many(known, 0, 700);
        known_domains_save(known);
        (void)insert_many(known, 700, 10);
        (void)raise(SIGKILL);
    }
    assert_true(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    struct known_domains *known = open_known(path);
    assert_int_equal(insert_many(known, 0, 700), 0);
    assert_true(insert_many(known, 700, 10) > 5);
    known_domains_free(known);
}

/* A damaged file is set aside; what is sound in front of the damage stays. */
static void test_damaged(void **state)
{
    static const struct {
        long at; /* where "XXXX" is written; -1: the file is cut */
        off_t cut;
        unsigned kept;
    } cases[] = {
        {0, 0, 0},
        {20, 0, 0},
        {HEADER_SIZE - 4, 0, 0},
        {HEADER_SIZE, 0, 0},
        {HEADER_SIZE + 50 * RECORD_SIZE + 3, 0, 50},
        {HEADER_SIZE + 100 * RECORD_SIZE, 0, 100}, /* behind the last record */
        {-1, HEADER_SIZE - 1, 0},
        {-1, HEADER_SIZE + 99 * RECORD_SIZE + 7, 99},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct known_domains *known = open_known(path);
        unsigned fresh = insert_many(known, 0, 100);
        known_domains_free(known);
        assert_int_equal(fresh, 100); /* nothing collides in so few */
        if (cases[i].at >= 0) {
            overwrite(path, cases[i].at, "XXXX");
        } else {
            assert_int_equal(truncate(path, cases[i].cut), 0);
        }
        off_t size = size_of(path);
        known = open_known(path);
        assert_int_equal(size_of(damaged), size);
        struct stat found;
        assert_true(stat(path, &found) == 0 && (found.st_mode & 0777) == 0600);
        assert_int_equal(insert_many(known, 0, 100), 100 - cases[i].kept);
        known_domains_free(known);
        known = open_known(path);
        assert_int_equal(insert_many(known, 0, 100), 0);
        known_domains_free(known);
        (void)unlink(damaged);
        (void)unlink(path);
    }
}

/* A full generation becomes the older one; what only the one before had is forgotten. */
static void test_generations(void **state)
{
    (void)state;
    struct known_domains *known = open_known(path);
    (void)insert_many(known, 0, 2 * KNOWN_DOMAINS_MAX + KNOWN_DOMAINS_MAX / 4);
    assert_true(size_of(old) >= HEADER_SIZE + RECORD_SIZE * (off_t)KNOWN_DOMAINS_MAX);
    unsigned last = 2 * KNOWN_DOMAINS_MAX;
    assert_int_equal(insert_many(known, last, 1000), 0);
    assert_int_equal(insert_many(known, last - 10000, 1000), 0);
    assert_true(insert_many(known, 0, 1000) > 980);
    known_domains_free(known);
    known = open_known(path);
    assert_int_equal(insert_many(known, last - 20000, 1000), 0);
    known_domains_free(known);
    assert_int_equal(size_of(damaged), -1);
}

static void limit_size(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full when a file is begun, or that takes half of it, and has room later. */
static void test_full_disk(void **state)
{
    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    for (unsigned room = 0; room <= HEADER_SIZE + RECORD_SIZE; room += HEADER_SIZE / 2) {
        limit_size(room);
        struct known_domains *known = open_known(path);
        (void)insert_many(known, 0, 100);
        known_domains_save(known);
        known_domains_save(known);
        limit_size(RLIM_INFINITY);
        known_domains_save(known);
        known_domains_free(known);
        known = open_known(path);
        assert_int_equal(insert_many(known, 0, 100), 0);
        known_domains_free(known);
        assert_int_equal(size_of(damaged), -1);
        (void)unlink(path);
    }
    /* What is sound in a damaged file does not find room beside it. */
    struct known_domains *known = open_known(path);
    (void)insert_many(known, 0, 100);
    known_domains_free(known);
    overwrite(path, HEADER_SIZE + 50 * RECORD_SIZE, "XXXX");
    limit_size(HEADER_SIZE + RECORD_SIZE);
    known = open_known(path);
    limit_size(RLIM_INFINITY);
    assert_int_equal(insert_many(known, 0, 50), 0);
    known_domains_free(known);
    assert_int_equal(size_of(path), -1);
    known = open_known(path);
    assert_int_equal(insert_many(known, 0, 100), 100);
    known_domains_free(known);
    (void)signal(SIGXFSZ, SIG_DFL);
}

/* The older generation's file alone, where the newer one was not begun. */
static void test_old_alone(void **state)
{
    (void)state;
    struct known_domains *known = open_known(path);
    (void)insert_many(known, 0, 100);
    uint64_t begun = known_domains_begun(known);
    known_domains_free(known);
    assert_int_equal(rename(path, old), 0);
    FILE *empty = fopen(path, "w");
    assert_non_null(empty);
    (void)fclose(empty);
    for (unsigned start = 0; start < 2; start++) {
        known = open_known(path);
        assert_int_equal(known_domains_begun(known), begun);
        assert_int_equal(insert_many(known, 0, 100), 0);
        known_domains_free(known);
    }
    char old_damaged[200];
    (void)snprintf(old_damaged, sizeof old_damaged, "%s.damaged", old);
    assert_int_equal(size_of(old_damaged), -1);
}

/* A folder that is not there, and a file that another has: it works without one. */
static void test_no_file(void **state)
{
    (void)state;
    struct known_domains *known = open_known("/nowhere/known");
    assert_true(insert(known, 1));
    known_domains_save(known);
    known_domains_free(known);
    struct known_domains *first = open_known(path);
    struct known_domains *second = open_with(path, &filters[1]);
    assert_true(insert(second, 1));
    known_domains_free(second);
    known_domains_free(first);
    assert_int_equal(size_of(path), HEADER_SIZE);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/known_domains.XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/known", folder);
    (void)snprintf(old, sizeof old, "%s.old", path);
    (void)snprintf(damaged, sizeof damaged, "%s.damaged", path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(old);
    (void)unlink(damaged);
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_file), TEST(test_restart),   TEST(test_killed),    TEST(test_damaged),
        TEST(test_generations),  TEST(test_full_disk), TEST(test_old_alone), TEST(test_no_file)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
