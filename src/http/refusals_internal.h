/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * refusals_internal.h - clients that were refused: each is counted by reason, and logged, for each
 * reason once a minute
 */

#include <pthread.h>
#include <stdint.h>

#include "base/attr.h"
#include "count/socket_counters.h"

struct registry;

struct refusals {
    struct registry *registry;
    pthread_mutex_t lock; /* over the rest */
    struct {
        uint64_t logged_ns; /* monotonic; 0: never */
        uint64_t unlogged;  /* since then */
    } reasons[WEB_REFUSAL_COUNT];
};

NONNULL void refusals_init(struct refusals *refusals, struct registry *registry);

NONNULL void refusals_deinit(struct refusals *refusals);

/** Note that the client with this address was refused. `detail` is what it sent, for the log; NULL:
 * nothing worth it. Any thread. */
void refusals_note(struct refusals *refusals, enum web_refusal reason, const char *address,
                   const char *detail);
