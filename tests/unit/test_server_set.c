/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "count/server_set.h"

#define EXPIRY_NS (3600 * NS_PER_SECOND)

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
static struct server_holder nobody; /* not a connection */

static struct server_set *new_set(unsigned capacity)
{
    struct server_set *set = NULL;

    assert_int_equal(
        server_set_create(&set, &(struct server_set_bounds){capacity, 3, EXPIRY_NS}, &secret), 0);
    nobody = (struct server_holder){0};
    return set;
}

static struct server_holder open_holder(struct server_set *set)
{
    struct server_holder holder = {0};

    assert_int_equal(server_holder_open(set, &holder), 0);
    return holder;
}

static unsigned number_at(struct server_set *set, const char *identity,
                          struct server_holder *holder, uint64_t now_ns)
{
    return server_set_find(set, bytes_of_string(identity), "input", holder, now_ns).number;
}

static unsigned number_of(struct server_set *set, const char *identity)
{
    return number_at(set, identity, &nobody, 1);
}

#define INFOS_MAX 128

static const struct server_info *info_of(struct server_set *set, unsigned number)
{
    static struct server_info infos[INFOS_MAX];

    memset(infos, 0, sizeof infos);
    server_set_read(set, infos);
    return &infos[number];
}

static const char *label_of(struct server_set *set, unsigned number)
{
    return info_of(set, number)->label;
}

static void test_numbers(void **state)
{
    struct server_set *set = new_set(3);

    (void)state;
    assert_string_equal(label_of(set, SERVER_OTHER), "other");
    assert_int_equal(info_of(set, 1)->generation, 0);
    assert_int_equal(number_of(set, "a"), 1);
    assert_int_equal(number_of(set, "b"), 2);
    assert_int_equal(number_of(set, "a"), 1);
    assert_int_equal(number_of(set, ""), 3); /* the input's name */
    assert_int_equal(number_of(set, "input"), 3);
    assert_string_equal(label_of(set, 2), "b");
    assert_string_equal(label_of(set, 3), "input");
    assert_int_equal(info_of(set, 1)->generation, 1);
    assert_int_equal(number_of(set, "c"), SERVER_OTHER);
    assert_int_equal(number_of(set, "b"), 2);
    server_set_free(set);
}

static void test_labels_are_escaped(void **state)
{
    struct server_set *set = new_set(3);
    static const uint8_t bytes[] = {'x', 0, 0xff, '"', 0xc3, 0xa4};
    const struct bytes identity = {bytes, sizeof bytes};

    (void)state;
    assert_int_equal(server_set_find(set, identity, "i", &nobody, 1).number, 1);
    assert_string_equal(label_of(set, 1), "x\\x00\\xff\"\xc3\xa4");
    server_set_free(set);
}

static void test_long_identities(void **state)
{
    struct server_set *set = new_set(3);
    uint8_t bytes[SERVER_IDENTITY_MAX + 1];
    const struct bytes longest = {bytes, SERVER_IDENTITY_MAX};
    const struct bytes too_long = {bytes, SERVER_IDENTITY_MAX + 1};

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(server_set_find(set, longest, "i", &nobody, 1).number, 1);
    assert_int_equal(strlen(label_of(set, 1)), 11 * 4 + 9); /* see label.h */
    assert_int_equal(server_set_find(set, too_long, "i", &nobody, 1).number, SERVER_OTHER);
    assert_int_equal(info_of(set, 2)->generation, 0);
    server_set_free(set);
}

/* In files an input's name is a path, and much longer than an identity may be. */
static void test_long_input_names(void **state)
{
    struct server_set *set = new_set(3);
    const struct bytes none = bytes_of_string("");
    char name[4096];

    (void)state;
    memset(name, '\1', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(server_set_find(set, none, name, &nobody, 1).number, 1);
    assert_int_equal(strlen(label_of(set, 1)), 11 * 4 + 9);
    name[SERVER_IDENTITY_MAX] = '\0'; /* the same last bytes */
    assert_int_equal(server_set_find(set, none, name, &nobody, 1).number, 1);
    server_set_free(set);
}

/* One label value is one series: a server that is called "other" is not a second one. */
static void test_a_server_called_other(void **state)
{
    struct server_set *set = new_set(3);

    (void)state;
    assert_int_equal(number_of(set, "other"), SERVER_OTHER);
    assert_int_equal(info_of(set, 1)->generation, 0);
    assert_int_equal(number_of(set, "Other"), 1);
    server_set_free(set);
}

/* --- Servers that leave --- */

/* Pods of 30 rollouts, 30 at a time, each with a connection and a name of its own: none is `other`.
 */
static void test_rollouts(void **state)
{
    struct server_set *set = new_set(64);
    struct server_holder pods[30] = {0};

    (void)state;
    for (unsigned rollout = 0; rollout < 30; rollout++) {
        for (unsigned pod = 0; pod < 30; pod++) {
            char name[32];
            uint64_t now = (1 + rollout) * NS_PER_SECOND + pod;
            (void)snprintf(name, sizeof name, "coredns-%u-%u", rollout, pod);
            server_holder_close(set, &pods[pod]);
            pods[pod] = open_holder(set);
            unsigned number = number_at(set, name, &pods[pod], now);
            assert_int_not_equal(number, SERVER_OTHER);
            assert_string_equal(label_of(set, number), name);
            assert_int_equal(info_of(set, number)->created_ns, now);
        }
    }
    for (unsigned pod = 0; pod < 30; pod++) {
        server_holder_close(set, &pods[pod]);
    }
    server_set_free(set);
}

/* Of those that left the one goes that was seen least recently. */
static void test_least_recently_seen_leaves(void **state)
{
    struct server_set *set = new_set(2);
    struct server_holder first = open_holder(set);
    struct server_holder second = open_holder(set);
    struct server_holder third = open_holder(set);
    struct server_ref a = server_set_find(set, bytes_of_string("a"), "", &first, 10);
    struct server_ref b = server_set_find(set, bytes_of_string("b"), "", &second, 20);

    (void)state;
    server_set_touch(set, a, 30);
    assert_int_equal(number_at(set, "c", &third, 40), SERVER_OTHER); /* both are connected */
    server_holder_close(set, &first);
    server_holder_close(set, &second);
    assert_int_equal(number_at(set, "c", &third, 40 + NS_PER_SECOND), b.number);
    assert_true(server_set_is_current(set, a));
    assert_false(server_set_is_current(set, b));
    /* What is left of b changes nothing for c. */
    server_set_touch(set, b, UINT64_MAX);
    server_set_hold(set, b, &third);
    assert_string_equal(label_of(set, b.number), "c");
    server_holder_close(set, &third);
    server_set_free(set);
}

/* A server with a connection stays until it has been silent for the time. */
static void test_silent_servers_leave(void **state)
{
    struct server_set *set = new_set(2);
    struct server_holder first = open_holder(set);
    struct server_holder second = open_holder(set);
    struct server_holder third = open_holder(set);
    struct server_ref a = server_set_find(set, bytes_of_string("a"), "", &first, 0);
    struct server_ref b = server_set_find(set, bytes_of_string("b"), "", &second, 0);
    uint64_t heard_ns = 1800 * NS_PER_SECOND;
    uint64_t late = heard_ns + EXPIRY_NS;

    (void)state;
    server_set_touch(set, a, heard_ns);
    server_set_touch(set, b, heard_ns + 1);
    assert_int_equal(number_at(set, "c", &third, late - NS_PER_SECOND), SERVER_OTHER);
    assert_int_equal(number_at(set, "c", &third, late), a.number);
    /* Its connection is open still: when it sends again it is a new server. */
    assert_false(server_set_is_current(set, a));
    assert_int_equal(number_at(set, "a", &first, late + 2), b.number);
    assert_int_equal(info_of(set, b.number)->created_ns, late + 2);
    server_holder_close(set, &first);
    server_holder_close(set, &second);
    server_holder_close(set, &third);
    server_set_free(set);
}

/* A server with several connections has left when the last one is closed. */
static void test_last_connection(void **state)
{
    struct server_set *set = new_set(2);
    struct server_holder first = open_holder(set);
    struct server_holder second = open_holder(set);
    struct server_holder third = open_holder(set);

    (void)state;
    unsigned number = number_at(set, "a", &first, 1);
    assert_int_equal(number_at(set, "a", &second, 1), number);
    assert_int_not_equal(number_at(set, "b", &third, 1), SERVER_OTHER);
    server_holder_close(set, &first);
    server_holder_close(set, &first); /* done already */
    assert_int_equal(number_at(set, "c", &third, 2), SERVER_OTHER);
    server_holder_close(set, &second);
    server_holder_close(set, &third);
    third = open_holder(set);
    assert_int_not_equal(number_at(set, "c", &third, 3), SERVER_OTHER);
    server_holder_close(set, &third);
    server_set_free(set);
}

/* A server that is held stays; one whose number is another's by now cannot be held. */
static void test_hold(void **state)
{
    struct server_set *set = new_set(1);
    struct server_holder first = open_holder(set);
    struct server_holder second = open_holder(set);
    struct server_ref a = server_set_find(set, bytes_of_string("a"), "input", &first, 1);

    (void)state;
    assert_true(server_set_hold(set, a, &second));
    server_holder_close(set, &first);
    assert_int_equal(number_at(set, "b", &second, 2), SERVER_OTHER);
    assert_true(server_set_is_current(set, a));
    server_holder_close(set, &second);

    struct server_holder third = open_holder(set);
    assert_int_equal(number_at(set, "b", &third, 3), a.number);
    assert_false(server_set_hold(set, a, &third));
    server_holder_close(set, &third);
    server_set_free(set);
}

/* Names that one connection makes up take half of the places, and leave with it. */
static void test_one_connection_gets_half(void **state)
{
    struct server_set *set = new_set(64);
    struct server_holder attacker = open_holder(set);
    struct server_holder server = open_holder(set);
    unsigned places = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "made-up-%u", i);
        places += number_at(set, name, &attacker, 2 * NS_PER_SECOND * i) != SERVER_OTHER;
    }
    assert_int_equal(places, 32);
    assert_int_not_equal(number_at(set, "real", &server, 1), SERVER_OTHER);
    server_holder_close(set, &attacker);
    for (unsigned i = 0; i < 31; i++) { /* half of the places, one of them used */
        char name[16];
        (void)snprintf(name, sizeof name, "real-%u", i);
        assert_int_not_equal(number_at(set, name, &server, 1), SERVER_OTHER);
    }
    server_holder_close(set, &server);
    server_set_free(set);
}

/* The connection of a relay brings pods that come and go: a new one takes the place of one of its
 * own that fell silent, and of nobody else's. */
static void test_a_relay(void **state)
{
    struct server_set *set = new_set(8);
    struct server_holder relay = open_holder(set);
    struct server_holder server = open_holder(set);
    uint64_t now_ns = 1;

    (void)state;
    for (unsigned i = 0; i < 4; i++) { /* connected, but silent from now on */
        char name[16];
        (void)snprintf(name, sizeof name, "real-%u", i);
        assert_int_not_equal(number_at(set, name, &server, now_ns), SERVER_OTHER);
    }
    for (unsigned rollout = 0; rollout < 3; rollout++) {
        for (unsigned i = 0; i < 4; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "pod-%u-%u", rollout, i);
            assert_int_not_equal(number_at(set, name, &relay, now_ns), SERVER_OTHER);
        }
        assert_int_equal(number_at(set, "one too many", &relay, now_ns), SERVER_OTHER);
        now_ns += EXPIRY_NS;
    }
    for (unsigned i = 1; i <= 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "real-%u", i - 1);
        assert_string_equal(label_of(set, i), name);
    }
    server_holder_close(set, &relay);
    server_holder_close(set, &server);
    server_set_free(set);
}

static struct server_set *shared;

#define NAMES 60

static void *add_all(void *argument)
{
    unsigned start = *(const unsigned *)argument;

    for (unsigned i = 0; i < NAMES; i++) {
        struct server_holder holder = {0};
        char name[16];
        (void)snprintf(name, sizeof name, "s%u", (start + i) % NAMES);
        unsigned number = number_at(shared, name, &holder, 1);
        if (number == SERVER_OTHER || number > NAMES) {
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
        for (unsigned i = 0; i < NAMES; i++) { /* none twice: all places are used */
            assert_int_equal(info_of(shared, 1 + i)->generation, 1);
        }
        assert_int_equal(number_of(shared, "one more"), SERVER_OTHER);
        server_set_free(shared);
    }
}

/* The set has places for the series of three pairs of a server and a role. */
static void test_series(void **state)
{
    struct server_set *set = new_set(2);
    struct server_holder holder;
    const struct server_ref other = {SERVER_OTHER, 0};

    (void)state;
    assert_int_equal(server_holder_open(set, &holder), 0);
    struct server_ref a = server_set_find(set, bytes_of_string("a"), "i", &holder, 1);
    struct server_ref b = server_set_find(set, bytes_of_string("b"), "i", &nobody, 1);
    assert_true(server_set_take_series(set, a, 0));
    assert_true(server_set_take_series(set, a, 6));
    assert_true(server_set_take_series(set, b, 0));
    assert_false(server_set_take_series(set, b, 1));
    assert_true(server_set_take_series(set, a, 6)); /* it has them */
    for (unsigned role = 0; role < 7; role++) {
        assert_true(server_set_take_series(set, other, role));
    }
    /* One that is replaced gives them back, and gets none any more. */
    server_holder_close(set, &holder);
    assert_int_equal(server_holder_open(set, &holder), 0);
    struct server_ref c = server_set_find(set, bytes_of_string("c"), "i", &holder, 2);
    assert_int_equal(c.number, a.number);
    assert_false(server_set_take_series(set, a, 3));
    assert_true(server_set_take_series(set, c, 3));
    assert_true(server_set_take_series(set, b, 1));
    assert_false(server_set_take_series(set, c, 4));
    server_holder_close(set, &holder);
    server_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_labels_are_escaped),
        cmocka_unit_test(test_long_identities),
        cmocka_unit_test(test_long_input_names),
        cmocka_unit_test(test_a_server_called_other),
        cmocka_unit_test(test_rollouts),
        cmocka_unit_test(test_least_recently_seen_leaves),
        cmocka_unit_test(test_silent_servers_leave),
        cmocka_unit_test(test_last_connection),
        cmocka_unit_test(test_one_connection_gets_half),
        cmocka_unit_test(test_a_relay),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_threads_add_at_once),
    };

    server_set_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
