/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * dialler.h - when an input connects to its server again
 *
 * An attempt follows the one before after one second, and after each one that did not lead to a
 * connection of some seconds after twice as long, to half a minute: a server that restarts is
 * there again within a second, and one that is away, or refuses us, is not besieged.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"

#define DIALLER_PAUSE_MIN_NS NS_PER_SECOND
#define DIALLER_PAUSE_MAX_NS (30 * NS_PER_SECOND)
#define DIALLER_STABLE_NS    (10 * NS_PER_SECOND) /* chosen: a connection that lasted */

/** Of one input; all zero at first. Times are monotonic. */
struct dialler {
    bool is_trying;        /* an attempt is under way */
    bool is_connected;     /* and has been since */
    bool is_reported;      /* the log has been told that it cannot connect */
    uint64_t connected_ns; /* since when it is connected */
    uint64_t attempt_ns;   /* not before then */
    uint64_t pause_ns;     /* after the next attempt; 0: the shortest */
};

/** Whether it is time to connect; then an attempt is under way. */
NONNULL bool dialler_is_due(struct dialler *dialler, uint64_t now_ns);

/** The attempt has led to a connection. */
NONNULL void dialler_note_connected(struct dialler *dialler, uint64_t now_ns);

/** The attempt has failed. Returns whether the log is to be told. */
NONNULL bool dialler_note_failure(struct dialler *dialler);

/** The connection has ended. */
NONNULL void dialler_note_end(struct dialler *dialler, uint64_t now_ns);
