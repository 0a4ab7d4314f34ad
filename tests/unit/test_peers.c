/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "ingest/peers.h"

static struct peer peer_number(unsigned number)
{
    struct peer peer = {{'T'}};

    memcpy(peer.id + 1, &number, sizeof number);
    return peer;
}

/* Workers in turn, and the same one for the same peer, as long as it is remembered. */
static void test_workers(void **state)
{
    struct peers peers = {.seen = 0};

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < PEERS_REMEMBERED; i++) {
            const struct peer peer = peer_number(i);
            assert_int_equal(peers_worker(&peers, &peer, 3), i % 3);
        }
    }
    const struct peer fresh = peer_number(1000);
    const struct peer oldest = peer_number(0);
    const struct peer kept = peer_number(2);
    assert_int_equal(peers_worker(&peers, &fresh, 3), PEERS_REMEMBERED % 3);
    assert_int_equal(peers_worker(&peers, &oldest, 3), (PEERS_REMEMBERED + 1) % 3); /* forgotten */
    assert_int_equal(peers_worker(&peers, &kept, 3), 2);
}

static void test_who_it_is(void **state)
{
    struct connection_peer one, other;
    char expected[CONNECTION_PEER_SIZE];
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    const struct peer a = peer_of(fds[0], true, &one);
    const struct peer b = peer_of(fds[1], true, &other);
    assert_memory_equal(&a, &b, sizeof a); /* this process */
    (void)snprintf(expected, sizeof expected, "pid %d, uid %u", (int)getpid(), geteuid());
    assert_string_equal(one.text, expected);
    assert_int_equal(one.id_len, strcspn(expected, ","));
    const struct peer unknown = peer_of(fds[0], false, &other);
    assert_memory_not_equal(&a, &unknown, sizeof a);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_who_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
