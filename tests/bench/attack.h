/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * attack.h - what the attacks on an exporter share: targets, a share of the CPU, connections
 *
 * An attack is a function that one or several threads run until the process is told to end. Each
 * thread calls attack_rest() after every step, which keeps it within its share of a core.
 */

#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct attack_targets {
    const char *unix_path;
    struct sockaddr_in tcp;
    struct sockaddr_in web;
};

/* Relaxed: they are read once, at the end, for people. */
struct attack_counts {
    atomic_ullong steps;  /* bytes, connections, frames or pages, as the attack has it */
    atomic_ullong failed; /* connections and requests that were refused or broke */
};

/** One thread's share of a core. */
struct attack_budget {
    double share;     /* of a core */
    uint64_t wall_ns; /* when credit was counted last */
    uint64_t cpu_ns;  /* what the thread had used then */
    int64_t credit_ns;
};

struct attack {
    const struct attack_targets *targets;
    struct attack_counts *counts;
    struct attack_budget budget;
    unsigned thread; /* 0, 1, ... */
};

/** Sleep, if the thread has used more than its share. Credit of at most 10 ms is kept. */
void attack_rest(struct attack *attack);

void attack_sleep_ms(unsigned ms);

void attack_count(struct attack *attack, uint64_t steps);
void attack_count_failed(struct attack *attack);

/** Connect; the socket has time-outs of a second. Returns -1 if that failed, which counts. */
int attack_connect_unix(struct attack *attack);
int attack_connect_tcp(struct attack *attack);

/** Connect to the unix socket for even numbers, to TCP for odd ones. */
int attack_connect_either(struct attack *attack, unsigned number);

/** Connect to the web port from 127.0.0.`host`. */
int attack_connect_web(struct attack *attack, uint8_t host, int receive_buffer);

/** Close with a reset, so that no port stays taken. */
void attack_abort(int fd);

/** Send all bytes. Returns 0, or -1 if the peer has closed or does not read. */
int attack_send(int fd, const void *data, size_t len);

/** Write a START control frame to `at`; returns its end. */
uint8_t *attack_put_start(uint8_t *at);
uint8_t *attack_put_be32(uint8_t *at, size_t value);

#define ATTACK_START_SIZE 42

/* One function for each attack; none returns. */
typedef void attack_function(struct attack *attack);

attack_function attack_bytes, attack_reconnect, attack_silent, attack_lengths, attack_protocols;
attack_function attack_identities, attack_names, attack_garbage, attack_oversize;
attack_function attack_slow_requests, attack_busy_scrapers, attack_slow_readers;
