/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * registry.h - all metrics of the process: what the aggregator adds up, and what the exporter says
 * of itself
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config_row.h"
#include "record/aggregator.h"
#include "expose/exposition.h"
#include "count/socket_counters.h"

struct registry; /* opaque: src/expose/registry.c */

/* clang-format off */
#define EXPOSITION_KEYS(KEY, S)                                                                    \
    KEY(S, number, native_schema, "native_histogram_schema", "3", .least = 0, .most = 3,           \
        .help = "The resolution of native histograms, which Prometheus takes if it asks for "      \
                "protobuf. Each bucket ends at 2^(2^-schema) times the one before: 3 means 9 %, 2 " \
                "means 19 %, 1 means 41 %, and 0 doubles. A histogram has 160 buckets at the "     \
                "most; one that would have more is sent coarser.")
/* clang-format on */

struct exposition_settings {
    EXPOSITION_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows exposition_rows; /* of a struct exposition_settings */

/** What is borrowed here must outlive the registry, but for the names. */
struct registry_setup {
    struct aggregator *aggregator;
    const char *const *input_names;        /* [input_count], all different; copied */
    unsigned input_count;                  /* at most the aggregator's; others may come later */
    struct input_gauges *inputs;           /* [the aggregator's input_count]; borrowed */
    const char *const *output_names;       /* [output_count], all different; copied */
    const struct output_counters *outputs; /* [output_count] */
    unsigned output_count;
    const struct archive_counters *archive; /* NULL: there is none */
    size_t top_max_series;                  /* of a list */
    int native_schema; /* of native histograms, HISTOGRAM_SCHEMA_MIN to HISTOGRAM_SCHEMA_MAX */
};

/** Bytes of the largest page of metrics, in any format, and of the largest JSON document, whatever
 * peers send. */
struct registry_response_max {
    size_t page;
    size_t json;
};

/** Say how large they are for an aggregator of this setup. */
NONNULL struct registry_response_max registry_response_max(const struct aggregator_setup *setup,
                                                           unsigned input_count,
                                                           size_t top_max_series,
                                                           unsigned output_count);

/** Bytes that the history of the last hour takes. */
NONNULL size_t registry_history_memory(const struct aggregator_setup *setup);

/** Bytes that parts of JSON documents take at the most while they are made. */
size_t registry_json_parts_max(void);

/** Make a registry; on success the caller frees *out. Returns 0 or a negative errno. */
NONNULL MUST_USE int registry_create(struct registry **out, const struct registry_setup *setup);

void registry_free(struct registry *registry);

/** Time has passed: keep what the history needs. To be called every few seconds, by one thread. Not
 * where files are read. */
NONNULL void registry_tick(struct registry *registry);

/** Write the lists, at most `limit` entries each, the distinct counts and the active findings as
 * JSON into *page, which is cleared first. Any thread. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int registry_write_top(struct registry *registry, size_t limit, struct text *page);

/** Write the findings that are active and those that ended lately, at most `limit` of each, as JSON
 * into *page, which is cleared first. Any thread. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int registry_write_findings(struct registry *registry, size_t limit,
                                             struct text *page);

/** Write the same as registry_write_top() and the counts of every server and input as JSON into
 * *page, which is cleared first. Any thread. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int registry_write_status(struct registry *registry, size_t limit,
                                           struct text *page);

/** Write what each server did in each role in the last hour, minute by minute, as JSON into *page,
 * which is cleared first; `limit` is the most minutes. Any thread. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int registry_write_history(struct registry *registry, size_t limit,
                                            struct text *page);

/** Write the metrics in `format` into *page, which is cleared first. Any thread. Returns 0 or
 * -ENOMEM. */
NONNULL MUST_USE int registry_write_page(struct registry *registry, enum exposition format,
                                         struct text *page);

/** Count a page in `format` that took `duration_ns` to make. Any thread. */
NONNULL void registry_note_scrape(struct registry *registry, enum exposition format,
                                  uint64_t duration_ns);

/** The input of this number, at most the next new one, has this name from now on, or still has it,
 * and these properties. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int registry_set_input(struct registry *registry, unsigned input, const char *name,
                                        const struct endpoint *endpoint, unsigned sampling);

/** The input is no longer in the configuration: its counters stay, its gauges are not shown. */
NONNULL void registry_remove_input(struct registry *registry, unsigned input);

/** Count a client of the web server that was refused. Any thread. */
NONNULL void registry_count_refusal(struct registry *registry, enum web_refusal reason);

/** Say when the web server's certificate expires, in seconds since 1970; 0: it has none. Any
 * thread. */
NONNULL void registry_set_certificate_expiry(struct registry *registry, int64_t seconds);

/** Say what the process has given up. Any thread. */
NONNULL void registry_set_sandbox(struct registry *registry, const bool active[SANDBOX_PART_COUNT]);

/** Say how many system calls were refused. Any thread. */
NONNULL void registry_set_sandbox_violations(struct registry *registry, uint64_t count);

/** Note that the configuration was read, and whether it was sound. Any thread. */
NONNULL void registry_note_reload(struct registry *registry, bool successful);
