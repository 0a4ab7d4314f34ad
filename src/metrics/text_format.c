/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' text exposition format 0.0.4. */
#include <string.h>

#include "base/text.h"
#include "snapshot_internal.h"

static void begin_family(void *context, const struct metric_entry *entry)
{
    static const char *const types[] = {
        [METRIC_TYPE_COUNTER] = "counter",
        [METRIC_TYPE_GAUGE] = "gauge",
        [METRIC_TYPE_HISTOGRAM] = "histogram",
    };
    struct text *page = context;

    text_add_string(page, "# HELP ");
    text_add_string(page, entry->name);
    text_add_char(page, ' ');
    text_add_string(page, entry->help); /* ours: no backslash, no newline */
    text_add_string(page, "\n# TYPE ");
    text_add_string(page, entry->name);
    text_add_char(page, ' ');
    text_add_string(page, types[entry->type]);
    text_add_char(page, '\n');
}

/* Backslash, quote and newline are escaped in label values, and nothing else. */
static void add_label_value(struct text *page, const char *value)
{
    for (;;) {
        size_t plain = strcspn(value, "\\\"\n");

        text_add_bytes(page, (struct bytes){(const uint8_t *)value, plain});
        value += plain;
        if (*value == '\0') {
            return;
        }
        text_add_char(page, '\\');
        text_add_char(page, *value == '\n' ? 'n' : *value);
        value++;
    }
}

static void add_label(struct text *page, char before, const char *name, const char *value)
{
    text_add_char(page, before);
    text_add_string(page, name);
    text_add_string(page, "=\"");
    add_label_value(page, value);
    text_add_char(page, '"');
}

/* A series' name and labels; `bucket_label`, where not NULL, is the value of `le`. */
static void add_series(struct text *page, const struct metric_entry *entry, const char *suffix,
                       const char *const *values, const char *bucket_label)
{
    char before = '{';

    text_add_string(page, entry->name);
    text_add_string(page, suffix);
    for (unsigned i = 0; entry->labels[i] != NULL; i++) {
        add_label(page, before, entry->labels[i], values[i]);
        before = ',';
    }
    if (bucket_label != NULL) {
        add_label(page, before, "le", bucket_label);
        before = ',';
    }
    text_add_string(page, before == ',' ? "} " : " ");
}

static void integer(void *context, const struct metric_entry *entry, const char *const *values,
                    uint64_t value)
{
    struct text *page = context;

    add_series(page, entry, "", values, NULL);
    text_add_u64(page, value);
    text_add_char(page, '\n');
}

static void real(void *context, const struct metric_entry *entry, const char *const *values,
                 double value)
{
    struct text *page = context;

    add_series(page, entry, "", values, NULL);
    text_add_double(page, value);
    text_add_char(page, '\n');
}

static void histogram(void *context, const struct metric_entry *entry, const char *const *values,
                      const struct histogram *histogram, const struct histogram_bounds *bounds,
                      double per_unit)
{
    struct text *page = context;
    struct text bound = {0};
    uint64_t below = 0;

    for (size_t i = 0; i < bounds->count; i++) {
        below += histogram->buckets[i];
        text_clear(&bound);
        text_add_double(&bound, (double)bounds->upper[i] / per_unit);
        add_series(page, entry, "_bucket", values, bound.failed ? "" : bound.data);
        text_add_u64(page, below);
        text_add_char(page, '\n');
    }
    page->failed |= bound.failed;
    text_deinit(&bound);

    below += histogram->buckets[bounds->count];
    add_series(page, entry, "_bucket", values, "+Inf");
    text_add_u64(page, below);
    text_add_char(page, '\n');
    add_series(page, entry, "_sum", values, NULL);
    text_add_double(page, histogram_sum(histogram) / per_unit);
    text_add_char(page, '\n');
    add_series(page, entry, "_count", values, NULL);
    text_add_u64(page, below);
    text_add_char(page, '\n');
}

const struct sample_writer text_format = {
    .begin_family = begin_family,
    .integer = integer,
    .real = real,
    .histogram = histogram,
};
