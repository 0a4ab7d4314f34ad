/* SPDX-License-Identifier: Apache-2.0 */
#include "scrape_internal.h"

#include <stdio.h>

#include "base/log.h"
#include "build_info.h"
#include "count/label_values.h"
#include "collector_internal.h"

static void show_histogram(struct visit *visit, const struct histogram *histogram,
                           const struct histogram_bounds *bounds)
{
    visit->writer->histogram(visit->context, visit->entry, visit->values, histogram, bounds);
}

/* A closed set: every value has its series from the start, so that rate() sees the first event. */
static void show_closed_set(struct visit *visit, unsigned position, const char *const *labels,
                            const uint64_t *counts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (labels[i] != NULL) {
            visit->values[position] = labels[i];
            show_integer(visit, counts[i]);
        }
    }
}

/* An open set: a series appears when it first counts. */
static void show_open_set(struct visit *visit, unsigned position, const char *const *labels,
                          const uint64_t *counts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (counts[i] > 0) {
            visit->values[position] = labels[i];
            show_integer(visit, counts[i]);
        }
    }
}

/* Likewise. */
static void show_codes(struct visit *visit, unsigned position,
                       const struct code_label_texts *labels,
                       const uint64_t counts[CODE_LABELS_MAX])
{
    for (unsigned index = 0; index < CODE_LABELS_MAX; index++) {
        if (counts[index] > 0) {
            visit->values[position] = labels->labels[index].text;
            show_integer(visit, counts[index]);
        }
    }
}

/* --- Families of one server and role; values[0] and [1] are set --- */

static void show_messages(struct visit *visit, const struct server_counters *counts, enum kind kind)
{
    for (unsigned family = 0; family < FAMILY_COUNT; family++) {
        for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++) {
            uint64_t count = counts->messages[kind][family][transport];
            if (count > 0) {
                visit->values[2] = family_labels[family];
                visit->values[3] = transport_labels[transport];
                show_integer(visit, count);
            }
        }
    }
}

static void show_queries(struct visit *visit, const struct server_counters *counts)
{
    show_messages(visit, counts, KIND_QUERY);
}

static void show_responses(struct visit *visit, const struct server_counters *counts)
{
    show_messages(visit, counts, KIND_RESPONSE);
}

static void show_qtypes(struct visit *visit, const struct server_counters *counts)
{
    show_codes(visit, 2, &visit->scrape->numbers.codes[CODE_QTYPE], counts->qtypes);
}

static void show_classes(struct visit *visit, const struct server_counters *counts)
{
    show_open_set(visit, 2, query_class_labels, counts->classes, QUERY_CLASS_COUNT);
}

static void show_doh_queries(struct visit *visit, const struct server_counters *counts)
{
    show_open_set(visit, 2, http_version_labels, counts->doh_queries, HTTP_VERSION_COUNT);
}

static void show_opcodes(struct visit *visit, const struct server_counters *counts)
{
    for (unsigned opcode = 0; opcode < OPCODE_COUNT; opcode++) {
        char label[DNS_MNEMONIC_SIZE];

        if (counts->opcodes[opcode] > 0) {
            (void)dns_mnemonic_opcode((uint16_t)opcode, label);
            visit->values[2] = label;
            show_integer(visit, counts->opcodes[opcode]);
        }
    }
}

static void show_query_flags(struct visit *visit, const struct server_counters *counts)
{
    show_closed_set(visit, 2, query_flag_labels, counts->query_flags, QUERY_FLAG_COUNT);
}

static void show_rcodes(struct visit *visit, const struct server_counters *counts)
{
    show_codes(visit, 2, &visit->scrape->numbers.codes[CODE_RCODE], counts->rcodes);
}

static void show_response_flags(struct visit *visit, const struct server_counters *counts)
{
    show_closed_set(visit, 2, response_flag_labels, counts->response_flags, RESPONSE_FLAG_COUNT);
}

static void show_outcomes(struct visit *visit, const struct server_counters *counts)
{
    show_closed_set(visit, 2, outcome_labels, counts->outcomes, OUTCOME_COUNT);
}

static void show_edns_options(struct visit *visit, const struct server_counters *counts)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        visit->values[2] = kind_labels[kind];
        show_closed_set(visit, 3, edns_option_labels, counts->edns_options[kind],
                        EDNS_OPTION_COUNT);
    }
}

static void show_extended_errors(struct visit *visit, const struct server_counters *counts)
{
    const struct code_label_texts *labels = &visit->scrape->numbers.codes[CODE_INFO_CODE];

    for (unsigned index = 0; index < CODE_LABELS_MAX; index++) {
        char number[8] = "other";

        if (counts->info_codes[index] > 0) {
            if (index >= CODE_LABELS_FIXED) {
                (void)snprintf(number, sizeof number, "%u", labels->labels[index].code);
            }
            visit->values[2] = number;
            visit->values[3] = labels->labels[index].text;
            show_integer(visit, counts->info_codes[index]);
        }
    }
}

static void show_malformed(struct visit *visit, const struct server_counters *counts)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        visit->values[2] = kind_labels[kind];
        show_closed_set(visit, 3, defect_labels, counts->malformed[kind], DEFECT_COUNT);
    }
}

static void show_response_time(struct visit *visit, const struct server_counters *counts)
{
    if (server_counters_messages(counts, KIND_RESPONSE) > 0) {
        show_histogram(visit, &counts->response_time, &response_time_bounds);
    }
}

static void show_sizes(struct visit *visit, const struct server_counters *counts, enum kind kind,
                       const struct histogram_bounds *bounds)
{
    for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++) {
        const struct histogram *sizes = &counts->message_size[kind][transport];
        if (histogram_count(sizes) > 0) {
            visit->values[2] = transport_labels[transport];
            show_histogram(visit, sizes, bounds);
        }
    }
}

static void show_query_sizes(struct visit *visit, const struct server_counters *counts)
{
    show_sizes(visit, counts, KIND_QUERY, &query_size_bounds);
}

static void show_response_sizes(struct visit *visit, const struct server_counters *counts)
{
    show_sizes(visit, counts, KIND_RESPONSE, &response_size_bounds);
}

static void show_qname_sizes(struct visit *visit, const struct server_counters *counts)
{
    bool from_responses = histogram_count(&counts->qname_size) > 0; /* where there are no queries */

    if (server_counters_messages(counts, KIND_QUERY) > 0 || from_responses) {
        show_histogram(visit, &counts->qname_size, &qname_size_bounds);
    }
}

static void show_unmatched(struct visit *visit, const struct server_counters *counts)
{
    show_integer(visit, counts->unmatched_responses);
}

static void show_duplicates(struct visit *visit, const struct server_counters *counts)
{
    show_integer(visit, counts->duplicate_responses);
}

static void show_unanswered(struct visit *visit, const struct server_counters *counts)
{
    show_integer(visit, counts->unanswered_queries);
}

static void show_negative_times(struct visit *visit, const struct server_counters *counts)
{
    show_integer(visit, counts->negative_response_times);
}

/* --- States of a server and role; values[0] and [1] are set --- */

static void show_responses_only(struct visit *visit, unsigned flags)
{
    show_integer(visit, (flags & STREAM_RESPONSES_ONLY) != 0);
}

static void show_queries_only(struct visit *visit, unsigned flags)
{
    show_integer(visit, (flags & STREAM_QUERIES_ONLY) != 0);
}

static void show_sampled(struct visit *visit, unsigned flags)
{
    show_integer(visit, (flags & (STREAM_SAMPLED | STREAM_SAMPLED_INPUT)) != 0);
}

/* --- Families of an input; values[0] is set --- */

static void show_ingest_delay(struct visit *visit, const struct input_counters *input)
{
    show_histogram(visit, &input->ingest_delay, &ingest_delay_bounds);
}

static void show_frames(struct visit *visit, const struct input_counters *input)
{
    show_integer(visit, input->frames);
}

static void show_frame_bytes(struct visit *visit, const struct input_counters *input)
{
    show_integer(visit, input->frame_bytes);
}

static void show_rejected(struct visit *visit, const struct input_counters *input)
{
    show_closed_set(visit, 1, reject_reason_labels, input->rejected, REJECT_REASON_COUNT);
}

static void show_connections(struct visit *visit, const struct input_counters *input)
{
    show_integer(visit, input_counters_connections(input));
}

static void show_accepted(struct visit *visit, const struct input_counters *input)
{
    show_integer(visit, input->accepted);
}

static void show_closed(struct visit *visit, const struct input_counters *input)
{
    show_closed_set(visit, 1, close_reason_labels, input->closed, CLOSE_REASON_COUNT);
}

/* --- Families of an output; values[0] is set --- */

static void show_output_frames(struct visit *visit, const struct output_counters *output)
{
    show_integer(visit, atomic_load_explicit(&output->frames, memory_order_relaxed));
}

static void show_output_dropped(struct visit *visit, const struct output_counters *output)
{
    for (enum output_drop why = 0; why < OUTPUT_DROP_COUNT; why++) {
        visit->values[1] = output_drop_labels[why];
        show_integer(visit, atomic_load_explicit(&output->dropped[why], memory_order_relaxed));
    }
}

static void show_output_connected(struct visit *visit, const struct output_counters *output)
{
    show_integer(visit, atomic_load_explicit(&output->connected, memory_order_relaxed));
}

/* --- Families of the process --- */

static void show_policy_actions(struct visit *visit)
{
    const struct scrape *scrape = visit->scrape;

    for (unsigned server = 0; server < scrape->numbers.sum->server_count; server++) {
        visit->values[0] = scrape->numbers.servers[server].label;
        set_created(visit, scrape_server_created_ns(scrape, server));
        for (unsigned action = 0; action < POLICY_ACTION_COUNT; action++) {
            for (unsigned match = 0; match < POLICY_MATCH_COUNT; match++) {
                uint64_t count = scrape->numbers.sum->policies[server].actions[action][match];
                if (count > 0) {
                    visit->values[1] = policy_action_labels[action];
                    visit->values[2] = policy_match_labels[match];
                    show_integer(visit, count);
                }
            }
        }
    }
    set_created(visit, scrape->created_ns);
}

static void show_pairing_evictions(struct visit *visit)
{
    show_integer(visit, visit->scrape->numbers.global->matching_evictions);
}

static void show_expired(struct visit *visit)
{
    show_integer(visit, visit->scrape->numbers.global->expired_messages);
}

static void show_sampling_ratios(struct visit *visit)
{
    for (unsigned input = 0; input < visit->scrape->numbers.sum->input_count; input++) {
        visit->values[0] = visit->scrape->input_labels[input];
        show_real(visit, visit->scrape->inputs[input].sampling_ratio);
    }
}

static void show_listening(struct visit *visit)
{
    const struct scrape *scrape = visit->scrape;

    for (unsigned input = 0; input < scrape->numbers.sum->input_count; input++) {
        visit->values[0] = scrape->input_labels[input];
        show_integer(visit,
                     atomic_load_explicit(&scrape->inputs[input].listening, memory_order_relaxed));
    }
}

static void show_overflows(struct visit *visit)
{
    show_closed_set(visit, 0, limit_labels, visit->scrape->numbers.global->overflows, LIMIT_COUNT);
}

/* --- Families of the exporter --- */

static void show_build_info(struct visit *visit)
{
    visit->values[0] = BUILD_VERSION;
    visit->values[1] = BUILD_REVISION;
    visit->values[2] = BUILD_COMPILER;
    show_integer(visit, 1);
}

static const char *const exposition_labels[EXPOSITION_COUNT] = {
    [EXPOSITION_TEXT] = "text",
    [EXPOSITION_OPENMETRICS] = "openmetrics",
    [EXPOSITION_PROTOBUF] = "protobuf",
};

static void show_scrape_duration(struct visit *visit)
{
    for (enum exposition format = 0; format < EXPOSITION_COUNT; format++) {
        visit->values[0] = exposition_labels[format];
        show_real(visit, visit->scrape->scrapes[format].last_duration_seconds);
    }
}

static void show_scrapes(struct visit *visit)
{
    for (enum exposition format = 0; format < EXPOSITION_COUNT; format++) {
        visit->values[0] = exposition_labels[format];
        show_integer(visit, visit->scrape->scrapes[format].count);
    }
}

static void show_log_lines_lost(struct visit *visit)
{
    show_integer(visit, log_lost());
}

static void show_reload_successful(struct visit *visit)
{
    show_integer(visit, visit->scrape->reload_successful);
}

static void show_reload_timestamp(struct visit *visit)
{
    show_real(visit, visit->scrape->reload_timestamp_seconds);
}

static void show_process_cpu(struct visit *visit)
{
    show_real(visit, visit->scrape->process.cpu_seconds);
}

static void show_process_fds(struct visit *visit)
{
    show_integer(visit, visit->scrape->process.fds);
}

static void show_process_max_fds(struct visit *visit)
{
    show_real(visit, visit->scrape->process.fd_max);
}

static void show_process_virtual(struct visit *visit)
{
    show_integer(visit, visit->scrape->process.virtual_bytes);
}

static void show_process_virtual_max(struct visit *visit)
{
    show_real(visit, visit->scrape->process.virtual_max_bytes);
}

static void show_process_resident(struct visit *visit)
{
    show_integer(visit, visit->scrape->process.resident_bytes);
}

static void show_process_start(struct visit *visit)
{
    if (visit->scrape->process.has_start_time) {
        show_real(visit, visit->scrape->process.start_time_seconds);
    }
}

static void show_process_threads(struct visit *visit)
{
    show_integer(visit, visit->scrape->process.threads);
}

_Static_assert(METRIC_TOP_CLIENT_QUERIES_ERROR - METRIC_TOP_CLIENT_QUERIES == TOP_LIST_COUNT &&
                   METRIC_TOP_EVICTIONS - METRIC_TOP_CLIENT_QUERIES_ERROR == TOP_LIST_COUNT,
               "a metric and an error for each list");
_Static_assert(METRIC_DISTINCT_QNAMES - METRIC_DISTINCT_CLIENTS ==
                   DISTINCT_QNAMES - DISTINCT_CLIENTS_IPV6,
               "clients of both families are one metric");

/* How each metric is shown: for every counters, stream, input or output, or once; lists apart. */
static const struct {
    void (*counts)(struct visit *visit, const struct server_counters *counts);
    void (*stream)(struct visit *visit, unsigned flags);
    void (*input)(struct visit *visit, const struct input_counters *input);
    void (*output)(struct visit *visit, const struct output_counters *output);
    void (*once)(struct visit *visit);
    bool of_service; /* says nothing of a file */
} shows[METRIC_COUNT] = {
    [METRIC_QUERIES].counts = show_queries,
    [METRIC_RESPONSES].counts = show_responses,
    [METRIC_QUERY_TYPES].counts = show_qtypes,
    [METRIC_QUERY_CLASSES].counts = show_classes,
    [METRIC_QUERY_OPCODES].counts = show_opcodes,
    [METRIC_DOH_QUERIES].counts = show_doh_queries,
    [METRIC_QUERY_FLAGS].counts = show_query_flags,
    [METRIC_RESPONSE_CODES].counts = show_rcodes,
    [METRIC_RESPONSE_FLAGS].counts = show_response_flags,
    [METRIC_RESPONSE_OUTCOMES].counts = show_outcomes,
    [METRIC_EDNS_OPTIONS].counts = show_edns_options,
    [METRIC_EXTENDED_ERRORS].counts = show_extended_errors,
    [METRIC_POLICY_ACTIONS].once = show_policy_actions,
    [METRIC_MALFORMED_MESSAGES].counts = show_malformed,
    [METRIC_RESPONSE_TIME].counts = show_response_time,
    [METRIC_QUERY_SIZE].counts = show_query_sizes,
    [METRIC_RESPONSE_SIZE].counts = show_response_sizes,
    [METRIC_QUERY_NAME_SIZE].counts = show_qname_sizes,
    [METRIC_UNMATCHED_RESPONSES].counts = show_unmatched,
    [METRIC_DUPLICATE_RESPONSES].counts = show_duplicates,
    [METRIC_UNANSWERED_QUERIES].counts = show_unanswered,
    [METRIC_RESPONSES_ONLY].stream = show_responses_only,
    [METRIC_QUERIES_ONLY].stream = show_queries_only,
    [METRIC_SAMPLED].stream = show_sampled,
    [METRIC_EXPIRED_MESSAGES].once = show_expired,
    [METRIC_INPUT_SAMPLING_RATIO] = {.once = show_sampling_ratios, .of_service = true},
    [METRIC_NEGATIVE_RESPONSE_TIMES].counts = show_negative_times,
    [METRIC_MATCHING_EVICTIONS].once = show_pairing_evictions,
    [METRIC_TOP_EVICTIONS].once = show_top_evictions,
    [METRIC_DISTINCT_CLIENTS].once = show_distinct_clients,
    [METRIC_DISTINCT_QNAMES].once = show_distinct_qnames,
    [METRIC_DISTINCT_NXDOMAIN_QNAMES].once = show_distinct_nxdomain_qnames,
    [METRIC_DISTINCT_DOMAINS].once = show_distinct_domains,
    [METRIC_DETECTIONS].once = show_detections,
    [METRIC_DETECTIONS_ACTIVE].once = show_detections_active,
    [METRIC_DETECTION_SCORE].once = show_suspects,
    [METRIC_INGEST_DELAY] = {.input = show_ingest_delay, .of_service = true},
    [METRIC_FRAMES].input = show_frames,
    [METRIC_FRAME_BYTES].input = show_frame_bytes,
    [METRIC_FRAMES_REJECTED].input = show_rejected,
    [METRIC_INPUT_LISTENING] = {.once = show_listening, .of_service = true},
    [METRIC_CONNECTIONS] = {.input = show_connections, .of_service = true},
    [METRIC_CONNECTIONS_ACCEPTED] = {.input = show_accepted, .of_service = true},
    [METRIC_CONNECTIONS_CLOSED] = {.input = show_closed, .of_service = true},
    [METRIC_OUTPUT_FRAMES].output = show_output_frames,
    [METRIC_OUTPUT_FRAMES_DROPPED].output = show_output_dropped,
    [METRIC_OUTPUT_CONNECTED].output = show_output_connected,
    [METRIC_LIMIT_OVERFLOWS].once = show_overflows,
    [METRIC_BUILD_INFO].once = show_build_info,
    [METRIC_SCRAPE_DURATION] = {.once = show_scrape_duration, .of_service = true},
    [METRIC_SCRAPES] = {.once = show_scrapes, .of_service = true},
    [METRIC_LOG_LINES_LOST] = {.once = show_log_lines_lost, .of_service = true},
    [METRIC_RELOAD_SUCCESSFUL] = {.once = show_reload_successful, .of_service = true},
    [METRIC_RELOAD_TIMESTAMP] = {.once = show_reload_timestamp, .of_service = true},
    [METRIC_PROCESS_CPU].once = show_process_cpu,
    [METRIC_PROCESS_OPEN_FDS].once = show_process_fds,
    [METRIC_PROCESS_MAX_FDS].once = show_process_max_fds,
    [METRIC_PROCESS_VIRTUAL_MEMORY].once = show_process_virtual,
    [METRIC_PROCESS_VIRTUAL_MEMORY_MAX].once = show_process_virtual_max,
    [METRIC_PROCESS_RESIDENT_MEMORY].once = show_process_resident,
    [METRIC_PROCESS_START_TIME].once = show_process_start,
    [METRIC_PROCESS_THREADS].once = show_process_threads,
};

uint64_t scrape_server_created_ns(const struct scrape *scrape, unsigned server)
{
    /* The first number is for all servers without one, from the start on. */
    return server == SERVER_OTHER
               ? scrape->created_ns
               : scrape->numbers.servers[server].created_ns + scrape->since_1970_ns;
}

/* Call back for every server and role that were seen. */
static void show_servers(struct visit *visit,
                         void (*show)(struct visit *visit, enum metric metric, unsigned server,
                                      enum role role),
                         enum metric metric)
{
    const struct scrape *scrape = visit->scrape;

    for (unsigned server = 0; server < scrape->numbers.sum->server_count; server++) {
        visit->values[0] = scrape->numbers.servers[server].label;
        set_created(visit, scrape_server_created_ns(scrape, server));
        for (enum role role = 0; role < ROLE_COUNT; role++) {
            if (scrape->numbers.sum->in_use[counters_index(server, role)]) {
                visit->values[1] = role_labels[role];
                show(visit, metric, server, role);
            }
        }
    }
    set_created(visit, scrape->created_ns);
}

static void show_cell(struct visit *visit, enum metric metric, unsigned server, enum role role)
{
    shows[metric].counts(visit, &visit->scrape->numbers.sum->servers[counters_index(server, role)]);
}

static void show_stream(struct visit *visit, enum metric metric, unsigned server, enum role role)
{
    shows[metric].stream(
        visit, stream_states_flags(visit->scrape->numbers.streams, stream_index(server, role)));
}

static void show_inputs(struct visit *visit,
                        void (*show)(struct visit *, const struct input_counters *))
{
    const struct scrape *scrape = visit->scrape;

    for (unsigned input = 0; input < scrape->numbers.sum->input_count; input++) {
        visit->values[0] = scrape->input_labels[input];
        show(visit, &scrape->numbers.sum->inputs[input]);
    }
}

static void show_outputs(struct visit *visit,
                         void (*show)(struct visit *, const struct output_counters *))
{
    for (unsigned i = 0; i < visit->scrape->output_count; i++) {
        visit->values[0] = visit->scrape->output_labels[i];
        show(visit, &visit->scrape->outputs[i]);
    }
}

static bool is_between(enum metric metric, enum metric first, enum metric last)
{
    return metric >= first && metric <= last;
}

static bool is_of_top(enum metric metric)
{
    return is_between(metric, METRIC_TOP_CLIENT_QUERIES, METRIC_TOP_DOMAIN_SERVFAILS_ERROR);
}

static enum top_list list_of(enum metric metric)
{
    return (enum top_list)((metric - METRIC_TOP_CLIENT_QUERIES) % TOP_LIST_COUNT);
}

/* What is off in the configuration, or has no meaning in a file, is not shown. */
static bool is_shown(const struct scrape *scrape, enum metric metric)
{
    if (is_of_top(metric)) {
        return scrape_has_list(scrape, list_of(metric));
    }
    if (metric == METRIC_TOP_EVICTIONS) {
        return scrape->numbers.window != NULL && scrape->numbers.window->shape.lists != 0;
    }
    if (is_between(metric, METRIC_DISTINCT_CLIENTS, METRIC_DISTINCT_DOMAINS)) {
        return scrape_has_distinct(scrape,
                                   DISTINCT_CLIENTS_IPV6 + (metric - METRIC_DISTINCT_CLIENTS));
    }
    if (is_between(metric, METRIC_DETECTIONS, METRIC_DETECTION_SCORE)) {
        return scrape->numbers.detectors != 0;
    }
    if (shows[metric].output != NULL) {
        return scrape->output_count > 0;
    }
    if (is_between(metric, METRIC_PROCESS_CPU, METRIC_PROCESS_THREADS)) {
        return scrape->has_process;
    }
    return scrape->of_service || !shows[metric].of_service;
}

void scrape_visit(const struct scrape *scrape, const struct sample_writer *writer, void *context)
{
    struct visit visit = {.scrape = scrape, .writer = writer, .context = context};

    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        if (!is_shown(scrape, metric)) {
            continue;
        }
        visit.entry = &metric_catalogue[metric];
        writer->begin_family(context, visit.entry);
        if (is_of_top(metric)) {
            show_top(&visit, list_of(metric), metric >= METRIC_TOP_CLIENT_QUERIES_ERROR);
        } else if (shows[metric].counts != NULL) {
            show_servers(&visit, show_cell, metric);
        } else if (shows[metric].stream != NULL) {
            show_servers(&visit, show_stream, metric);
        } else if (shows[metric].input != NULL) {
            show_inputs(&visit, shows[metric].input);
        } else if (shows[metric].output != NULL) {
            show_outputs(&visit, shows[metric].output);
        } else {
            shows[metric].once(&visit);
        }
    }
}
