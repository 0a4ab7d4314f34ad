/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * scrape_internal.h - one scrape: the numbers of a moment, and what the exporter says of itself
 */

#include <stdbool.h>

#include "base/text.h"
#include "expose/exposition.h"
#include "expose/process.h"
#include "record/aggregator.h"
#include "count/socket_counters.h"

/** What the exporter says of the expositions in one format. */
struct scrape_stats {
    uint64_t count;
    double last_duration_seconds;
};

/** The label values of the formats. */
extern const char *const exposition_names[EXPOSITION_COUNT];

struct history;     /* history_internal.h */
struct socket_file; /* base/socket_file.h */

/** Everything that an exposition shows. Valid while the registry has the aggregator's snapshot. */
struct scrape {
    struct snapshot numbers;
    char *const *input_labels;             /* [input_count] */
    unsigned input_count;                  /* at most numbers.sum->input_count */
    const struct input_gauges *inputs;     /* [input_count]; NULL if not of_service */
    struct socket_file *sockets;           /* [input_count]: of unix sockets */
    char *const *output_labels;            /* [output_count] */
    const struct output_counters *outputs; /* [output_count] */
    unsigned output_count;
    const struct archive_counters *archive; /* NULL: there is none */
    struct heavy_hitter *top; /* [scrape_top_room()] for top_size: room to put a list in order */
    size_t top_size;          /* series of a list, or of a list and server */
    const struct history *history; /* NULL if not of_service */
    bool of_service; /* not of files: connections, scrapes and reloads have a meaning */
    bool has_process;
    struct process_stats process;
    const struct scrape_stats *formats; /* [EXPOSITION_COUNT] */
    uint64_t log_lines_lost;
    uint64_t web_refusals[WEB_REFUSAL_COUNT];
    uint64_t sandbox_active[SANDBOX_PART_COUNT]; /* 0 or 1 */
    uint64_t sandbox_violations;
    bool has_certificate; /* of the web server */
    double certificate_expiry_seconds;
    uint64_t created_ns;    /* when all counts were zero, since 1970 */
    uint64_t since_1970_ns; /* added to the monotonic clock gives the time since 1970 */
    int native_schema;      /* as fine as native histograms may be */
    bool reload_successful;
    double reload_timestamp_seconds;
};

/** Room for any key of any list as text. */
#define TOP_KEY_TEXT_SIZE DNS_NAME_TEXT_SIZE

/** Write the at most `limit` keys of a list with the largest counts, of each server where lists are
 * by server, the largest first, into out[scrape_top_room()]. Returns how many there are. */
NONNULL size_t scrape_top(const struct scrape *scrape, enum top_list list, size_t limit,
                          struct heavy_hitter *out);

/** The room that scrape_top() needs, in entries, for lists of panes of this shape. */
NONNULL size_t scrape_top_room(const struct pane_shape *shape, size_t limit);

/** The label of the server that a key is of; NULL where lists are not by server. */
NONNULL const char *scrape_key_server(const struct scrape *scrape, struct bytes key);

/** Write a list's key as its label value, without its server. */
NONNULL void scrape_print_key(const struct scrape *scrape, enum top_list list, struct bytes key,
                              char out[TOP_KEY_TEXT_SIZE]);

/** Whether the list counts nanoseconds, which are shown as seconds. */
bool scrape_list_is_of_seconds(enum top_list list);

/** Nanoseconds of such a list as seconds. */
double scrape_list_seconds(uint64_t value);

/** Since when a server's series have been counted, in ns since 1970. */
NONNULL uint64_t scrape_server_created_ns(const struct scrape *scrape, unsigned server);

/** Whether the list, or the count, is on. */
NONNULL bool scrape_has_list(const struct scrape *scrape, enum top_list list);
NONNULL bool scrape_has_distinct(const struct scrape *scrape, enum distinct_count which);

/** Append the exposition in a format to *page, whose `failed` says whether it is whole. */
NONNULL void text_format_write(const struct scrape *scrape, struct text *page);
NONNULL void openmetrics_format_write(const struct scrape *scrape, struct text *page);
NONNULL void protobuf_format_write(const struct scrape *scrape, struct text *page);
