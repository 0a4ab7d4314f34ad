/* SPDX-License-Identifier: Apache-2.0 */
#include "json_format_internal.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/socket_file.h"
#include "build_info.h"
#include "expose/catalogue.h"
#include "health_internal.h"

/* Jansson's constructors give NULL without memory, and all that is done with a NULL fails: so each
 * function here returns NULL where something failed, and the caller passes that on. */

static void json_format_put(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) < 0) {
        json_decref(*object);
        *object = NULL;
    }
}

static void put_count(json_t **object, const char *key, uint64_t count)
{
    json_format_put(object, key, json_integer((json_int_t)count));
}

static void json_format_append(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) < 0) {
        json_decref(*array);
        *array = NULL;
    }
}

/* Bytes of text: of all lists, which then have fewer entries than were asked for, and of a server
 * and role, measured with every code and bucket. */
#define LISTS_MAX ((size_t)1024 * 1024)
#define PAIR_MAX  ((size_t)12 * 1024)

/* --- Memory --- */

/* Of documents; one is made at a time. Malloc may give a part more than it is asked for. */
static size_t document_bytes;

static void *json_format_allocate(size_t size)
{
    void *memory = document_bytes < JSON_FORMAT_MEMORY_MAX ? malloc(size) : NULL;

    if (memory != NULL) {
        document_bytes += malloc_usable_size(memory);
    }
    return memory;
}

static void json_format_release(void *memory)
{
    document_bytes -= memory != NULL ? malloc_usable_size(memory) : 0;
    free(memory);
}

void json_format_init(void)
{
    json_set_alloc_funcs(json_format_allocate, json_format_release);
}

/* --- The document, which is written piece by piece --- */

struct json_writer {
    struct text *page;
    size_t flags; /* of jansson: how precise reals are */
    bool follows; /* something is before what comes next, on the same level */
    bool failed;
};

static int json_format_add_piece(const char *piece, size_t len, void *page)
{
    text_append_bytes(page, (struct bytes){(const uint8_t *)piece, len});
    return 0;
}

/* Lets go of the value. */
static void write_value(struct json_writer *writer, json_t *value)
{
    writer->failed |= value == NULL ||
                      json_dump_callback(value, json_format_add_piece, writer->page,
                                         JSON_COMPACT | JSON_ENCODE_ANY | writer->flags) < 0;
    json_decref(value);
}

static void write_comma(struct json_writer *writer)
{
    if (writer->follows) {
        text_append_char(writer->page, ',');
    }
    writer->follows = true;
}

static void write_key(struct json_writer *writer, const char *key)
{
    write_comma(writer);
    text_append_format(writer->page, "\"%s\":", key);
}

static void write_member(struct json_writer *writer, const char *key, json_t *value)
{
    write_key(writer, key);
    write_value(writer, value);
}

static void write_element(struct json_writer *writer, json_t *value)
{
    write_comma(writer);
    write_value(writer, value);
}

/* An object or an array. */
static void write_begin(struct json_writer *writer, char bracket)
{
    text_append_char(writer->page, bracket);
    writer->follows = false;
}

static void write_end(struct json_writer *writer, char bracket)
{
    text_append_char(writer->page, bracket);
    writer->follows = true;
}

/* --- Lists, distinct counts and findings --- */

#define REAL_DIGITS 6  /* of shares and scores; estimates are good for fewer */
#define TIME_DIGITS 13 /* of times since 1970: milliseconds */

static json_t *list_value(enum top_list list, uint64_t value)
{
    return scrape_list_is_of_seconds(list) ? json_real(scrape_list_seconds(value))
                                           : json_integer((json_int_t)value);
}

static json_t *entry_of(const struct scrape *scrape, enum top_list list, const char *label,
                        const struct heavy_hitter *hitter)
{
    uint64_t total = heavy_hitters_total(scrape->numbers.view->window->lists[list]);
    const char *server = scrape_key_server(scrape, hitter->key);
    char key[TOP_KEY_TEXT_SIZE];

    scrape_print_key(scrape, list, hitter->key, key);
    return json_pack("{s:s*, s:s, s:o, s:o, s:f}", "server", server, label, key, "value",
                     list_value(list, hitter->upper), "error", list_value(list, hitter->error),
                     "share", (double)hitter->upper / (double)total);
}

static json_t *entries_of(const struct scrape *scrape, enum top_list list, size_t limit,
                          struct heavy_hitter *top)
{
    const char *label = top_list_key_labels[list];
    size_t count = scrape_top(scrape, list, limit, top);
    json_t *entries = json_array();

    for (size_t i = 0; i < count; i++) {
        json_format_append(&entries, entry_of(scrape, list, label, &top[i]));
    }
    return entries;
}

static json_t *list_of(const struct scrape *scrape, enum top_list list, size_t limit,
                       struct heavy_hitter *top)
{
    const struct heavy_hitters *keys = scrape->numbers.view->window->lists[list];

    return json_pack("{s:o, s:o, s:o}", "total", list_value(list, heavy_hitters_total(keys)),
                     "unlisted_at_most", list_value(list, heavy_hitters_absent(keys)), "entries",
                     entries_of(scrape, list, limit, top));
}

static void write_lists(struct json_writer *writer, const struct scrape *scrape, size_t limit,
                        struct heavy_hitter *top)
{
    write_key(writer, "lists");
    write_begin(writer, '{');
    for (enum top_list list = 0; scrape->numbers.view != NULL && list < TOP_LIST_COUNT; list++) {
        if (scrape->numbers.view->window->lists[list] != NULL) {
            write_member(writer, top_list_names[list], list_of(scrape, list, limit, top));
        }
    }
    write_end(writer, '}');
}

static json_t *distincts_of(const struct scrape *scrape)
{
    static const char *const names[DISTINCT_COUNT_COUNT] = {
        [DISTINCT_CLIENTS_IPV4] = "clients_ipv4",
        [DISTINCT_CLIENTS_IPV6] = "clients_ipv6",
        [DISTINCT_QNAMES] = "qnames",
        [DISTINCT_NXDOMAIN_QNAMES] = "nxdomain_qnames",
        [DISTINCT_DOMAINS] = "domains",
    };
    json_t *counts = json_object();

    for (enum distinct_count which = 0; which < DISTINCT_COUNT_COUNT; which++) {
        if ((scrape->numbers.view->window->shape.distincts >> which & 1) != 0) {
            put_count(&counts, names[which],
                      (uint64_t)(pane_distinct(scrape->numbers.view->window, which) + 0.5));
        }
    }
    return counts;
}

static json_t *names_of(char (*names)[DNS_NAME_TEXT_SIZE])
{
    json_t *array = json_array();

    for (unsigned i = 0; i < FINDING_EXAMPLES_MAX && names[i][0] != '\0'; i++) {
        json_format_append(&array, json_string(names[i]));
    }
    return array;
}

#define TIME_SIZE 32 /* 2026-11-29T12:00:00Z, and room */

/* Added to the clock of the evaluations it gives the time since 1970. */
static uint64_t since_1970(const struct scrape *scrape)
{
    return scrape->of_service ? scrape->since_1970_ns : 0;
}

/* RFC 3339. */
static json_t *time_of(const struct scrape *scrape, uint64_t time_ns)
{
    time_t seconds = (time_t)((time_ns + since_1970(scrape)) / NS_PER_SECOND);
    char text[TIME_SIZE];
    struct tm utc;

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

static json_t *detail_of(const struct finding_detail *detail, double value)
{
    return detail->kind == DETAIL_COUNT ? json_integer((json_int_t)value) : json_real(value);
}

static void put_command(json_t **object, const struct scrape *scrape, const struct finding *finding,
                        const struct finding_text *names)
{
    struct text command = {0};

    finding_command_append(finding, names, scrape->numbers.recordings, since_1970(scrape),
                           &command);
    if (command.failed || command.len > 0) {
        json_format_put(object, "command", command.failed ? NULL : json_string(command.data));
    }
    text_deinit(&command);
}

static json_t *finding_of(const struct scrape *scrape, const struct finding *finding)
{
    const struct detector *detector = finding->detector;
    json_t *object = json_object();
    struct finding_text text;

    finding_print(finding, scrape->numbers.host_privacy, &text);
    json_format_put(&object, "detector", json_string(detector->name));
    json_format_put(&object, "client", json_string(text.client));
    json_format_put(&object, "domain", json_string(text.domain));
    if (finding->list[0] != '\0') {
        json_format_put(&object, "list", json_string(finding->list));
        json_format_put(&object, "severity", json_string(finding->severity));
    }
    json_format_put(&object, "score", json_real(finding->score));
    json_format_put(&object, "began", time_of(scrape, finding->began_ns));
    if (finding->ended_ns != 0) {
        json_format_put(&object, "ended", time_of(scrape, finding->ended_ns));
    }
    for (unsigned i = 0; i < detector->detail_count; i++) {
        json_format_put(&object, detector->details[i].key,
                        detail_of(&detector->details[i], finding->details[i]));
    }
    json_format_put(&object, "examples", names_of(text.examples));
    if (text.found_names[0][0] != '\0') {
        json_format_put(&object, "existing", names_of(text.found_names));
    }
    put_command(&object, scrape, finding, &text);
    return object;
}

static void write_findings(struct json_writer *writer, const struct scrape *scrape, const char *key,
                           const struct finding *findings, size_t count)
{
    write_key(writer, key);
    write_begin(writer, '[');
    for (size_t i = 0; i < count; i++) {
        write_element(writer, finding_of(scrape, &findings[i]));
    }
    write_end(writer, ']');
}

static void write_active_findings(struct json_writer *writer, const struct scrape *scrape,
                                  const char *key, size_t limit)
{
    const struct evaluator_view *view = scrape->numbers.view;
    size_t count = view != NULL && view->finding_count < limit ? view->finding_count : limit;

    write_findings(writer, scrape, key, view != NULL ? view->findings : NULL,
                   view != NULL ? count : 0);
}

static json_t *note_of(const struct scrape *scrape, const struct finding_note *note)
{
    const struct finding finding = {
        .detector = note->detector,
        .client = note->client,
        .domain = note->domain,
        .since_ns = note->noted_ns,
        .ended_ns = note->noted_ns,
    };
    json_t *object = json_object();
    struct finding_text text;

    finding_print(&finding, scrape->numbers.host_privacy, &text);
    json_format_put(&object, "detector", json_string(note->detector->name));
    json_format_put(&object, "client", json_string(text.client));
    json_format_put(&object, "domain", json_string(text.domain));
    json_format_put(&object, "noted", time_of(scrape, note->noted_ns));
    put_command(&object, scrape, &finding, &text);
    return object;
}

static void write_notes(struct json_writer *writer, const struct scrape *scrape, size_t limit)
{
    const struct evaluator_view *view = scrape->numbers.view;

    write_key(writer, "notes");
    write_begin(writer, '[');
    for (size_t i = 0; view != NULL && i < view->note_count && i < limit; i++) {
        write_element(writer, note_of(scrape, &view->notes[i]));
    }
    write_end(writer, ']');
}

static void write_all_findings(struct json_writer *writer, const struct scrape *scrape,
                               size_t limit)
{
    const struct evaluator_view *view = scrape->numbers.view;
    size_t count = view != NULL && view->ended_count < limit ? view->ended_count : limit;

    write_begin(writer, '{');
    write_active_findings(writer, scrape, "active", limit);
    write_findings(writer, scrape, "ended", view != NULL ? view->ended : NULL,
                   view != NULL ? count : 0);
    write_notes(writer, scrape, limit);
    write_end(writer, '}');
}

static void write_top(struct json_writer *writer, const struct scrape *scrape, size_t limit)
{
    double seconds = (double)scrape->numbers.window_ns / (double)NS_PER_SECOND;
    const struct pane_shape *shape = scrape->numbers.view != NULL
                                         ? &scrape->numbers.view->window->shape
                                         : NULL;
    size_t room = shape != NULL ? scrape_top_room(shape, limit) : 0;
    struct heavy_hitter *top = calloc(room + 1, sizeof *top);

    if (top == NULL) {
        writer->failed = true;
        return;
    }
    write_begin(writer, '{');
    write_member(writer, "window_seconds", json_real(seconds));
    write_lists(writer, scrape, limit, top);
    write_member(writer, "distinct",
                 scrape->numbers.view != NULL ? distincts_of(scrape) : json_object());
    write_active_findings(writer, scrape, "findings", SIZE_MAX);
    write_end(writer, '}');
    free(top);
}

/* --- Servers and inputs --- */

static json_t *codes_of(const struct code_label_texts *labels,
                        const uint64_t counts[CODE_LABELS_MAX])
{
    json_t *codes = json_object();

    for (unsigned index = 0; index < CODE_LABELS_MAX; index++) {
        if (counts[index] > 0) {
            put_count(&codes, labels->labels[index].text, counts[index]);
        }
    }
    return codes;
}

/* Of each bucket the two bounds in seconds, of which the upper one is inside, and the count. */
static json_t *times_of(const struct scrape *scrape, const struct histogram *histogram)
{
    struct native_histogram native;
    json_t *times = json_array();

    histogram_native(histogram, &response_time_bounds, scrape->native_schema, &native);
    if (native.zero_count > 0) {
        json_format_append(&times, json_pack("[f, f, I]", 0.0, native.zero_threshold,
                                             (json_int_t)native.zero_count));
    }
    for (unsigned i = 0; i < native.count; i++) {
        json_format_append(&times,
                           json_pack("[f, f, I]", exp2(ldexp(native.index[i] - 1, -native.schema)),
                                     exp2(ldexp(native.index[i], -native.schema)),
                                     (json_int_t)native.values[i]));
    }
    return times;
}

static json_t *json_format_server_of(const struct scrape *scrape, unsigned server, enum role role)
{
    const struct server_counters *counts =
        &scrape->numbers.sum->servers[counters_index(server, role)];
    unsigned flags = stream_states_flags(scrape->numbers.streams, stream_index(server, role));
    bool sampled = (flags & (STREAM_SAMPLED | STREAM_SAMPLED_INPUT)) != 0;
    json_t *object = json_object();

    json_format_put(&object, "server", json_string(scrape->numbers.servers[server].label));
    json_format_put(&object, "role", json_string(label_role.texts[role]));
    put_count(&object, "queries", server_counters_messages(counts, KIND_QUERY));
    put_count(&object, "responses", server_counters_messages(counts, KIND_RESPONSE));
    put_count(&object, "unanswered_queries", counts->unanswered_queries);
    put_count(&object, "duplicate_responses", counts->duplicate_responses);
    json_format_put(&object, "responses_only", json_boolean((flags & STREAM_RESPONSES_ONLY) != 0));
    json_format_put(&object, "queries_only", json_boolean((flags & STREAM_QUERIES_ONLY) != 0));
    json_format_put(&object, "sampled", json_boolean(sampled));
    json_format_put(&object, "qtypes",
                    codes_of(&scrape->numbers.codes[CODE_QTYPE], counts->qtypes));
    json_format_put(&object, "rcodes",
                    codes_of(&scrape->numbers.codes[CODE_RCODE], counts->rcodes));
    json_format_put(&object, "response_time_seconds", times_of(scrape, &counts->response_time));
    return object;
}

static void write_servers(struct json_writer *writer, const struct scrape *scrape)
{
    write_key(writer, "servers");
    write_begin(writer, '[');
    for (unsigned server = 0; server < scrape->numbers.sum->server_count; server++) {
        for (enum role role = 0; role < ROLE_COUNT; role++) {
            if (scrape->numbers.sum->in_use[counters_index(server, role)]) {
                write_element(writer, json_format_server_of(scrape, server, role));
            }
        }
    }
    write_end(writer, ']');
}

static json_t *counts_of(const struct label_values *label, const uint64_t *counts)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < label->count; i++) {
        put_count(&object, label->texts[i], counts[i]);
    }
    return object;
}

/* Where servers connect, and who may. */
static void put_socket(json_t **object, const struct endpoint *endpoint, struct socket_file *file)
{
    char address[ENDPOINT_TEXT_SIZE];
    char mode[8];

    json_format_put(object, endpoint_key(endpoint), json_string(endpoint_print(endpoint, address)));
    json_format_put(object, "tls", json_boolean(endpoint->has_tls));
    if (endpoint->kind == ENDPOINT_UNIX && !endpoint->is_dialled &&
        socket_file_read(endpoint->path, file) == 0) {
        (void)snprintf(mode, sizeof mode, "%04o", file->mode);
        json_format_put(object, "owner", json_string(file->owner));
        json_format_put(object, "group", json_string(file->group));
        json_format_put(object, "mode", json_string(mode));
    }
}

static json_t *failures_of(const _Atomic uint64_t failures[CONNECTION_FAILURE_COUNT])
{
    uint64_t numbers[CONNECTION_FAILURE_COUNT];

    for (unsigned why = 0; why < CONNECTION_FAILURE_COUNT; why++) {
        numbers[why] = atomic_load_explicit(&failures[why], memory_order_relaxed);
    }
    return counts_of(&label_connection_failure, numbers);
}

static void put_dialled(json_t **object, const struct input_gauges *input)
{
    bool connected = atomic_load_explicit(&input->connected, memory_order_relaxed);

    json_format_put(object, "connected", json_boolean(connected));
    json_format_put(object, "connection_failures", failures_of(input->connection_failures));
}

static json_t *inputs_of(const struct scrape *scrape)
{
    json_t *inputs = json_array();

    for (unsigned i = 0; i < scrape->input_count; i++) {
        const struct input_counters *input = &scrape->numbers.sum->inputs[i];
        json_t *object;

        if (scrape->inputs[i].is_removed) {
            continue;
        }
        object = json_object();
        json_format_put(&object, "input", json_string(scrape->input_labels[i]));
        put_socket(&object, &scrape->inputs[i].endpoint, &scrape->sockets[i]);
        if (scrape->inputs[i].endpoint.is_dialled) {
            put_dialled(&object, &scrape->inputs[i]);
        }
        put_count(&object, "connections", input_counters_connections(input));
        put_count(&object, "accepted", input->accepted);
        put_count(&object, "sampling", scrape->inputs[i].sampling);
        put_count(&object, "frames", input->frames);
        put_count(&object, "frame_bytes", input->frame_bytes);
        json_format_put(&object, "rejected", counts_of(&label_reject_reason, input->rejected));
        json_format_put(&object, "closed", counts_of(&label_close_reason, input->closed));
        json_format_append(&inputs, object);
    }
    return inputs;
}

/* Of the detectors that are on. */
static json_t *detections_of(const struct snapshot *numbers)
{
    json_t *detections = json_object();

    for (unsigned i = 0; numbers->view != NULL && i < DETECTOR_COUNT; i++) {
        if (numbers->detect->detectors[i].enabled) {
            const struct findings_count *count = &numbers->view->detections[i];
            json_format_put(&detections, detector_at(i)->name,
                            json_pack("{s:I, s:I}", "begun", (json_int_t)count->begun, "active",
                                      (json_int_t)count->active));
        }
    }
    return detections;
}

static json_t *outputs_of(const struct scrape *scrape)
{
    json_t *outputs = json_array();

    for (unsigned i = 0; i < scrape->output_count; i++) {
        const struct output_counters *output = &scrape->outputs[i];
        uint64_t dropped[OUTPUT_DROP_COUNT];
        json_t *object = json_object();

        for (unsigned reason = 0; reason < OUTPUT_DROP_COUNT; reason++) {
            dropped[reason] = atomic_load_explicit(&output->dropped[reason], memory_order_relaxed);
        }
        json_format_put(&object, "output", json_string(scrape->output_labels[i]));
        json_format_put(
            &object, "connected",
            json_boolean(atomic_load_explicit(&output->connected, memory_order_relaxed)));
        json_format_put(&object, "connection_failures", failures_of(output->connection_failures));
        put_count(&object, "frames", atomic_load_explicit(&output->frames, memory_order_relaxed));
        json_format_put(&object, "dropped", counts_of(&label_output_drop, dropped));
        json_format_append(&outputs, object);
    }
    return outputs;
}

/* NULL where there is none. */
static json_t *archive_of(const struct archive_counters *archive)
{
    uint64_t dropped[ARCHIVE_DROP_COUNT];
    json_t *object;

    if (archive == NULL) {
        return json_null();
    }
    object = json_object();
    for (unsigned reason = 0; reason < ARCHIVE_DROP_COUNT; reason++) {
        dropped[reason] = atomic_load_explicit(&archive->dropped[reason], memory_order_relaxed);
    }
    json_format_put(&object, "writable",
                    json_boolean(atomic_load_explicit(&archive->writing, memory_order_relaxed)));
    put_count(&object, "frames", atomic_load_explicit(&archive->frames, memory_order_relaxed));
    json_format_put(&object, "dropped", counts_of(&label_archive_drop, dropped));
    put_count(&object, "files", atomic_load_explicit(&archive->files, memory_order_relaxed));
    put_count(&object, "size_bytes",
              atomic_load_explicit(&archive->size_bytes, memory_order_relaxed));
    put_count(&object, "oldest_seconds",
              atomic_load_explicit(&archive->oldest_seconds, memory_order_relaxed));
    put_count(&object, "last_flush_seconds",
              atomic_load_explicit(&archive->last_flush_seconds, memory_order_relaxed));
    return object;
}

/* --- Health and history --- */

static json_t *health_of(const struct scrape *scrape)
{
    struct health_indicator indicators[HEALTH_INDICATORS_MAX];
    size_t count = health_judge(scrape, scrape->history, indicators);
    json_t *health = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct health_indicator *indicator = &indicators[i];
        json_format_append(&health, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", indicator->name,
                                              "title", indicator->title, "level",
                                              health_level_names[indicator->level], "text",
                                              indicator->text, "section", indicator->section));
    }
    return health;
}

static json_t *thresholds_of(void)
{
    json_t *thresholds = json_object();

    for (unsigned i = 0; i < HEALTH_THRESHOLD_COUNT; i++) {
        const struct health_threshold *threshold = &health_thresholds[i];
        json_format_put(&thresholds, threshold->name,
                        threshold->critical > 0
                            ? json_pack("[f, f]", threshold->warning, threshold->critical)
                            : json_pack("[f]", threshold->warning));
    }
    return thresholds;
}

#define STEPS_PER_MINUTE ((size_t)(60 * NS_PER_SECOND / HISTORY_STEP_NS))

/* Of a pair, minute by minute, the oldest first: what it asked, was asked, and what went wrong. */
static json_t *history_of(const struct scrape *scrape, size_t pair, size_t minutes)
{
    size_t stream = stream_index((unsigned)(pair / ROLE_COUNT), (enum role)(pair % ROLE_COUNT));
    unsigned flags = stream_states_flags(scrape->numbers.streams, stream);
    bool has_responses_only = (flags & STREAM_RESPONSES_ONLY) != 0;
    json_t *queries = json_array();
    json_t *failures = json_array();
    json_t *times = json_array();

    for (size_t age = minutes; age-- > 0;) {
        struct history_sum sum = history_sum(scrape->history, pair, age * STEPS_PER_MINUTE,
                                             STEPS_PER_MINUTE);
        uint64_t asked = has_responses_only ? sum.responses : sum.queries;
        uint64_t failed = sum.servfails + sum.refused + sum.unanswered;
        json_format_append(&queries, json_integer((json_int_t)asked));
        json_format_append(&failures, json_integer((json_int_t)failed));
        json_format_append(&times, sum.p99_seconds < 0 ? json_null() : json_real(sum.p99_seconds));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "server",
                     scrape->numbers.servers[pair / ROLE_COUNT].label, "role",
                     label_role.texts[pair % ROLE_COUNT], "queries", queries, "failures", failures,
                     "p99_seconds", times);
}

static void write_history(struct json_writer *writer, const struct scrape *scrape, size_t limit)
{
    size_t pairs = scrape->numbers.sum->server_count * (size_t)ROLE_COUNT;
    size_t minutes = (history_count(scrape->history) + STEPS_PER_MINUTE - 1) / STEPS_PER_MINUTE;
    double now = (double)clock_realtime_ns() / (double)NS_PER_SECOND;

    minutes = minutes < limit ? minutes : limit;
    write_begin(writer, '{');
    write_member(writer, "time_seconds", json_real(now));
    write_member(writer, "step_seconds", json_integer(60));
    write_key(writer, "servers");
    write_begin(writer, '[');
    for (size_t pair = 0; pair < pairs; pair++) {
        if (scrape->numbers.sum->in_use[pair] &&
            history_is_of(scrape->history, pair,
                          scrape->numbers.servers[pair / ROLE_COUNT].generation)) {
            write_element(writer, history_of(scrape, pair, minutes));
        }
    }
    write_end(writer, ']');
    write_end(writer, '}');
}

static void write_status(struct json_writer *writer, const struct scrape *scrape, size_t limit)
{
    const struct global_counters *global = scrape->numbers.global;
    double now = (double)clock_realtime_ns() / (double)NS_PER_SECOND;
    double start = (double)scrape->created_ns / (double)NS_PER_SECOND;

    write_begin(writer, '{');
    write_member(writer, "version", json_string(BUILD_VERSION));
    write_member(writer, "time_seconds", json_real(now));
    write_member(writer, "start_time_seconds", json_real(start));
    write_member(writer, "resident_memory_bytes",
                 json_integer((json_int_t)scrape->process.resident_bytes));
    if (scrape->history != NULL) {
        write_member(writer, "health", health_of(scrape));
        write_member(writer, "thresholds", thresholds_of());
    }
    write_servers(writer, scrape);
    write_member(writer, "inputs", inputs_of(scrape));
    write_member(writer, "outputs", outputs_of(scrape));
    write_member(writer, "archive", archive_of(scrape->archive));
    write_member(writer, "limit_overflows", counts_of(&label_limit, global->overflows));
    write_member(writer, "matching_evictions",
                 json_integer((json_int_t)global->matching_evictions));
    write_member(writer, "expired_messages", json_integer((json_int_t)global->expired_messages));
    write_member(writer, "detections", detections_of(&scrape->numbers));
    write_key(writer, "top");
    write_top(writer, scrape, limit);
    write_end(writer, '}');
}

/* --- Writing --- */

/* Lists have half of the entries, or a quarter, and so on, where the document would be too large.
 */
static int write_what_fits(const struct scrape *scrape, size_t limit,
                           void (*write)(struct json_writer *writer, const struct scrape *scrape,
                                         size_t limit),
                           size_t flags, struct text *page)
{
    size_t begin = page->len;

    for (;; limit /= 2) {
        struct json_writer writer = {.page = page, .flags = flags};
        write(&writer, scrape, limit);
        text_append_char(page, '\n');
        if (!writer.failed && !page->failed) {
            return 0;
        }
        if (limit == 0) {
            return -ENOMEM;
        }
        text_cut(page, begin);
    }
}

int json_format_write_top(const struct scrape *scrape, size_t limit, struct text *page)
{
    return write_what_fits(scrape, limit, write_top, JSON_REAL_PRECISION(REAL_DIGITS), page);
}

int json_format_write_findings(const struct scrape *scrape, size_t limit, struct text *page)
{
    return write_what_fits(scrape, limit, write_all_findings, JSON_REAL_PRECISION(REAL_DIGITS),
                           page);
}

int json_format_write_history(const struct scrape *scrape, size_t limit, struct text *page)
{
    return write_what_fits(scrape, limit, write_history, JSON_REAL_PRECISION(TIME_DIGITS), page);
}

int json_format_write_status(const struct scrape *scrape, size_t limit, struct text *page)
{
    return write_what_fits(scrape, limit, write_status, JSON_REAL_PRECISION(TIME_DIGITS), page);
}

size_t json_format_max(size_t pairs)
{
    return LISTS_MAX + pairs * PAIR_MAX;
}
