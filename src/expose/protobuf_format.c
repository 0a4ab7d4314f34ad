/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' protobuf format. A message in pieces is the message whole (protobuf's encoding guide,
 * "Last One Wins"): a family is written as one piece with its name and one for each of its series.
 */
#include "base/clock.h"
#include "base/text.h"
#include "metrics.pb-c.h"
#include "collector_internal.h"

struct protobuf_page {
    struct text *page;
    struct text family; /* the family under way; its length goes first */
    bool has_series;
    int native_schema;
    Io__Prometheus__Client__Timestamp created;
};

/* Protobuf-c's way to hand over what it packs. */
struct appender {
    ProtobufCBuffer base; /* first */
    struct text *to;
};

static void protobuf_format_append(ProtobufCBuffer *buffer, size_t len, const uint8_t *data)
{
    text_append_bytes(((struct appender *)buffer)->to, (struct bytes){data, len});
}

static void protobuf_format_add_piece(struct protobuf_page *page,
                                      const Io__Prometheus__Client__MetricFamily *piece)
{
    struct appender appender = {.base = {.append = protobuf_format_append}, .to = &page->family};

    (void)protobuf_c_message_pack_to_buffer(&piece->base, &appender.base);
}

static void add_varint(struct text *page, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        text_append_char(page, (char)(value | 0x80));
    }
    text_append_char(page, (char)value);
}

/* A family without a series is nothing to Prometheus. */
static void end_family(struct protobuf_page *page)
{
    if (page->has_series) {
        add_varint(page->page, page->family.len);
        text_append_bytes(page->page,
                          (struct bytes){(const uint8_t *)page->family.data, page->family.len});
    }
    text_clear(&page->family);
    page->has_series = false;
}

/* Protobuf-c's strings are not const, and it does not write to them. */
static char *unconst(const char *string)
{
    return (char *)(uintptr_t)string;
}

static void begin_family(void *context, const struct metric_entry *entry)
{
    static const Io__Prometheus__Client__MetricType types[] = {
        [METRIC_TYPE_COUNTER] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER,
        [METRIC_TYPE_GAUGE] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE,
        [METRIC_TYPE_HISTOGRAM] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM,
    };
    Io__Prometheus__Client__MetricFamily piece = IO__PROMETHEUS__CLIENT__METRIC_FAMILY__INIT;
    struct protobuf_page *page = context;

    end_family(page);
    piece.name = unconst(entry->name);
    piece.help = unconst(entry->help);
    piece.has_type = 1;
    piece.type = types[entry->type];
    piece.unit = entry->unit[0] != '\0' ? unconst(entry->unit) : NULL;
    protobuf_format_add_piece(page, &piece);
}

static void add_metric(struct protobuf_page *page, const struct series_labels *labels,
                       Io__Prometheus__Client__Metric *metric)
{
    Io__Prometheus__Client__MetricFamily piece = IO__PROMETHEUS__CLIENT__METRIC_FAMILY__INIT;
    Io__Prometheus__Client__LabelPair pairs[METRIC_LABELS_MAX];
    Io__Prometheus__Client__LabelPair *label[METRIC_LABELS_MAX];

    for (unsigned i = 0; i < labels->count; i++) {
        io__prometheus__client__label_pair__init(&pairs[i]);
        pairs[i].name = unconst(labels->names[i]);
        pairs[i].value = unconst(labels->values[i]);
        label[i] = &pairs[i];
    }
    metric->n_label = labels->count;
    metric->label = label;
    piece.n_metric = 1;
    piece.metric = &metric;
    protobuf_format_add_piece(page, &piece);
    metric->n_label = 0; /* the labels end here */
    metric->label = NULL;
    page->has_series = true;
}

static void protobuf_format_real(void *context, const struct metric_entry *entry,
                                 const struct series_labels *labels, double value)
{
    Io__Prometheus__Client__Metric metric = IO__PROMETHEUS__CLIENT__METRIC__INIT;
    Io__Prometheus__Client__Gauge gauge = IO__PROMETHEUS__CLIENT__GAUGE__INIT;
    Io__Prometheus__Client__Counter counter = IO__PROMETHEUS__CLIENT__COUNTER__INIT;
    struct protobuf_page *page = context;

    if (entry->type == METRIC_TYPE_COUNTER) {
        counter.has_value = 1;
        counter.value = value;
        counter.created_timestamp = &page->created;
        metric.counter = &counter;
    } else {
        gauge.has_value = 1;
        gauge.value = value;
        metric.gauge = &gauge;
    }
    add_metric(page, labels, &metric);
}

static void protobuf_format_integer(void *context, const struct metric_entry *entry,
                                    const struct series_labels *labels, uint64_t value)
{
    protobuf_format_real(context, entry, labels, (double)value);
}

/* The buckets of a message, and room for them. */
struct buckets {
    Io__Prometheus__Client__Bucket classic[HISTOGRAM_BOUNDS_MAX];
    Io__Prometheus__Client__Bucket *classics[HISTOGRAM_BOUNDS_MAX];
    Io__Prometheus__Client__BucketSpan span[HISTOGRAM_NATIVE_SHOWN_MAX];
    Io__Prometheus__Client__BucketSpan *spans[HISTOGRAM_NATIVE_SHOWN_MAX];
    int64_t deltas[HISTOGRAM_NATIVE_SHOWN_MAX];
};

/* Without `+Inf`, which is the count. */
static void set_classic(Io__Prometheus__Client__Histogram *message, struct buckets *room,
                        const struct histogram *histogram, const struct histogram_bounds *bounds)
{
    uint64_t below = 0;

    for (size_t i = 0; i < bounds->count; i++) {
        Io__Prometheus__Client__Bucket *bucket = room->classics[i] = &room->classic[i];

        io__prometheus__client__bucket__init(bucket);
        below += histogram->buckets[i];
        bucket->has_cumulative_count = bucket->has_upper_bound = 1;
        bucket->cumulative_count = below;
        bucket->upper_bound = (double)bounds->upper[i] / bounds->unit->per_unit;
    }
    message->n_bucket = bounds->count;
    message->bucket = room->classics;
}

static void add_span(Io__Prometheus__Client__Histogram *message, struct buckets *room, int offset)
{
    Io__Prometheus__Client__BucketSpan *span = &room->span[message->n_positive_span];

    io__prometheus__client__bucket_span__init(span);
    span->has_offset = span->has_length = 1;
    span->offset = offset;
    room->spans[message->n_positive_span++] = span;
}

/* Each bucket as what it has more than the one before. A run of buckets is a span: the first one's
 * offset is its index, a later one's the number of empty buckets before it. */
static void set_native(Io__Prometheus__Client__Histogram *message, struct buckets *room,
                       const struct native_histogram *native)
{
    int next = 0;
    int64_t last = 0;

    message->has_schema = message->has_zero_threshold = message->has_zero_count = 1;
    message->schema = native->schema;
    message->zero_threshold = native->zero_threshold;
    message->zero_count = native->zero_count;
    for (unsigned i = 0; i < native->count; i++) {
        if (i == 0 || native->index[i] != next) {
            add_span(message, room, native->index[i] - next);
        }
        room->span[message->n_positive_span - 1].length++;
        room->deltas[i] = (int64_t)native->values[i] - last;
        last = (int64_t)native->values[i];
        next = native->index[i] + 1;
    }
    if (native->count == 0) {
        add_span(message, room, 0); /* says that it is native, though empty */
    }
    message->positive_span = room->spans;
    message->n_positive_delta = native->count;
    message->positive_delta = room->deltas;
}

static void histogram(void *context, const struct metric_entry *entry,
                      const struct series_labels *labels, const struct histogram *histogram)
{
    const struct histogram_bounds *bounds = entry->bounds;
    Io__Prometheus__Client__Metric metric = IO__PROMETHEUS__CLIENT__METRIC__INIT;
    Io__Prometheus__Client__Histogram message = IO__PROMETHEUS__CLIENT__HISTOGRAM__INIT;
    struct protobuf_page *page = context;
    struct native_histogram native;
    struct buckets room;

    message.has_sample_count = message.has_sample_sum = 1;
    message.sample_count = histogram_count(histogram);
    message.sample_sum = histogram_sum(histogram) / bounds->unit->per_unit;
    message.created_timestamp = &page->created;
    set_classic(&message, &room, histogram, bounds);
    histogram_native(histogram, bounds, page->native_schema, &native);
    set_native(&message, &room, &native);
    metric.histogram = &message;
    add_metric(page, labels, &metric);
}

static void set_created(void *context, uint64_t created_ns)
{
    struct protobuf_page *page = context;

    page->created.has_seconds = page->created.has_nanos = 1;
    page->created.seconds = (int64_t)(created_ns / NS_PER_SECOND);
    page->created.nanos = (int32_t)(created_ns % NS_PER_SECOND);
}

void protobuf_format_write(const struct scrape *scrape, struct text *page)
{
    static const struct encoder encoder = {begin_family, set_created, protobuf_format_integer,
                                           protobuf_format_real, histogram};
    struct protobuf_page under_way = {
        .page = page,
        .native_schema = scrape->native_schema,
        .created = IO__PROMETHEUS__CLIENT__TIMESTAMP__INIT,
    };

    set_created(&under_way, scrape->created_ns);
    collector_run(scrape, &encoder, &under_way);
    end_family(&under_way);
    page->failed |= under_way.family.failed;
    text_deinit(&under_way.family);
}
