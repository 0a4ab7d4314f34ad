/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * systemd.h - what the service manager is told, and what it passes
 *
 * systemd.c is the one with libsystemd, systemd_none.c the one of builds without it, where nobody
 * is told anything and nothing is passed.
 */

#include <stdint.h>

#include "base/attr.h"

/** Tell the service manager, as sd_notify(3): "READY=1". */
NONNULL void systemd_notify(const char *state);

/** The time in which the watchdog has to be told, in microseconds; 0: there is none. */
uint64_t systemd_watchdog_us(void);

/** Sockets that are passed: descriptors from *first on, whose names go to *names, which the caller
 *  frees, as each of them. Returns how many, or a negative errno. */
NONNULL MUST_USE int systemd_sockets(int *first, char ***names);
