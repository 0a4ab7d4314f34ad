/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * read_coalescing.h - how long a worker waits before it reads a connection again
 *
 * The write of a server that wakes a sleeping reader also pays for the wake-up. A reader that comes
 * back by itself finds several writes at once, and the server's system calls stay short. So after a
 * read the worker delays the next one until COALESCE_BYTES more have come, at the rate of the last
 * read.
 *
 * These bytes must fit into the socket's buffer, whatever the server's writes are. Unbound's are
 * the worst, one for each frame: each write takes at least 768 bytes of Linux' default unix socket
 * buffer, 212,992 bytes, so that 277 writes fit, which are 27 KB of short frames. A read of clearly
 * more than COALESCE_BYTES is a burst: the frames come faster than before, or in writes of 8,000
 * bytes as libfstrm sends them, where a delay gains nothing. After a burst there is no delay for
 * COALESCE_AFTER_BURST_NS: a sender that waited for room, or for a busy core, looks slow right
 * before its next burst, and a buffer that is full again and again costs Unbound frames (measured:
 * 3 to 12 of 100, and four of five with a longer delay).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define COALESCE_BYTES        ((size_t)6 * 1024)
#define COALESCE_DELAY_MIN_NS UINT64_C(100000) /* less is not worth a timer */
#define COALESCE_DELAY_MAX_NS                                                                      \
    UINT64_C(2000000) /* an idle server may begin at full speed any time */
#define COALESCE_AFTER_BURST_NS                                                                    \
    UINT64_C(100000000) /* without a burst, before delays begin again                              \
                         */

/* A connection that has sent nothing for so long does not keep the others from a delay. */
#define COALESCE_IDLE_NS UINT64_C(100000000)

/** Of one connection; all zero at first. Times are monotonic. */
struct read_coalescing {
    uint64_t read_ns;  /* when something was read last */
    uint64_t burst_ns; /* when a read was a burst; 0: never */
    uint64_t delay_ns; /* for how long after read_ns the next read is delayed */
};

/** `got` bytes, at least 1, have been read at `now_ns`: set the delay. */
NONNULL void read_coalescing_update(struct read_coalescing *coalescing, size_t got,
                                    uint64_t now_ns);
