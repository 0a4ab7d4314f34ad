/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by connections: many, silent, slow, or of another protocol. */
#include "attack.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- One byte at a time --- */

#define BYTES_CONNECTIONS 8

void attack_bytes(struct attack *attack)
{
    /* START, then one frame again and again: a query by a client, as short as dnstap allows. */
    static const uint8_t frame[] = {0,   0,    0,    21,   0x0a, 5,    'b',  'y', 't',
                                    'e', 's',  0x72, 10,   0x08, 5,    0x10, 1,   0x18,
                                    1,   0x30, 53,   0x40, 1,    0x78, 1};
    uint8_t stream[ATTACK_START_SIZE + sizeof frame];
    int fds[BYTES_CONNECTIONS];
    size_t at[BYTES_CONNECTIONS] = {0};

    memcpy(attack_put_start(stream), frame, sizeof frame);
    memset(fds, -1, sizeof fds);
    for (unsigned i = 0;; i = (i + 1) % BYTES_CONNECTIONS) {
        if (fds[i] < 0) {
            fds[i] = attack_connect_either(attack, i);
            at[i] = 0;
        }
        if (fds[i] >= 0 && attack_send(fds[i], stream + at[i], 1) < 0) {
            attack_count_failed(attack);
            attack_abort(fds[i]);
            fds[i] = -1;
        } else if (fds[i] >= 0) {
            at[i] = at[i] + 1 < sizeof stream ? at[i] + 1 : ATTACK_START_SIZE;
            attack_count(attack, 1);
        }
        attack_rest(attack);
    }
}

/* --- Connect and close --- */

void attack_reconnect(struct attack *attack)
{
    for (unsigned i = 0;; i++) {
        int fd = attack_connect_either(attack, i);

        if (fd >= 0) {
            attack_abort(fd);
            attack_count(attack, 1);
        }
        attack_rest(attack);
    }
}

/* --- Silence --- */

#define SILENT_CONNECTIONS 320 /* 160 on each of two inputs, whose limit is 128 by default */

static int silent_open(struct attack *attack, int epoll, unsigned number)
{
    int fd = attack_connect_either(attack, number);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = number};

    if (fd >= 0) {
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        attack_count(attack, 1);
    }
    return fd;
}

void attack_silent(struct attack *attack)
{
    struct epoll_event events[64];
    int fds[SILENT_CONNECTIONS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < SILENT_CONNECTIONS; i++) {
        fds[i] = silent_open(attack, epoll, i);
        attack_rest(attack);
    }
    for (;;) {
        int count = epoll_wait(epoll, events, sizeof events / sizeof *events, 100);

        for (int i = 0; i < count; i++) { /* who is sent away comes again */
            unsigned number = events[i].data.u32;
            attack_abort(fds[number]);
            fds[number] = silent_open(attack, epoll, number);
            attack_rest(attack);
        }
        for (unsigned i = 0; count == 0 && i < SILENT_CONNECTIONS; i++) {
            fds[i] = fds[i] < 0 ? silent_open(attack, epoll, i) : fds[i];
        }
        attack_rest(attack);
    }
}

/* --- Strangers: say something wrong, be sent away, come again --- */

#define STRANGERS 16 /* at the same time */

struct speech {
    const void *data;
    size_t len;
};

static void strangers_run(struct attack *attack, const struct speech *speeches, size_t count)
{
    char answer[512];
    int fds[STRANGERS];
    size_t next = 0;

    for (;;) {
        for (unsigned i = 0; i < STRANGERS; i++) {
            const struct speech *speech = &speeches[next++ % count];

            fds[i] = attack_connect_either(attack, i);
            if (fds[i] >= 0) {
                (void)attack_send(fds[i], speech->data, speech->len); /* or closed before: fine */
            }
        }
        for (unsigned i = 0; i < STRANGERS; i++) {
            if (fds[i] < 0) {
                continue;
            }
            while (recv(fds[i], answer, sizeof answer, 0) > 0) {
            }
            attack_abort(fds[i]);
            attack_count(attack, 1);
        }
        attack_rest(attack);
    }
}

void attack_lengths(struct attack *attack)
{
    static const size_t lengths[] = {0x100001, 0xffffffff,
                                     0x474554}; /* the first that is too long */
    uint8_t streams[3][ATTACK_START_SIZE + 4];
    struct speech speeches[3];

    for (unsigned i = 0; i < 3; i++) {
        (void)attack_put_be32(attack_put_start(streams[i]), lengths[i]);
        speeches[i] = (struct speech){streams[i], sizeof streams[i]};
    }
    strangers_run(attack, speeches, 3);
}

void attack_protocols(struct attack *attack)
{
    static const char http[] = "GET /metrics HTTP/1.1\r\nHost: example\r\n\r\n";
    static const uint8_t tls[512] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    static const uint8_t powerdns[160] = {0, 0x9a, 8, 1, 0x12, 0x10}; /* a length of two bytes */
    const struct speech speeches[] = {
        {tls, sizeof tls}, {http, sizeof http - 1}, {powerdns, sizeof powerdns}};

    strangers_run(attack, speeches, 3);
}
