/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * wakeup.h - a thread waits, another one wakes it (eventfd(2))
 *
 * The descriptor may also be in an epoll set. Any thread may signal; signals that come before the
 * thread waits wake it once.
 */

#include <stdint.h>

#include "base/attr.h"

struct wakeup {
    int fd; /* readable when it was signalled; -1: not made */
};

/** Make one; ends with wakeup_deinit(). Returns 0 or a negative errno. */
NONNULL MUST_USE int wakeup_init(struct wakeup *wakeup);

NONNULL void wakeup_deinit(struct wakeup *wakeup);

/** Wake the thread. */
NONNULL void wakeup_signal(const struct wakeup *wakeup);

/** Forget the signals so far. */
NONNULL void wakeup_clear(const struct wakeup *wakeup);

/** Wait for a signal, or until `until_ns` on the monotonic clock; UINT64_MAX: for ever. The caller
 * looks at what it waits for again: a system call may have been interrupted. */
NONNULL void wakeup_wait(const struct wakeup *wakeup, uint64_t until_ns);
