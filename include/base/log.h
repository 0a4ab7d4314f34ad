/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * log.h - structured lines on standard error, as logfmt or JSON
 *
 * Any thread may log; a line is one write. Values may hold any bytes: they are quoted, and what is
 * not printable ASCII is escaped. A line is cut at 4 KiB. Writing never waits: where standard error
 * is a pipe or a terminal that nobody reads from, lines are dropped, and the next that gets through
 * says how many.
 */

#include "base/attr.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/** Write without waiting from now on, if standard error is something that may have to be waited
 * for. Before other threads start. */
void log_open(void);

/** Drop lines below `level`, write the others in `format`. Takes effect at once, everywhere. */
void log_configure(enum log_level level, enum log_format format);

/** Write one line: `message`, then pairs of a key and a value (both const char *), then NULL. */
NULL_TERMINATED void log_write(enum log_level level, const char *message, ...);

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
