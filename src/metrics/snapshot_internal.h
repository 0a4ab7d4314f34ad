/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * snapshot_internal.h - the numbers of one moment, and a way over them for every format
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "metrics/catalogue.h"
#include "metrics/exposition.h"
#include "metrics/output_tally.h"
#include "metrics/process.h"
#include "metrics/shard.h"
#include "metrics/tally.h"

/** What the exporter says of the pages in one format. */
struct scrape_stats {
    uint64_t count;
    double last_duration_seconds;
};

/** Everything a page shows. Borrowed: valid while the registry's lock is held. */
struct snapshot {
    const struct tally *sum;
    const struct common_tally *common;
    const struct server_info *servers; /* [sum->server_count] */
    const struct code_labels *codes;   /* [CODE_KINDS] */
    const struct stream_states *streams;
    char *const *input_labels;
    const unsigned *input_sampling;     /* [sum->input_count]: one in so many messages comes */
    const atomic_bool *listening;       /* [sum->input_count] */
    char *const *output_labels;         /* [output_count] */
    const struct output_tally *outputs; /* [output_count] */
    unsigned output_count;
    const struct pane *window; /* NULL: no lists, no detectors */
    const struct client_privacy *privacy;
    uint64_t window_ns;
    struct heavy_hitter *top; /* [top_size]: room to put a list in order */
    size_t top_size;
    const struct hub_detections *detections; /* [DETECTOR_COUNT] */
    const struct burst *bursts;              /* [burst_count], highest score first */
    size_t burst_count;
    unsigned detectors; /* a bit for each that is on */
    bool of_service;    /* not of files: connections, scrapes and reloads have a meaning */
    bool has_process;
    struct process_stats process;
    const struct scrape_stats *scrapes; /* [EXPOSITION_COUNT] */
    uint64_t created_ns;                /* when all counts were zero, since 1970 */
    uint64_t since_1970_ns;             /* added to the monotonic clock gives the time since 1970 */
    int native_schema;                  /* as fine as native histograms may be */
    bool reload_successful;
    double reload_timestamp_seconds;
};

/** What a format does with the numbers. Label values come in the order of entry->labels. */
struct sample_writer {
    void (*begin_family)(void *context, const struct metric_entry *entry);
    /* NULL where the format does not show it. Called before the series that it is about. */
    void (*set_created)(void *context, uint64_t created_ns);
    void (*integer)(void *context, const struct metric_entry *entry, const char *const *values,
                    uint64_t value);
    void (*real)(void *context, const struct metric_entry *entry, const char *const *values,
                 double value);
    void (*histogram)(void *context, const struct metric_entry *entry, const char *const *values,
                      const struct histogram *histogram, const struct histogram_bounds *bounds);
};

/** Room for any key of any list as text. */
#define TOP_KEY_TEXT_SIZE DNS_NAME_TEXT_SIZE

/** Write a list's key as its label value. */
NONNULL void snapshot_print_key(const struct snapshot *snapshot, enum top_list list,
                                struct bytes key, char out[TOP_KEY_TEXT_SIZE]);

/** Since when a server's series have been counted, in ns since 1970. */
NONNULL uint64_t snapshot_server_created_ns(const struct snapshot *snapshot, unsigned server);

/** Show every series of the snapshot to `writer`, family by family in the catalogue's order. */
NONNULL void snapshot_visit(const struct snapshot *snapshot, const struct sample_writer *writer,
                            void *context);

/** Add the page in a format to *page, whose `failed` says whether it is whole. */
NONNULL void text_format_write(const struct snapshot *snapshot, struct text *page);
NONNULL void openmetrics_format_write(const struct snapshot *snapshot, struct text *page);
NONNULL void protobuf_format_write(const struct snapshot *snapshot, struct text *page);
