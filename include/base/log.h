/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * log.h - structured lines on standard error, as logfmt or JSON
 *
 * Any thread may log. Values may hold any bytes: they are quoted, and what is not printable ASCII
 * is escaped. A line is cut at 4 KiB. Between log_start() and log_stop() a thread of its own writes
 * the lines, from a queue of 64 KiB: whatever standard error is, nobody else waits for its reader.
 * Lines that find the queue full are lost and counted, and the next one says how many.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/** Write by a thread of its own from now on. Before other threads start. Returns 0 or a negative
 * errno; on success the caller ends with log_stop(). */
MUST_USE int log_start(void);

/** Write what is in the queue, for at most a second, and end the thread. After all other threads.
 */
void log_stop(void);

/** Lines lost so far. Any thread. */
uint64_t log_lost(void);

/** Drop lines below `level`, write the others in `format`. Where standard error leads to systemd's
 * journal, each begins with its priority (sd-daemon(3)), which the journal takes off. Takes effect at once, everywhere. */
void log_configure(enum log_level level, enum log_format format);

/** Write one line: `message`, then pairs of a key and a value (both const char *), then NULL. */
NULL_TERMINATED void log_write(enum log_level level, const char *message, ...);

struct log_pair {
    const char *key, *value;
};

/** Write one line: `message`, then `count` pairs. */
NONNULL void log_write_pairs(enum log_level level, const char *message,
                             const struct log_pair *pairs, size_t count);

#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
