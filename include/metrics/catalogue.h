/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * catalogue.h - every metric: name, type, unit, labels and help
 *
 * The contract with dashboards and alerts. Adding is free, renaming is not.
 */

#include "base/attr.h"

enum metric {
    METRIC_QUERIES,
    METRIC_RESPONSES,
    METRIC_QUERY_TYPES,
    METRIC_QUERY_OPCODES,
    METRIC_QUERY_FLAGS,
    METRIC_RESPONSE_CODES,
    METRIC_RESPONSE_FLAGS,
    METRIC_RESPONSE_OUTCOMES,
    METRIC_EDNS_OPTIONS,
    METRIC_EXTENDED_ERRORS,
    METRIC_POLICY_ACTIONS,
    METRIC_MALFORMED_MESSAGES,
    METRIC_RESPONSE_TIME,
    METRIC_QUERY_SIZE,
    METRIC_RESPONSE_SIZE,
    METRIC_QUERY_NAME_SIZE,
    METRIC_UNMATCHED_RESPONSES,
    METRIC_UNANSWERED_QUERIES,
    METRIC_NEGATIVE_RESPONSE_TIMES,
    METRIC_PAIRING_EVICTIONS,
    METRIC_INGEST_DELAY,
    METRIC_FRAMES,
    METRIC_FRAME_BYTES,
    METRIC_FRAMES_REJECTED,
    METRIC_CONNECTIONS,
    METRIC_CONNECTIONS_ACCEPTED,
    METRIC_CONNECTIONS_CLOSED,
    METRIC_LIMIT_OVERFLOWS,
    METRIC_BUILD_INFO,
    METRIC_SCRAPE_DURATION,
    METRIC_SCRAPES,
    METRIC_RELOAD_SUCCESSFUL,
    METRIC_RELOAD_TIMESTAMP,
    METRIC_PROCESS_CPU,
    METRIC_PROCESS_OPEN_FDS,
    METRIC_PROCESS_MAX_FDS,
    METRIC_PROCESS_VIRTUAL_MEMORY,
    METRIC_PROCESS_VIRTUAL_MEMORY_MAX,
    METRIC_PROCESS_RESIDENT_MEMORY,
    METRIC_PROCESS_START_TIME,
    METRIC_PROCESS_THREADS,
    METRIC_COUNT,
};

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM };

#define METRIC_LABELS_MAX 4

struct metric_entry {
    const char *name; /* as in the text format: counters end in _total */
    enum metric_type type;
    const char *unit;                          /* "seconds", "bytes", or "" */
    const char *labels[METRIC_LABELS_MAX + 1]; /* NULL-terminated, in the order of their values */
    const char *help;
};

/** The table, indexed by enum metric. */
extern const struct metric_entry metric_catalogue[METRIC_COUNT];
