/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * collector_internal.h - every series of a scrape, in the catalogue's order, for one encoder
 */

#include "expose/catalogue.h"
#include "scrape_internal.h"

/** The labels of one series. */
struct series_labels {
    unsigned count;
    const char *names[METRIC_LABELS_MAX];
    const char *values[METRIC_LABELS_MAX];
};

/** What a format does with the numbers. */
struct encoder {
    void (*begin_family)(void *context, const struct metric_entry *entry);
    /* NULL if the format does not show it. Called before the series that it is about. */
    void (*set_created)(void *context, uint64_t created_ns);
    void (*integer)(void *context, const struct metric_entry *entry,
                    const struct series_labels *labels, uint64_t value);
    void (*real)(void *context, const struct metric_entry *entry,
                 const struct series_labels *labels, double value);
    void (*histogram)(void *context, const struct metric_entry *entry,
                      const struct series_labels *labels, const struct histogram *histogram);
};

/** The family under way, and the labels of its series so far. */
struct collector {
    const struct scrape *scrape;
    const struct encoder *encoder;
    void *context;
    const struct metric_entry *entry;
    struct series_labels labels;
};

/** Show every series of the scrape to `encoder`, family by family. */
NONNULL void collector_run(const struct scrape *scrape, const struct encoder *encoder,
                           void *context);

/** Show the series that the labels name. */
static inline void collector_show_integer(struct collector *collector, uint64_t value)
{
    collector->encoder->integer(collector->context, collector->entry, &collector->labels, value);
}

/** Show the series that the labels name. */
static inline void collector_show_real(struct collector *collector, double value)
{
    collector->encoder->real(collector->context, collector->entry, &collector->labels, value);
}
