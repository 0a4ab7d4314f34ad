/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * collector_internal.h - a way over a scrape, under way: what the families' writers share
 */

#include "scrape_internal.h"

/** The family, and the label values of the series so far. */
struct visit {
    const struct scrape *scrape;
    const struct sample_writer *writer;
    void *context;
    const struct metric_entry *entry;
    const char *values[METRIC_LABELS_MAX];
};

/** The series that follow have been counted since then, in ns since 1970. */
static inline void set_created(struct visit *visit, uint64_t created_ns)
{
    if (visit->writer->set_created != NULL) {
        visit->writer->set_created(visit->context, created_ns);
    }
}

/** Show the series that `values` names. */
static inline void show_integer(struct visit *visit, uint64_t value)
{
    visit->writer->integer(visit->context, visit->entry, visit->values, value);
}

/** Likewise. */
static inline void show_real(struct visit *visit, double value)
{
    visit->writer->real(visit->context, visit->entry, visit->values, value);
}

/* --- Families of the window and the watch: src/expose/collector_traffic.c --- */

/** Whether the list, or the count, is on. */
bool scrape_has_list(const struct scrape *scrape, enum top_list list);
bool scrape_has_distinct(const struct scrape *scrape, enum distinct_count which);

/** Show a list's values, or their errors. */
void show_top(struct visit *visit, enum top_list list, bool error);

void show_top_evictions(struct visit *visit);
void show_distinct_clients(struct visit *visit);
void show_distinct_qnames(struct visit *visit);
void show_distinct_nxdomain_qnames(struct visit *visit);
void show_distinct_domains(struct visit *visit);
void show_detections(struct visit *visit);
void show_detections_active(struct visit *visit);
void show_suspects(struct visit *visit);
