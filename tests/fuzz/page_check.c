/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/page_check.h"

#include <math.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "metrics.pb-c.h"

/* The first thing that is wrong. */
struct reader {
    struct cursor cursor;
    const uint8_t *start;
    const char *wrong;
    const uint8_t *wrong_at;
    struct page_sums *sums;
};

static void reader_init(struct reader *reader, struct bytes page, struct page_sums *sums)
{
    *sums = (struct page_sums){0};
    *reader = (struct reader){cursor_over(page), page.data, NULL, page.data, sums};
}

static void reader_fail(struct reader *reader, const char *wrong)
{
    if (reader->wrong == NULL) {
        reader->wrong = wrong;
        reader->wrong_at = reader->cursor.at;
    }
    cursor_fail(&reader->cursor);
}

static const char *reader_finish(const struct reader *reader, size_t *at)
{
    *at = (size_t)(reader->wrong_at - reader->start);
    return reader->wrong == NULL && reader->cursor.failed ? "ends early" : reader->wrong;
}

static uint8_t reader_peek(const struct reader *reader)
{
    return reader->cursor.at < reader->cursor.end ? *reader->cursor.at : 0;
}

/* Pass over the string, which has to come next. */
static void reader_expect(struct reader *reader, const char *string, const char *wrong)
{
    struct bytes expected = bytes_of_string(string);

    if (cursor_left(&reader->cursor) < expected.len ||
        memcmp(reader->cursor.at, expected.data, expected.len) != 0) {
        reader_fail(reader, wrong);
        return;
    }
    reader->cursor.at += expected.len;
}

static struct bytes reader_since(const struct reader *reader, const uint8_t *start)
{
    return (struct bytes){start, reader->wrong == NULL ? (size_t)(reader->cursor.at - start) : 0};
}

static bool bytes_are(struct bytes bytes, const char *string)
{
    return bytes_equal(bytes, bytes_of_string(string));
}

/* --- UTF-8 (RFC 3629) --- */

/* Returns the bytes of the character, or 0 where it is none. */
static size_t utf8_len(const uint8_t *at, size_t left)
{
    static const struct {
        uint8_t first_min, first_max, second_min, second_max;
        uint8_t len;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t len = forms[i].len;
        if (at[0] < forms[i].first_min || at[0] > forms[i].first_max || left < len) {
            continue;
        }
        bool sound = at[1] >= forms[i].second_min && at[1] <= forms[i].second_max;
        for (size_t k = 2; k < len; k++) {
            sound &= (at[k] & 0xc0) == 0x80;
        }
        return sound ? len : 0;
    }
    return 0;
}

static bool is_utf8(struct bytes bytes)
{
    const uint8_t *end = bytes.data + bytes.len;

    for (const uint8_t *at = bytes.data; at < end;) {
        size_t len = *at < 0x80 ? 1 : utf8_len(at, (size_t)(end - at));
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

/* --- What came before --- */

/* Series and families of a page by a hash of 64 bits: two share one with probability 2^-30. */
#define SEEN_PLACES (1u << 17)

struct seen {
    uint64_t hashes[SEEN_PLACES]; /* 0: none */
    size_t count;
};

static uint64_t seen_hash(uint64_t hash, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    }
    return hash;
}

/* Returns whether the hash is new. */
static bool seen_insert(struct seen *seen, uint64_t hash)
{
    size_t place = (size_t)(hash ^ hash >> 32) % SEEN_PLACES;

    hash |= hash == 0;
    for (; seen->hashes[place] != 0; place = (place + 1) % SEEN_PLACES) {
        if (seen->hashes[place] == hash) {
            return false;
        }
    }
    if (++seen->count > SEEN_PLACES / 2) {
        abort(); /* the table is too small for the page */
    }
    seen->hashes[place] = hash;
    return true;
}

#define SEEN_START UINT64_C(0xcbf29ce484222325)

/* --- Sums --- */

static void sums_add(struct page_sums *sums, struct bytes name, uint64_t value)
{
    static const struct {
        const char *name;
        size_t offset;
    } parts[] = {
        {"dnstap_frames_total", offsetof(struct page_sums, frames)},
        {"dnstap_queries_total", offsetof(struct page_sums, queries)},
        {"dnstap_responses_total", offsetof(struct page_sums, responses)},
        {"dnstap_frames_rejected_total", offsetof(struct page_sums, rejected)},
        {"dnstap_expired_messages_total", offsetof(struct page_sums, expired)},
    };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (bytes_are(name, parts[i].name)) {
            *(uint64_t *)(void *)((char *)sums + parts[i].offset) += value;
        }
    }
}

/* --- Text --- */

enum sample_type { SAMPLE_COUNTER, SAMPLE_GAUGE, SAMPLE_HISTOGRAM };

struct text_reader {
    struct reader reader;
    bool openmetrics;
    struct bytes family;
    bool has_type, has_help;
    enum sample_type type;
    /* Of the histogram under way. */
    bool in_buckets, has_infinity;
    uint64_t below;
    double bound;
    struct seen seen;
};

static bool is_name_char(uint8_t c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

    return letter || (!first && c >= '0' && c <= '9');
}

static struct bytes text_name(struct reader *reader)
{
    const uint8_t *start = reader->cursor.at;

    while (is_name_char(reader_peek(reader), reader->cursor.at == start)) {
        reader->cursor.at++;
    }
    if (reader->cursor.at == start) {
        reader_fail(reader, "no name");
    }
    return reader_since(reader, start);
}

/* Up to the end of the line, or to a quote if `in_quotes`, which is not passed over. */
static struct bytes text_escaped(struct reader *reader, bool in_quotes, bool escapes_quotes)
{
    const uint8_t *start = reader->cursor.at;
    const uint8_t end = in_quotes ? '"' : '\n';

    while (reader->cursor.at < reader->cursor.end && *reader->cursor.at != end) {
        uint8_t c = *reader->cursor.at++;
        uint8_t next = reader_peek(reader);
        if (c == '\\' && (next == '\\' || next == 'n' || (next == '"' && escapes_quotes))) {
            reader->cursor.at++;
        } else if (c == '\\' || c == '\n' || c == '\0' || (c == '"' && escapes_quotes)) {
            reader_fail(reader, "not escaped");
        }
    }
    return reader_since(reader, start);
}

static void text_begin_family(struct text_reader *text, struct bytes name)
{
    if (!seen_insert(&text->seen, seen_hash(~SEEN_START, name))) {
        reader_fail(&text->reader, "a family comes again");
    }
    if (text->in_buckets) {
        reader_fail(&text->reader, "a histogram without its count");
    }
    text->family = name;
    text->has_type = text->has_help = false;
}

static void text_type(struct text_reader *text)
{
    struct bytes type = text_name(&text->reader);

    if (bytes_are(type, "counter")) {
        text->type = SAMPLE_COUNTER;
    } else if (bytes_are(type, "gauge")) {
        text->type = SAMPLE_GAUGE;
    } else if (bytes_are(type, "histogram")) {
        text->type = SAMPLE_HISTOGRAM;
    } else {
        reader_fail(&text->reader, "unknown type");
    }
    text->has_type = true;
}

static bool ends_in(struct bytes name, struct bytes ending)
{
    return name.len > ending.len &&
           memcmp(name.data + name.len - ending.len, ending.data, ending.len) == 0;
}

static void text_unit(struct text_reader *text)
{
    struct reader *reader = &text->reader;

    if (reader_peek(reader) == '\n') {
        return; /* it has none */
    }
    struct bytes unit = text_name(reader);

    if (!text->openmetrics || !ends_in(text->family, unit) ||
        text->family.data[text->family.len - unit.len - 1] != '_') {
        reader_fail(&text->reader, "not the family's unit");
    }
}

/* A line that says something of a family: HELP or TYPE is the first of them. */
static void text_metadata(struct text_reader *text)
{
    struct reader *reader = &text->reader;

    reader_expect(reader, "# ", "a comment");
    struct bytes keyword = text_name(reader);
    reader_expect(reader, " ", "no blank");
    struct bytes name = text_name(reader);
    reader_expect(reader, " ", "no blank");
    if (bytes_are(keyword, text->openmetrics ? "TYPE" : "HELP")) {
        text_begin_family(text, name);
    } else if (!bytes_equal(name, text->family)) {
        reader_fail(reader, "of another family");
    }
    if (bytes_are(keyword, "TYPE") && !text->has_type) {
        text_type(text);
    } else if (bytes_are(keyword, "HELP") && !text->has_help) {
        (void)text_escaped(reader, false, text->openmetrics);
        text->has_help = true;
    } else if (bytes_are(keyword, "UNIT")) {
        text_unit(text);
    } else {
        reader_fail(reader, "unknown metadata");
    }
    reader_expect(reader, "\n", "no end of line");
}

static double text_double(struct reader *reader, struct bytes number)
{
    char copy[64];
    char *end;

    if (number.len == 0 || number.len >= sizeof copy) {
        reader_fail(reader, "no number");
        return 0;
    }
    memcpy(copy, number.data, number.len);
    copy[number.len] = '\0';
    if (strspn(copy, "+-.0123456789eEInfNa") != number.len) {
        reader_fail(reader, "no number");
    }
    double value = strtod(copy, &end);
    if (*end != '\0') {
        reader_fail(reader, "no number");
    }
    return value;
}

/* The value up to the end of the line; *out is its integer, 0 where it is none. */
static double text_value(struct reader *reader, uint64_t *out)
{
    const uint8_t *start = reader->cursor.at;
    uint64_t integer = 0;

    while (reader_peek(reader) >= '0' && reader_peek(reader) <= '9') {
        integer = 10 * integer + (unsigned)(*reader->cursor.at++ - '0');
    }
    bool is_integer = reader->cursor.at > start && reader_peek(reader) == '\n';
    while (reader_peek(reader) > ' ') {
        reader->cursor.at++;
    }
    *out = is_integer ? integer : 0;
    return is_integer ? (double)integer : text_double(reader, reader_since(reader, start));
}

struct sample {
    struct bytes name, labels; /* labels without the bucket's */
    struct bytes bound;
    struct bytes suffix; /* of the name, behind the family's */
};

static void text_labels(struct reader *reader, struct sample *out)
{
    if (reader_peek(reader) != '{') {
        return;
    }
    reader->cursor.at++;
    const uint8_t *start = reader->cursor.at;
    for (;;) {
        const uint8_t *label = reader->cursor.at;
        struct bytes name = text_name(reader);
        reader_expect(reader, "=\"", "no label value");
        struct bytes value = text_escaped(reader, true, true);
        if (bytes_are(name, "le")) {
            out->bound = value;
            out->labels = (struct bytes){start, (size_t)(label - start)};
        }
        reader_expect(reader, "\"", "no quote");
        if (reader_peek(reader) != ',') {
            break;
        }
        if (out->bound.data != NULL) {
            reader_fail(reader, "a label behind the bound");
        }
        reader->cursor.at++;
    }
    if (out->bound.data == NULL) {
        out->labels = reader_since(reader, start);
    }
    reader_expect(reader, "}", "no end of labels");
}

/* Of the name, the labels and, in a bucket, the bound. */
static uint64_t sample_hash(const struct sample *sample)
{
    uint64_t hash = seen_hash(SEEN_START, sample->name);

    hash = seen_hash(hash * 3, sample->labels);
    return seen_hash(hash * 5, sample->bound);
}

static void text_bucket(struct text_reader *text, const struct sample *sample, uint64_t value)
{
    double bound = text_double(&text->reader, sample->bound);

    if (text->in_buckets && (value < text->below || bound <= text->bound)) {
        reader_fail(&text->reader, "buckets do not grow");
    }
    if (text->openmetrics && memchr(sample->bound.data, '.', sample->bound.len) == NULL &&
        memchr(sample->bound.data, 'e', sample->bound.len) == NULL && !isinf(bound)) {
        reader_fail(&text->reader, "a bound that looks like an integer");
    }
    text->in_buckets = true;
    text->has_infinity = isinf(bound) != 0;
    text->below = value;
    text->bound = bound;
}

static void text_histogram_sample(struct text_reader *text, const struct sample *sample,
                                  uint64_t value)
{
    struct reader *reader = &text->reader;

    if (bytes_are(sample->suffix, "_bucket")) {
        text_bucket(text, sample, value);
    } else if (bytes_are(sample->suffix, "_count")) {
        if (!text->has_infinity || value != text->below) {
            reader_fail(reader, "the count is not that of the buckets");
        }
        text->in_buckets = text->has_infinity = false;
        reader->sums->series++;
    } else if (!bytes_are(sample->suffix, "_sum")) {
        reader_fail(reader, "a sample of another family");
    }
}

static void text_sample(struct text_reader *text)
{
    struct reader *reader = &text->reader;
    struct sample sample = {.name = text_name(reader)};
    uint64_t integer;

    text_labels(reader, &sample);
    reader_expect(reader, " ", "no blank");
    double value = text_value(reader, &integer);
    reader_expect(reader, "\n", "no end of line");
    if (reader->wrong != NULL) {
        return;
    }
    if (!text->has_type || !text->has_help || sample.name.len < text->family.len ||
        memcmp(sample.name.data, text->family.data, text->family.len) != 0) {
        reader_fail(reader, "a sample of another family");
        return;
    }
    sample.suffix = (struct bytes){sample.name.data + text->family.len,
                                   sample.name.len - text->family.len};
    if (!seen_insert(&text->seen, sample_hash(&sample))) {
        reader_fail(reader, "a series comes again");
    }
    if (text->type == SAMPLE_HISTOGRAM) {
        text_histogram_sample(text, &sample, integer);
        return;
    }
    bool counter = text->type == SAMPLE_COUNTER;
    if (!bytes_are(sample.suffix, counter && text->openmetrics ? "_total" : "") ||
        (counter && !ends_in(sample.name, bytes_of_string("_total")))) {
        reader_fail(reader, "a sample of another family");
    }
    if (counter && !(value >= 0)) {
        reader_fail(reader, "a counter below zero");
    }
    reader->sums->series++;
    sums_add(reader->sums, sample.name, integer);
}

static const char *check_text(struct bytes page, bool openmetrics, struct page_sums *out,
                              size_t *at)
{
    static struct text_reader text;
    struct reader *reader = &text.reader;

    memset(&text, 0, sizeof text);
    text.openmetrics = openmetrics;
    if (openmetrics) {
        const struct bytes end = bytes_of_string("# EOF\n");
        if (!ends_in(page, end)) {
            *at = page.len;
            return "no end";
        }
        page.len -= end.len;
    }
    reader_init(reader, page, out);
    if (!is_utf8(page)) {
        reader_fail(reader, "not UTF-8");
    }
    while (cursor_left(&reader->cursor) > 0) {
        if (reader_peek(reader) == '#') {
            text_metadata(&text);
        } else {
            text_sample(&text);
        }
    }
    if (text.in_buckets) {
        reader_fail(reader, "a histogram without its count");
    }
    return reader_finish(reader, at);
}

const char *page_check_text(struct bytes page, struct page_sums *out, size_t *at)
{
    return check_text(page, false, out, at);
}

const char *page_check_openmetrics(struct bytes page, struct page_sums *out, size_t *at)
{
    return check_text(page, true, out, at);
}

/* --- Protobuf --- */

static uint64_t protobuf_length(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(&reader->cursor);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    reader_fail(reader, "a length that is too long");
    return 0;
}

static void protobuf_classic(struct reader *reader,
                             const Io__Prometheus__Client__Histogram *histogram)
{
    for (size_t i = 0; i < histogram->n_bucket; i++) {
        const Io__Prometheus__Client__Bucket *bucket = histogram->bucket[i];
        const Io__Prometheus__Client__Bucket *last = i > 0 ? histogram->bucket[i - 1] : NULL;

        if (bucket->cumulative_count > histogram->sample_count ||
            (last != NULL && (bucket->cumulative_count < last->cumulative_count ||
                              bucket->upper_bound <= last->upper_bound))) {
            reader_fail(reader, "buckets do not grow");
        }
    }
}

static void protobuf_native(struct reader *reader,
                            const Io__Prometheus__Client__Histogram *histogram)
{
    uint64_t length = 0;
    uint64_t count = histogram->zero_count;
    int64_t value = 0;

    for (size_t i = 0; i < histogram->n_positive_span; i++) {
        length += histogram->positive_span[i]->length;
        if (i > 0 && histogram->positive_span[i]->offset <= 0) {
            reader_fail(reader, "spans touch");
        }
    }
    for (size_t i = 0; i < histogram->n_positive_delta; i++) {
        value += histogram->positive_delta[i];
        if (value < 0) {
            reader_fail(reader, "a bucket below zero");
        }
        count += (uint64_t)value;
    }
    if (length != histogram->n_positive_delta || count != histogram->sample_count ||
        histogram->n_positive_span == 0) {
        reader_fail(reader, "the count is not that of the native buckets");
    }
}

static void protobuf_metric(struct reader *reader, struct seen *seen,
                            const Io__Prometheus__Client__MetricFamily *family,
                            const Io__Prometheus__Client__Metric *metric)
{
    struct bytes name = bytes_of_string(family->name);
    uint64_t hash = seen_hash(SEEN_START, name);

    for (size_t i = 0; i < metric->n_label; i++) {
        const char *label = metric->label[i]->name;
        const char *value = metric->label[i]->value;
        if (label == NULL || value == NULL || !is_utf8(bytes_of_string(value))) {
            reader_fail(reader, "no label");
            return;
        }
        hash = seen_hash(hash * 3, bytes_of_string(label));
        hash = seen_hash(hash * 5, bytes_of_string(value));
    }
    if (!seen_insert(seen, hash)) {
        reader_fail(reader, "a series comes again");
    }
    reader->sums->series++;
    if (family->type == IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM &&
        metric->histogram != NULL && metric->histogram->created_timestamp != NULL) {
        protobuf_classic(reader, metric->histogram);
        protobuf_native(reader, metric->histogram);
    } else if (family->type == IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER &&
               metric->counter != NULL && metric->counter->value >= 0) {
        sums_add(reader->sums, name, (uint64_t)metric->counter->value);
    } else if (family->type != IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE ||
               metric->gauge == NULL) {
        reader_fail(reader, "a metric of another type");
    }
}

static void protobuf_family(struct reader *reader, struct seen *seen, struct bytes piece)
{
    Io__Prometheus__Client__MetricFamily *family = io__prometheus__client__metric_family__unpack(
        NULL, piece.len, piece.data);

    if (family == NULL) {
        reader_fail(reader, "no family");
        return;
    }
    if (family->name == NULL || family->help == NULL || !family->has_type ||
        family->n_metric == 0 || family->base.n_unknown_fields > 0) {
        reader_fail(reader, "a family without its parts");
    } else if (!seen_insert(seen, seen_hash(~SEEN_START, bytes_of_string(family->name)))) {
        reader_fail(reader, "a family comes again");
    } else {
        for (size_t i = 0; i < family->n_metric; i++) {
            protobuf_metric(reader, seen, family, family->metric[i]);
        }
    }
    io__prometheus__client__metric_family__free_unpacked(family, NULL);
}

const char *page_check_protobuf(struct bytes page, struct page_sums *out, size_t *at)
{
    static struct seen seen;
    struct reader reader;

    memset(&seen, 0, sizeof seen);
    reader_init(&reader, page, out);
    while (cursor_left(&reader.cursor) > 0) {
        uint64_t length = protobuf_length(&reader);
        struct bytes piece = cursor_take(&reader.cursor, length);
        if (piece.len == 0 || piece.len != length) {
            reader_fail(&reader, "a length beyond the end");
        } else {
            protobuf_family(&reader, &seen, piece);
        }
    }
    return reader_finish(&reader, at);
}

/* --- JSON --- */

#define JSON_DEPTH_MAX 16

/* The keys around a value; the innermost comes first. */
struct json_path {
    const struct json_path *outer;
    struct bytes key;
    unsigned depth;
};

static void json_value(struct reader *reader, const struct json_path *path);

static void json_escape(struct reader *reader)
{
    uint8_t c = cursor_u8(&reader->cursor);

    if (c == 'u') {
        for (unsigned i = 0; i < 4; i++) {
            uint8_t digit = cursor_u8(&reader->cursor);
            if (digit == 0 || strchr("0123456789abcdefABCDEF", digit) == NULL) {
                reader_fail(reader, "no hexadecimal digit");
            }
        }
    } else if (c == 0 || strchr("\"\\/bfnrt", c) == NULL) {
        reader_fail(reader, "not escaped");
    }
}

static struct bytes json_string(struct reader *reader)
{
    reader_expect(reader, "\"", "no string");
    const uint8_t *start = reader->cursor.at;
    while (reader->cursor.at < reader->cursor.end && *reader->cursor.at != '"') {
        uint8_t c = *reader->cursor.at++;
        if (c == '\\') {
            json_escape(reader);
        } else if (c < ' ') {
            reader_fail(reader, "a control character");
        }
    }
    struct bytes string = reader_since(reader, start);
    reader_expect(reader, "\"", "no end of string");
    return string;
}

static void json_digits(struct reader *reader)
{
    const uint8_t *start = reader->cursor.at;

    while (reader_peek(reader) >= '0' && reader_peek(reader) <= '9') {
        reader->cursor.at++;
    }
    if (reader->cursor.at == start) {
        reader_fail(reader, "no digit");
    }
}

static bool json_path_is(const struct json_path *path, const char *key)
{
    return path != NULL && bytes_are(path->key, key);
}

static void json_count(struct page_sums *sums, const struct json_path *path, uint64_t value)
{
    const struct json_path *outer = path->outer;

    if (json_path_is(path, "expired_messages") && path->depth == 1) {
        sums->expired += value;
    } else if (json_path_is(outer, "rejected")) {
        sums->rejected += value;
    } else if (json_path_is(outer, "") && json_path_is(outer->outer, "inputs")) {
        sums->frames += json_path_is(path, "frames") ? value : 0;
    } else if (json_path_is(outer, "") && json_path_is(outer->outer, "servers")) {
        sums->queries += json_path_is(path, "queries") ? value : 0;
        sums->responses += json_path_is(path, "responses") ? value : 0;
    }
}

static void json_number(struct reader *reader, const struct json_path *path)
{
    bool negative = reader_peek(reader) == '-';
    uint64_t value = 0;

    reader->cursor.at += negative;
    const uint8_t *start = reader->cursor.at;
    json_digits(reader);
    struct bytes digits = reader_since(reader, start);
    if (digits.len > 1 && digits.data[0] == '0') {
        reader_fail(reader, "a zero in front");
    }
    for (size_t i = 0; i < digits.len; i++) {
        value = 10 * value + (unsigned)(digits.data[i] - '0');
    }
    json_count(reader->sums, path, negative ? 0 : value);
    if (reader_peek(reader) == '.') {
        reader->cursor.at++;
        json_digits(reader);
    }
    if (reader_peek(reader) == 'e' || reader_peek(reader) == 'E') {
        reader->cursor.at++;
        reader->cursor.at += reader_peek(reader) == '+' || reader_peek(reader) == '-';
        json_digits(reader);
    }
}

/* What is between the brackets: values, each with its key if `keyed`. */
static void json_items(struct reader *reader, const struct json_path *outer, bool keyed)
{
    struct json_path path = {.outer = outer, .key = {NULL, 0}, .depth = outer->depth + 1};
    const uint8_t end = keyed ? '}' : ']';

    if (path.depth > JSON_DEPTH_MAX) {
        reader_fail(reader, "too deep");
    }
    reader->cursor.at++;
    if (reader_peek(reader) == end) {
        reader->cursor.at++;
        return;
    }
    for (;;) {
        if (keyed) {
            path.key = json_string(reader);
            reader_expect(reader, ":", "no colon");
        }
        json_value(reader, &path);
        uint8_t c = cursor_u8(&reader->cursor);
        if (c != ',') {
            if (c != end) {
                reader_fail(reader, "no end of a list");
            }
            return;
        }
    }
}

static void json_value(struct reader *reader, const struct json_path *path)
{
    switch (reader_peek(reader)) {
    case '{':
        json_items(reader, path, true);
        break;
    case '[':
        json_items(reader, path, false);
        break;
    case '"':
        (void)json_string(reader);
        break;
    case 't':
        reader_expect(reader, "true", "no value");
        break;
    case 'f':
        reader_expect(reader, "false", "no value");
        break;
    case 'n':
        reader_expect(reader, "null", "no value");
        break;
    default:
        json_number(reader, path);
    }
}

const char *page_check_json(struct bytes page, struct page_sums *out, size_t *at)
{
    const struct json_path top = {0};
    struct reader reader;

    reader_init(&reader, page, out);
    if (!is_utf8(page)) {
        reader_fail(&reader, "not UTF-8");
    }
    json_value(&reader, &top);
    reader_expect(&reader, "\n", "no end of line");
    if (cursor_left(&reader.cursor) > 0) {
        reader_fail(&reader, "more behind the end");
    }
    return reader_finish(&reader, at);
}
