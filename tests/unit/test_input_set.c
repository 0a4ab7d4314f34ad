/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "ingest/input_set.h"

static char folder[] = "/tmp/test_input_set.XXXXXX";
static struct input_set set;
static struct input_plan plan;
static enum input_change changes[INPUTS_MAX];
static struct text error;

/* The input `name` on the socket file `file` of the folder. */
static struct input_settings input_of(char *name, const char *file, unsigned sampling)
{
    struct input_settings input = {.name = name,
                                   .sampling = sampling,
                                   .mode = 0600,
                                   .owner = {CONFIG_ID_KEEP, ""},
                                   .group = {CONFIG_ID_KEEP, ""}};
    char path[ENDPOINT_PATH_SIZE];

    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    assert_true(endpoint_parse_unix(path, &input.endpoint));
    return input;
}

static bool exists(const char *file)
{
    char path[ENDPOINT_PATH_SIZE];

    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    return access(path, F_OK) == 0;
}

static int prepare(const struct input_settings *inputs, unsigned count)
{
    const struct input_request request = {.inputs = inputs, .count = count};

    return input_set_prepare(&set, &request, &plan, &error);
}

static void become(const struct input_settings *inputs, unsigned count)
{
    text_clear(&error);
    int result = prepare(inputs, count);

    if (result < 0) {
        fail_msg("%s", text_string(&error));
    }
    input_set_adopt(&set, &plan, changes);
}

static char a[] = "a", b[] = "b", c[] = "c";

static int setup(void **state)
{
    (void)state;
    (void)strcpy(strchr(folder, '.') + 1, "XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    input_set_close(&set);
    input_set_deinit(&set);
    text_deinit(&error);
    return rmdir(folder); /* no socket file is left */
}

static void test_life(void **state)
{
    struct input_settings inputs[] = {input_of(a, "a", 1), input_of(b, "b", 1)};

    (void)state;
    become(inputs, 2);
    assert_int_equal(set.count, 2);
    assert_int_equal(changes[0], INPUT_LISTENS);
    assert_int_equal(changes[1], INPUT_LISTENS);
    int fd = set.places[0].listener.fd;

    /* Another order, and one more: nothing happens to those that stay. */
    struct input_settings three[] = {input_of(c, "c", 1), input_of(b, "b", 1), input_of(a, "a", 1)};
    become(three, 3);
    assert_int_equal(set.count, 3);
    assert_int_equal(changes[0], INPUT_UNCHANGED);
    assert_int_equal(changes[1], INPUT_UNCHANGED);
    assert_int_equal(changes[2], INPUT_LISTENS);
    assert_int_equal(set.places[0].listener.fd, fd);
    assert_ptr_equal(set.places[0].listener.path, set.places[0].settings.endpoint.path);
    assert_string_equal(set.places[2].settings.name, "c");

    /* One goes; its place stays, and it comes back to it. */
    become(&inputs[0], 1);
    assert_int_equal(changes[1], INPUT_REMOVED);
    assert_int_equal(changes[2], INPUT_REMOVED);
    assert_false(exists("b"));
    assert_true(exists("a"));
    become(inputs, 2);
    assert_int_equal(set.count, 3);
    assert_int_equal(changes[1], INPUT_LISTENS);
    assert_int_equal(changes[2], INPUT_UNCHANGED);
    assert_true(exists("b"));

    /* Another path, another sampling. */
    inputs[0] = input_of(a, "moved", 1);
    inputs[1] = input_of(b, "b", 10);
    become(inputs, 2);
    assert_int_equal(changes[0], INPUT_CHANGED);
    assert_int_equal(changes[1], INPUT_CHANGED);
    assert_false(exists("a"));
    assert_true(exists("moved"));
    assert_true(exists("b"));

    become(inputs, 0);
    assert_false(exists("moved"));
    assert_false(exists("b"));
}

/* Each takes over the listener of the other one. */
static void test_exchange(void **state)
{
    const struct input_settings inputs[] = {input_of(a, "a", 1), input_of(b, "b", 1)};
    const struct input_settings exchanged[] = {input_of(a, "b", 1), input_of(b, "a", 1)};

    (void)state;
    become(inputs, 2);
    const int fds[] = {set.places[0].listener.fd, set.places[1].listener.fd};
    become(exchanged, 2);
    assert_int_equal(set.places[0].listener.fd, fds[1]);
    assert_int_equal(set.places[1].listener.fd, fds[0]);
    assert_int_equal(changes[0], INPUT_CHANGED);
    assert_int_equal(changes[1], INPUT_CHANGED);
    assert_true(exists("a") && exists("b"));
    assert_true(listener_is_reachable(&set.places[0].listener));
    assert_true(listener_is_reachable(&set.places[1].listener));
}

/* What cannot be done changes nothing, and leaves nothing behind. */
static void test_failure(void **state)
{
    const struct input_settings before = input_of(a, "a", 1);
    const struct input_settings after[] = {input_of(b, "b", 1), input_of(c, "none/c", 1)};

    (void)state;
    become(&before, 1);
    assert_int_equal(prepare(after, 2), -ENOENT);
    assert_non_null(strstr(text_string(&error), "there is no folder"));
    assert_int_equal(set.count, 1);
    assert_true(set.places[0].in_use);
    assert_true(exists("a"));
    assert_false(exists("b"));

    assert_int_equal(prepare(after, 1), 0);
    assert_true(exists("b"));
    input_set_discard(&plan);
    assert_false(exists("b"));
    assert_int_equal(set.count, 1);
}

/* The input that connects to a server at the socket file `file`. */
static struct input_settings dialled_input_of(char *name, const char *file)
{
    struct input_settings input = input_of(name, file, 1);

    input.endpoint.is_dialled = true;
    return input;
}

/* Who connects makes no socket file, takes over no listener, and leaves none. */
static void test_dialled(void **state)
{
    const struct input_settings listens = input_of(a, "a", 1);
    const struct input_settings dials = dialled_input_of(a, "a");

    (void)state;
    become(&dials, 1);
    assert_int_equal(changes[0], INPUT_LISTENS);
    assert_int_equal(set.places[0].listener.fd, -1);
    assert_false(exists("a"));
    become(&dials, 1);
    assert_int_equal(changes[0], INPUT_UNCHANGED);
    become(&listens, 1);
    assert_int_equal(changes[0], INPUT_CHANGED);
    assert_true(exists("a"));
    become(&dials, 1);
    assert_int_equal(changes[0], INPUT_CHANGED);
    assert_false(exists("a"));
    become(&dials, 0);
    assert_int_equal(changes[0], INPUT_REMOVED);
}

/* Its connections end where it gets other rules; a certificate that cannot be loaded changes
 * nothing. */
static void test_tls(void **state)
{
    char missing[] = "/nonexistent/cert.pem";
    struct input_settings input = input_of(a, "a", 1);
    struct input_settings other = input;

    (void)state;
    become(&input, 1);
    other.tls.min_version = 3;
    become(&other, 1);
    assert_int_equal(changes[0], INPUT_CHANGED);
    other.tls.cert_file = missing;
    other.tls.pem_cert = (struct tls_pem){"inputs[0].tls.cert_file", 7, missing, NULL};
    const struct input_request request = {.inputs = &other, .count = 1, .path = "file.yml"};
    text_clear(&error);
    assert_int_equal(input_set_prepare(&set, &request, &plan, &error), -EINVAL);
    assert_non_null(strstr(text_string(&error), "file.yml:7: inputs[0].tls.cert_file: "));
    assert_true(exists("a"));
    assert_null(set.places[0].tls);
}

/* A name keeps its place: there are so many of them. */
static void test_too_many_names(void **state)
{
    char names[INPUTS_MAX + 1][8];

    (void)state;
    for (unsigned i = 0; i <= INPUTS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%u", i);
        const struct input_settings input = input_of(names[i], "a", 1);
        if (i < INPUTS_MAX) {
            become(&input, 1);
        } else {
            assert_int_equal(prepare(&input, 1), -ENOSPC);
            assert_non_null(strstr(text_string(&error), "restart"));
        }
    }
    assert_true(exists("a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exchange, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dialled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_names, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
