/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * output_tally.h - what became of the frames that were to be passed on
 *
 * Any thread may count and read: numbers for themselves, on which nothing else depends.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Why a frame was not passed on. */
enum output_drop {
    OUTPUT_DROP_QUEUE_FULL, /* the receiver is slow or away */
    OUTPUT_DROP_CUT,        /* the connection broke within it */
    OUTPUT_DROP_SHUTDOWN,   /* there was no time left for it */
    OUTPUT_DROP_COUNT
};

struct output_tally {
    _Atomic uint64_t frames; /* handed to the connection */
    _Atomic uint64_t dropped[OUTPUT_DROP_COUNT];
    atomic_bool connected;
};

static inline void output_tally_add(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}
