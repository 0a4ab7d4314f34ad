/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * catalogue.h - every metric: name, type, unit, help, labels, and where its numbers are
 *
 * The contract with dashboards and alerts. A row that names a member of a table of counters needs
 * nothing else: one collector shows it in every format. The compiler checks that the member has as
 * many dimensions, and as many values in each, as the row has labels. A row that computes its
 * numbers names a function instead.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "count/label_values.h"
#include "sketch/histogram.h"
#include "top/pane.h"

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM };

/** The table that has a row's numbers. Its labels come before the row's own. */
enum metric_scope {
    SCOPE_FUNCTION,     /* the row's function knows */
    SCOPE_SERVER_ROLE,  /* struct server_counters: server, role */
    SCOPE_ANSWERS,      /* struct answer_counters: server, role */
    SCOPE_STREAM,       /* a flag of the state of a stream (stream_state.h): server, role */
    SCOPE_SERVER,       /* struct policy_counters: server */
    SCOPE_INPUT,        /* struct input_counters: input */
    SCOPE_INPUT_GAUGES, /* struct input_gauges: input */
    SCOPE_LISTENING,    /* the same, of inputs where servers connect */
    SCOPE_DIALLED,      /* the same, of inputs that connect to a server */
    SCOPE_OUTPUT,       /* struct output_counters: output */
    SCOPE_ARCHIVE,      /* struct archive_counters */
    SCOPE_GLOBAL,       /* struct global_counters */
    SCOPE_FORMAT,       /* struct scrape_stats: format */
    SCOPE_EXPORTER,     /* struct scrape */
    SCOPE_COUNT
};

/** Which series there are. */
enum metric_shown {
    SHOWN_ALWAYS,       /* all from the start, so that rate() sees the first event: few values */
    SHOWN_COUNTED,      /* those that have counted something: many values, most of them rare */
    SHOWN_WITH_QUERIES, /* if the server has sent queries in this role, or something was counted */
    SHOWN_WITH_RESPONSES, /* the same with responses */
};

/** What a scrape has to have for the row to be on it. */
enum metric_needs {
    NEEDS_NOTHING,
    NEEDS_SERVICE,    /* a running service and not files that were read */
    NEEDS_PROCESS,    /* /proc could be read */
    NEEDS_START_TIME, /* and it has the start of the process */
    NEEDS_OUTPUTS,
    NEEDS_DIALLED, /* an input that connects to a server */
    NEEDS_ARCHIVE,
    NEEDS_LISTS,
    NEEDS_LIST,     /* the row's list is on */
    NEEDS_DISTINCT, /* the row's distinct count is on */
    NEEDS_DETECTORS,
    NEEDS_BLOCK_LISTS,
    NEEDS_ANSWERS,     /* answers are counted */
    NEEDS_CERTIFICATE, /* the web server has one */
};

enum metric_value {
    VALUE_U64,
    VALUE_ATOMIC_U64,
    VALUE_BOOL,
    VALUE_ATOMIC_BOOL,
    VALUE_F64,
    VALUE_HISTOGRAM,
};

#define METRIC_LABELS_MAX 4 /* server, role and two more */

struct collector; /* src/expose/collector_internal.h */

struct metric_entry {
    const char *name; /* as in the text format: counters end in _total */
    enum metric_type type;
    const char *unit; /* "seconds", "bytes", or "" */
    const char *help;
    enum metric_scope scope;
    enum metric_shown shown;
    enum metric_needs needs;
    enum metric_value value;
    size_t offset; /* of the first number in the scope's table */
    /* The row's own labels, NULL-terminated, the outermost dimension first. */
    const struct label_values *labels[METRIC_LABELS_MAX + 1];
    const struct histogram_bounds *bounds;        /* of a histogram */
    void (*collect)(struct collector *collector); /* SCOPE_FUNCTION: shows the series */
    unsigned which; /* enum top_list or enum distinct_count, or flags of SCOPE_STREAM */
    bool is_error;  /* of a list: the error of its values */
};

/** The rows, in the order of the exposition. */
extern const struct metric_entry metric_catalogue[];
extern const size_t metric_catalogue_count;

/** The labels of a scope, NULL-terminated. */
extern const char *const metric_scope_labels[SCOPE_COUNT][METRIC_LABELS_MAX + 1];

/** The label of a list's keys. */
extern const char *const top_list_key_labels[TOP_LIST_COUNT];

/** Bytes of one number of this kind. */
size_t metric_value_size(enum metric_value value);
