/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "metrics/server_set.h"

static struct server_set *new_set(unsigned capacity)
{
    struct server_set *set = NULL;

    assert_int_equal(server_set_create(&set, capacity), 0);
    return set;
}

static unsigned number_of(struct server_set *set, const char *identity)
{
    return server_set_number(set, bytes_of_string(identity), "input");
}

static void test_numbers(void **state)
{
    struct server_set *set = new_set(3);

    (void)state;
    assert_int_equal(server_set_size(set), 1);
    assert_string_equal(server_set_label(set, SERVER_OTHER), "other");
    assert_int_equal(number_of(set, "a"), 1);
    assert_int_equal(number_of(set, "b"), 2);
    assert_int_equal(number_of(set, "a"), 1);
    assert_int_equal(number_of(set, ""), 3); /* the input's name */
    assert_int_equal(number_of(set, "input"), 3);
    assert_string_equal(server_set_label(set, 2), "b");
    assert_string_equal(server_set_label(set, 3), "input");
    assert_int_equal(server_set_size(set), 4);
    assert_int_equal(number_of(set, "c"), SERVER_OTHER);
    assert_int_equal(number_of(set, "b"), 2);
    assert_int_equal(server_set_size(set), 4);
    server_set_free(set);
}

static void test_labels_are_escaped(void **state)
{
    struct server_set *set = new_set(3);
    static const uint8_t bytes[] = {'x', 0, 0xff, '"', 0xc3, 0xa4};

    (void)state;
    assert_int_equal(server_set_number(set, (struct bytes){bytes, sizeof bytes}, "i"), 1);
    assert_string_equal(server_set_label(set, 1), "x\\x00\\xff\"\xc3\xa4");
    server_set_free(set);
}

static void test_long_identities(void **state)
{
    struct server_set *set = new_set(3);
    uint8_t identity[SERVER_IDENTITY_MAX + 1];

    (void)state;
    memset(identity, 0xff, sizeof identity); /* its label is four times as long */
    assert_int_equal(server_set_number(set, (struct bytes){identity, SERVER_IDENTITY_MAX}, "i"), 1);
    assert_int_equal(strlen(server_set_label(set, 1)), 4 * SERVER_IDENTITY_MAX);
    assert_int_equal(server_set_number(set, (struct bytes){identity, SERVER_IDENTITY_MAX + 1}, "i"),
                     SERVER_OTHER);
    assert_int_equal(server_set_size(set), 2);
    server_set_free(set);
}

/* One label value is one series: a server that is called "other" is not a second one. */
/* In files an input's name is a path, and much longer than an identity may be. */
static void test_long_input_names(void **state)
{
    struct server_set *set = new_set(3);
    char name[4096];

    (void)state;
    memset(name, '\1', sizeof name - 1); /* each byte becomes four */
    name[sizeof name - 1] = '\0';
    assert_int_equal(server_set_number(set, bytes_of_string(""), name), 1);
    assert_int_equal(strlen(server_set_label(set, 1)), 4 * SERVER_IDENTITY_MAX);
    name[SERVER_IDENTITY_MAX] = '\0'; /* the same last bytes */
    assert_int_equal(server_set_number(set, bytes_of_string(""), name), 1);
    server_set_free(set);
}

static void test_a_server_called_other(void **state)
{
    struct server_set *set = new_set(3);

    (void)state;
    assert_int_equal(number_of(set, "other"), SERVER_OTHER);
    assert_int_equal(server_set_size(set), 1);
    assert_int_equal(number_of(set, "Other"), 1);
    server_set_free(set);
}

static struct server_set *shared;

#define NAMES 60

static void *add_all(void *argument)
{
    unsigned start = *(const unsigned *)argument;

    for (unsigned i = 0; i < NAMES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "s%u", (start + i) % NAMES);
        unsigned number = number_of(shared, name);
        if (number == SERVER_OTHER || strcmp(server_set_label(shared, number), name) != 0) {
            return argument; /* a failure; cmocka's asserts are the main thread's */
        }
    }
    return NULL;
}

static void test_threads_add_at_once(void **state)
{
    static unsigned starts[4] = {0, 0, 15, 40};

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        pthread_t threads[4];
        void *failure;
        shared = new_set(NAMES);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, add_all, &starts[i]), 0);
        }
        for (unsigned i = 0; i < 4; i++) {
            (void)pthread_join(threads[i], &failure);
            assert_null(failure);
        }
        assert_int_equal(server_set_size(shared), NAMES + 1); /* none twice */
        server_set_free(shared);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_labels_are_escaped),
        cmocka_unit_test(test_long_identities),
        cmocka_unit_test(test_long_input_names),
        cmocka_unit_test(test_a_server_called_other),
        cmocka_unit_test(test_threads_add_at_once),
    };

    server_set_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
