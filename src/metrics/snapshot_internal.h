/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * snapshot_internal.h - the numbers of one moment, and a way over them for every format
 */

#include <stdbool.h>

#include "metrics/catalogue.h"
#include "metrics/process.h"
#include "metrics/shard.h"
#include "metrics/tally.h"

/** Everything a page shows. Borrowed: valid while the registry's lock is held. */
struct snapshot {
    const struct tally *sum;
    const struct vocabulary *vocabulary;
    char *const *input_labels;
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
    uint64_t scrapes;
    double scrape_duration_seconds;
    bool reload_successful;
    double reload_timestamp_seconds;
};

/** What a format does with the numbers. Label values come in the order of entry->labels. */
struct sample_writer {
    void (*begin_family)(void *context, const struct metric_entry *entry);
    void (*integer)(void *context, const struct metric_entry *entry, const char *const *values,
                    uint64_t value);
    void (*real)(void *context, const struct metric_entry *entry, const char *const *values,
                 double value);
    /* Values and bounds divided by `per_unit` are in the metric's unit. */
    void (*histogram)(void *context, const struct metric_entry *entry, const char *const *values,
                      const struct histogram *histogram, const struct histogram_bounds *bounds,
                      double per_unit);
};

/** Room for any key of any list as text. */
#define TOP_KEY_TEXT_SIZE DNS_NAME_TEXT_SIZE

/** Write a list's key as its label value. */
NONNULL void snapshot_print_key(const struct snapshot *snapshot, enum top_list list,
                                struct bytes key, char out[TOP_KEY_TEXT_SIZE]);

/** Show every series of the snapshot to `writer`, family by family in the catalogue's order. */
NONNULL void snapshot_visit(const struct snapshot *snapshot, const struct sample_writer *writer,
                            void *context);

/** Writes the text format 0.0.4; its context is a struct text. */
extern const struct sample_writer text_format;
