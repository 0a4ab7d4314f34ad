/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * pace.h - how long a receiver may look away
 *
 * A receiver that sleeps on its socket is woken by the server's next write, in the server's time;
 * one that comes back by itself finds several writes at once, and the server's system calls stay
 * short. So after a read the receiver rests until PACE_BYTES more have come, at the rate seen last.
 *
 * They must fit the socket's buffer, whatever the server's writes are. The worst are Unbound's, one
 * for each frame: of Linux' default unix socket buffer, 212,992 bytes, each takes at least 768, so
 * that 277 of them fit, 27 KB of short frames. A read that brings clearly more than PACE_BYTES
 * means that they come faster than they did, or 8,000 bytes a write as libfstrm's users send, where
 * there is nothing to gain: then there is no rest for a while. For a sender that waited for room,
 * or for its turn on a busy core, looks slow right before its next burst, and a buffer that fills
 * again and again costs Unbound frames (measured: 3 to 12 of 100, and four of five with a rest that
 * was longer).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define PACE_BYTES       ((size_t)6 * 1024)
#define PACE_REST_MIN_NS UINT64_C(100000)    /* less is not worth a timer */
#define PACE_REST_MAX_NS UINT64_C(2000000)   /* a server at rest may begin at full speed any time */
#define PACE_CALM_NS     UINT64_C(100000000) /* for so long no read has brought too much */

/* A connection that brought nothing for so long keeps nobody from resting. */
#define PACE_IDLE_NS UINT64_C(100000000)

/** Of one connection; all zero at first. Times are monotonic. */
struct pace {
    uint64_t read_ns; /* when something was read last */
    uint64_t much_ns; /* when a read brought too much; 0: never */
    uint64_t rest_ns; /* for how long after read_ns nobody need look */
};

/** `got` bytes, at least 1, have been read at `now_ns`: set the rest. */
NONNULL void pace_note(struct pace *pace, size_t got, uint64_t now_ns);
