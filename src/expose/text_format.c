/* SPDX-License-Identifier: Apache-2.0 */
/* The two formats for people and machines: Prometheus' text format 0.0.4 and OpenMetrics 1.0. */
#include <string.h>

#include "base/text.h"
#include "collector_internal.h"

#define COUNTER_SUFFIX "_total"

/* Escaped by a backslash: itself, newline, and quote if `quotes`. */
static void text_format_add_escaped(struct text *page, const char *string, bool quotes)
{
    for (;;) {
        size_t plain = strcspn(string, quotes ? "\\\"\n" : "\\\n");

        text_append_bytes(page, (struct bytes){(const uint8_t *)string, plain});
        string += plain;
        if (*string == '\0') {
            return;
        }
        text_append_char(page, '\\');
        text_append_char(page, *string == '\n' ? 'n' : *string);
        string++;
    }
}

static const char *const types[] = {
    [METRIC_TYPE_COUNTER] = "counter",
    [METRIC_TYPE_GAUGE] = "gauge",
    [METRIC_TYPE_HISTOGRAM] = "histogram",
};

static void begin_text_family(void *context, const struct metric_entry *entry)
{
    struct text *page = context;

    text_append_format(page, "# HELP %s ", entry->name);
    text_format_add_escaped(page, entry->help, false);
    text_append_format(page, "\n# TYPE %s %s\n", entry->name, types[entry->type]);
}

/* The start of a line about a family. */
static void add_metadata(struct text *page, const char *keyword, struct bytes family)
{
    text_append_string(page, keyword);
    text_append_bytes(page, family);
    text_append_char(page, ' ');
}

/* OpenMetrics names a counter's family without what its sample ends in. */
static void begin_openmetrics_family(void *context, const struct metric_entry *entry)
{
    struct text *page = context;
    struct bytes family = bytes_of_string(entry->name);

    if (entry->type == METRIC_TYPE_COUNTER) {
        family.len -= strlen(COUNTER_SUFFIX);
    }
    add_metadata(page, "# TYPE ", family);
    text_append_string(page, types[entry->type]);
    /* Also an empty one (OpenMetrics 1.0's ABNF): Prometheus 3.16 gives a family without it the unit
     * of the family before. */
    add_metadata(page, "\n# UNIT ", family);
    text_append_string(page, entry->unit);
    add_metadata(page, "\n# HELP ", family);
    text_format_add_escaped(page, entry->help, true);
    text_append_char(page, '\n');
}

static void add_label(struct text *page, char before, const char *name, const char *value)
{
    text_append_char(page, before);
    text_append_string(page, name);
    text_append_string(page, "=\"");
    text_format_add_escaped(page, value, true);
    text_append_char(page, '"');
}

/* A series' name and labels; `bucket_label`, where not NULL, is the value of `le`. */
static void add_series(struct text *page, const struct metric_entry *entry, const char *suffix,
                       const struct series_labels *labels, const char *bucket_label)
{
    char before = '{';

    text_append_string(page, entry->name);
    text_append_string(page, suffix);
    for (unsigned i = 0; i < labels->count; i++) {
        add_label(page, before, labels->names[i], labels->values[i]);
        before = ',';
    }
    if (bucket_label != NULL) {
        add_label(page, before, "le", bucket_label);
        before = ',';
    }
    text_append_string(page, before == ',' ? "} " : " ");
}

static void text_format_integer(void *context, const struct metric_entry *entry,
                                const struct series_labels *labels, uint64_t value)
{
    struct text *page = context;

    add_series(page, entry, "", labels, NULL);
    text_append_u64(page, value);
    text_append_char(page, '\n');
}

static void text_format_real(void *context, const struct metric_entry *entry,
                             const struct series_labels *labels, double value)
{
    struct text *page = context;

    add_series(page, entry, "", labels, NULL);
    text_append_double(page, value);
    text_append_char(page, '\n');
}

/* The bound as `le` has it; OpenMetrics wants it to look like a real number. */
static void print_bound(struct text *out, double bound, bool openmetrics)
{
    text_clear(out);
    text_append_double(out, bound);
    if (openmetrics && !out->failed && strpbrk(out->data, ".e") == NULL) {
        text_append_string(out, ".0");
    }
}

static void add_histogram(struct text *page, const struct metric_entry *entry,
                          const struct series_labels *labels, const struct histogram *histogram,
                          bool openmetrics)
{
    const struct histogram_bounds *bounds = entry->bounds;
    struct text bound = {0};
    uint64_t below = 0;

    for (size_t i = 0; i < bounds->count; i++) {
        below += histogram->buckets[i];
        print_bound(&bound, (double)bounds->upper[i] / bounds->unit->per_unit, openmetrics);
        add_series(page, entry, "_bucket", labels, bound.failed ? "" : bound.data);
        text_append_u64(page, below);
        text_append_char(page, '\n');
    }
    page->failed |= bound.failed;
    text_deinit(&bound);

    below += histogram->buckets[bounds->count];
    add_series(page, entry, "_bucket", labels, "+Inf");
    text_append_u64(page, below);
    text_append_char(page, '\n');
    add_series(page, entry, "_sum", labels, NULL);
    text_append_double(page, histogram_sum(histogram) / bounds->unit->per_unit);
    text_append_char(page, '\n');
    add_series(page, entry, "_count", labels, NULL);
    text_append_u64(page, below);
    text_append_char(page, '\n');
}

static void text_histogram(void *context, const struct metric_entry *entry,
                           const struct series_labels *labels, const struct histogram *histogram)
{
    add_histogram(context, entry, labels, histogram, false);
}

static void openmetrics_histogram(void *context, const struct metric_entry *entry,
                                  const struct series_labels *labels,
                                  const struct histogram *histogram)
{
    add_histogram(context, entry, labels, histogram, true);
}

void text_format_write(const struct scrape *scrape, struct text *page)
{
    static const struct encoder encoder = {begin_text_family, NULL, text_format_integer,
                                           text_format_real, text_histogram};

    collector_run(scrape, &encoder, page);
}

void openmetrics_format_write(const struct scrape *scrape, struct text *page)
{
    static const struct encoder encoder = {begin_openmetrics_family, NULL, text_format_integer,
                                           text_format_real, openmetrics_histogram};

    collector_run(scrape, &encoder, page);
    text_append_string(page, "# EOF\n");
}
