/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * socket_counters.h - what the exporter says of the sockets of its inputs and outputs
 *
 * Any thread may count and read: numbers for themselves, on which nothing else depends.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"

/** An input's gauges. */
struct input_gauges {
    atomic_bool listening;           /* servers can connect */
    unsigned sampling;               /* one in so many messages comes; does not change */
    double sampling_ratio;           /* 1 divided by it */
    const struct endpoint *endpoint; /* where it listens; borrowed */
};

static inline void input_gauges_init(struct input_gauges *input, const struct endpoint *endpoint,
                                     unsigned sampling)
{
    input->endpoint = endpoint;
    atomic_init(&input->listening, true);
    input->sampling = sampling;
    input->sampling_ratio = 1.0 / sampling;
}

/** Why a frame was not passed on. */
enum output_drop {
    OUTPUT_DROP_QUEUE_FULL, /* the receiver is slow or away */
    OUTPUT_DROP_CUT,        /* the connection broke within it */
    OUTPUT_DROP_SHUTDOWN,   /* there was no time left for it */
    OUTPUT_DROP_COUNT
};

/** What became of the frames that were to be passed on by an output. */
struct output_counters {
    _Atomic uint64_t frames; /* handed to the connection */
    _Atomic uint64_t dropped[OUTPUT_DROP_COUNT];
    atomic_bool connected;
};

static inline void output_counters_add(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}
