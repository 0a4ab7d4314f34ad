/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/catalogue.h"

#include "collector_internal.h"
#include "computed_metrics_internal.h"
#include "scrape_internal.h"

#define COUNTER   METRIC_TYPE_COUNTER
#define GAUGE     METRIC_TYPE_GAUGE
#define HISTOGRAM METRIC_TYPE_HISTOGRAM

/* --- Places: a member of a table, and a check of its type that costs nothing at run time --- */

/* clang-format off */
#define MEMBER(table, member) (((table *)NULL)->member)

/* What a number is. Another type, or an array if the row has no label, does not compile. */
#define VALUE_OF(table, member)                                                                    \
    .value = _Generic(&MEMBER(table, member), uint64_t *: VALUE_U64, double *: VALUE_F64,          \
                      bool *: VALUE_BOOL, _Atomic uint64_t *: VALUE_ATOMIC_U64,                    \
                      atomic_bool *: VALUE_ATOMIC_BOOL)
/* NOLINTBEGIN(bugprone-macro-parentheses): dimensions in parentheses are no type. */
#define VALUES_OF(table, member, dimensions)                                                       \
    .value = _Generic(&MEMBER(table, member), uint64_t(*) dimensions: VALUE_U64,                   \
                      _Atomic uint64_t(*) dimensions: VALUE_ATOMIC_U64)
#define HISTOGRAMS_OF(table, member, dimensions)                                                   \
    .value = _Generic(&MEMBER(table, member), struct histogram(*) dimensions: VALUE_HISTOGRAM)
/* NOLINTEND(bugprone-macro-parentheses) */

#define AT(scope_, table, member)                                                                  \
    .scope = (scope_), .offset = offsetof(table, member), VALUE_OF(table, member)
#define AT_1(scope_, table, member, a)                                                             \
    .scope = (scope_), .offset = offsetof(table, member),                                          \
    VALUES_OF(table, member, [LABEL_COUNT_##a]), .labels = {&label_##a}
#define AT_2(scope_, table, member, a, b)                                                          \
    .scope = (scope_), .offset = offsetof(table, member),                                          \
    VALUES_OF(table, member, [LABEL_COUNT_##a][LABEL_COUNT_##b]),                                  \
    .labels = {&label_##a, &label_##b}
#define HISTOGRAM_AT(scope_, table, member, bounds_)                                               \
    .scope = (scope_), .offset = offsetof(table, member),                                          \
    HISTOGRAMS_OF(table, member, ), .bounds = &(bounds_)

/* The number behind a scope is the number of labels, each of which is an index of the member. */
#define SERVER(member)          AT(SCOPE_SERVER_ROLE, struct server_counters, member)
#define SERVER_1(member, a)     AT_1(SCOPE_SERVER_ROLE, struct server_counters, member, a)
#define SERVER_2(member, a, b)  AT_2(SCOPE_SERVER_ROLE, struct server_counters, member, a, b)
/* The second label shares the index of the first one. */
#define SERVER_1_TWICE(member, a, same)                                                            \
    .scope = SCOPE_SERVER_ROLE, .offset = offsetof(struct server_counters, member),                \
    VALUES_OF(struct server_counters, member, [LABEL_COUNT_##a]),                                  \
    .labels = {&label_##a, &label_##same}
#define SERVER_HISTOGRAM(member, bounds_)                                                          \
    HISTOGRAM_AT(SCOPE_SERVER_ROLE, struct server_counters, member, bounds_)
#define SERVER_HISTOGRAM_1(member, a, bounds_)                                                     \
    .scope = SCOPE_SERVER_ROLE, .offset = offsetof(struct server_counters, member),                \
    HISTOGRAMS_OF(struct server_counters, member, [LABEL_COUNT_##a]), .labels = {&label_##a},      \
    .bounds = &(bounds_)
#define ANSWERS(member)         AT(SCOPE_ANSWERS, struct answer_counters, member)
#define ANSWERS_1(member, a)    AT_1(SCOPE_ANSWERS, struct answer_counters, member, a)
#define ANSWERS_HISTOGRAM(member, bounds_)                                                         \
    HISTOGRAM_AT(SCOPE_ANSWERS, struct answer_counters, member, bounds_)
#define STREAM(flags)           .scope = SCOPE_STREAM, .which = (flags)
#define POLICY_2(member, a, b)  AT_2(SCOPE_SERVER, struct policy_counters, member, a, b)
#define INPUT(member)           AT(SCOPE_INPUT, struct input_counters, member)
#define INPUT_1(member, a)      AT_1(SCOPE_INPUT, struct input_counters, member, a)
#define INPUT_HISTOGRAM(member, bounds_)                                                           \
    HISTOGRAM_AT(SCOPE_INPUT, struct input_counters, member, bounds_)
#define INPUT_GAUGE(member)     AT(SCOPE_INPUT_GAUGES, struct input_gauges, member)
#define LISTENING(member)       AT(SCOPE_LISTENING, struct input_gauges, member)
#define DIALLED(member)         AT(SCOPE_DIALLED, struct input_gauges, member)
#define DIALLED_1(member, a)    AT_1(SCOPE_DIALLED, struct input_gauges, member, a)
#define OUTPUT(member)          AT(SCOPE_OUTPUT, struct output_counters, member)
#define OUTPUT_1(member, a)     AT_1(SCOPE_OUTPUT, struct output_counters, member, a)
#define ARCHIVE(member)         AT(SCOPE_ARCHIVE, struct archive_counters, member)
#define ARCHIVE_1(member, a)    AT_1(SCOPE_ARCHIVE, struct archive_counters, member, a)
#define GLOBAL(member)          AT(SCOPE_GLOBAL, struct global_counters, member)
#define GLOBAL_1(member, a)     AT_1(SCOPE_GLOBAL, struct global_counters, member, a)
#define FORMAT(member)          AT(SCOPE_FORMAT, struct scrape_stats, member)
#define EXPORTER(member)        AT(SCOPE_EXPORTER, struct scrape, member)
#define EXPORTER_1(member, a)   AT_1(SCOPE_EXPORTER, struct scrape, member, a)
#define BY_FUNCTION(collect_, ...) .collect = (collect_), .labels = {__VA_ARGS__}

const char *const metric_scope_labels[SCOPE_COUNT][METRIC_LABELS_MAX + 1] = {
    [SCOPE_SERVER_ROLE] = {"server", "role"},
    [SCOPE_ANSWERS] = {"server", "role"},
    [SCOPE_STREAM] = {"server", "role"},
    [SCOPE_SERVER] = {"server"},
    [SCOPE_INPUT] = {"input"},
    [SCOPE_INPUT_GAUGES] = {"input"},
    [SCOPE_LISTENING] = {"input"},
    [SCOPE_DIALLED] = {"input"},
    [SCOPE_OUTPUT] = {"output"},
    [SCOPE_FORMAT] = {"format"},
};

/* Labels of rows that compute their numbers. */
static const struct label_values
    label_client = {.name = "client"}, label_compiler = {.name = "compiler"},
    label_detector = {.name = "detector"}, label_domain = {.name = "domain"},
    label_input = {.name = "input"}, label_list = {.name = "list"},
    label_qname = {.name = "qname"}, label_revision = {.name = "revision"},
    label_severity = {.name = "severity"}, label_upstream = {.name = "upstream"},
    label_version = {.name = "version"};

/* --- Lists: a metric for each, and one for the error of its values --- */
#define TOP_LISTS(X) \
    X(TOP_CLIENT_QUERIES, "client_queries", client, "", "Queries of the clients with the most queries") \
    X(TOP_CLIENT_NXDOMAINS, "client_nxdomains", client, "", "NXDOMAIN responses to the clients with the most NXDOMAIN responses") \
    X(TOP_CLIENT_RESPONSE_BYTES, "client_response_bytes", client, "bytes", "Bytes of the responses to the clients with the most response bytes") \
    X(TOP_QNAME_QUERIES, "qname_queries", qname, "", "Queries for the names with the most queries") \
    X(TOP_QNAME_NXDOMAINS, "qname_nxdomains", qname, "", "NXDOMAIN responses for the names with the most NXDOMAIN responses") \
    X(TOP_QNAME_SERVFAILS, "qname_servfails", qname, "", "SERVFAIL responses for the names with the most SERVFAIL responses") \
    X(TOP_DOMAIN_QUERIES, "domain_queries", domain, "", "Queries for names in the registered domains with the most queries") \
    X(TOP_DOMAIN_NXDOMAINS, "domain_nxdomains", domain, "", "NXDOMAIN responses for names in the registered domains with the most NXDOMAIN responses") \
    X(TOP_DOMAIN_SERVFAILS, "domain_servfails", domain, "", "SERVFAIL responses for names in the registered domains with the most SERVFAIL responses") \
    X(TOP_UPSTREAM_QUERIES, "upstream_queries", upstream, "", "Queries that servers send in the roles resolver, forwarder and stub to the upstream servers with the most queries") \
    X(TOP_UPSTREAM_UNANSWERED, "upstream_unanswered", upstream, "", "Queries without a response to the upstream servers with the most of these") \
    X(TOP_UPSTREAM_SERVFAILS, "upstream_servfails", upstream, "", "SERVFAIL responses of the upstream servers with the most SERVFAIL responses") \
    X(TOP_UPSTREAM_RESPONSE_SECONDS, "upstream_response_seconds", upstream, "seconds", "Response times added up, of the upstream servers with the largest sums")

#define LIST_ROW(list, name, key, unit, help) \
    {"dnstap_top_" name, GAUGE, unit, help " in the window; at most dnstap_top_" name "_error above the true number.", \
        BY_FUNCTION(collect_top, &label_##key), .needs = NEEDS_LIST, .which = (list)},
#define LIST_ERROR_ROW(list, name, key, unit, help) \
    {"dnstap_top_" name "_error", GAUGE, "", "Error bound of dnstap_top_" name ": how much it may be above the true number.", \
        BY_FUNCTION(collect_top, &label_##key), .needs = NEEDS_LIST, .which = (list), .is_error = true},
#define LIST_KEY_LABEL(list, name, key, unit, help) [list] = #key,

const char *const top_list_key_labels[TOP_LIST_COUNT] = {TOP_LISTS(LIST_KEY_LABEL)};

/* --- The rows --- */

const struct metric_entry metric_catalogue[] = {
    {"dnstap_queries_total", COUNTER, "", "DNS queries received as dnstap messages.",
        SERVER_2(messages[KIND_QUERY], family, transport), .shown = SHOWN_COUNTED},
    {"dnstap_responses_total", COUNTER, "", "DNS responses received as dnstap messages.",
        SERVER_2(messages[KIND_RESPONSE], family, transport), .shown = SHOWN_COUNTED},
    {"dnstap_query_types_total", COUNTER, "", "Queries by query type. If a server sends responses only, the types are those of its responses.",
        SERVER_1(qtypes, qtype), .shown = SHOWN_COUNTED},
    {"dnstap_query_classes_total", COUNTER, "", "Queries by query class.",
        SERVER_1(classes, query_class), .shown = SHOWN_COUNTED},
    {"dnstap_query_opcodes_total", COUNTER, "", "Queries by opcode.",
        SERVER_1(opcodes, opcode), .shown = SHOWN_COUNTED},
    {"dnstap_query_flags_total", COUNTER, "", "Queries by header flag, EDNS (edns) and the DO bit of EDNS (do).",
        SERVER_1(query_flags, query_flag)},
    {"dnstap_doh_queries_total", COUNTER, "", "Queries over HTTPS by HTTP version; unknown if the server does not report it.",
        SERVER_1(doh_queries, http_version), .shown = SHOWN_COUNTED},
    {"dnstap_response_codes_total", COUNTER, "", "Responses by response code, including the extended bits of EDNS.",
        SERVER_1(rcodes, rcode), .shown = SHOWN_COUNTED},
    {"dnstap_response_flags_total", COUNTER, "", "Responses by header flag.",
        SERVER_1(response_flags, response_flag)},
    {"dnstap_response_outcomes_total", COUNTER, "", "Responses by outcome. nxdomain includes compact denial of existence (RFC 9824); other is a truncated or malformed response, another response code or another opcode.",
        SERVER_1(outcomes, outcome)},
    {"dnstap_edns_options_total", COUNTER, "", "Messages by EDNS option.",
        SERVER_2(edns_options, kind, edns_option)},
    {"dnstap_extended_errors_total", COUNTER, "", "Extended DNS errors (RFC 8914) in responses.",
        SERVER_1_TWICE(info_codes, info_code, error), .shown = SHOWN_COUNTED},
    {"dnstap_policy_actions_total", COUNTER, "", "Messages to which the server applied a response policy (RPZ).",
        POLICY_2(actions, policy_action, policy_match), .shown = SHOWN_COUNTED},
    {"dnstap_malformed_messages_total", COUNTER, "", "Messages whose DNS part is missing or malformed. They also count as queries or responses.",
        SERVER_2(malformed, kind, defect)},
    {"dnstap_response_time_seconds", HISTOGRAM, "seconds", "Time from a query to its response, by the time stamps of the server.",
        SERVER_HISTOGRAM(response_time, response_time_bounds), .shown = SHOWN_WITH_RESPONSES},
    {"dnstap_query_size_bytes", HISTOGRAM, "bytes", "Size of query messages.",
        SERVER_HISTOGRAM_1(message_size[KIND_QUERY], transport, query_size_bounds), .shown = SHOWN_COUNTED},
    {"dnstap_response_size_bytes", HISTOGRAM, "bytes", "Size of response messages.",
        SERVER_HISTOGRAM_1(message_size[KIND_RESPONSE], transport, response_size_bounds), .shown = SHOWN_COUNTED},
    {"dnstap_query_name_size_bytes", HISTOGRAM, "bytes", "Size of query names in wire format.",
        SERVER_HISTOGRAM(qname_size, qname_size_bounds), .shown = SHOWN_WITH_QUERIES},
    {"dnstap_unmatched_responses_total", COUNTER, "", "Responses without a response time, because their query or a time stamp is missing. Does not increase while the server is sampled or sends responses only.",
        SERVER(unmatched_responses)},
    {"dnstap_duplicate_responses_total", COUNTER, "", "Further responses to an answered query, each within two seconds of the response before: duplicates, and the messages of zone transfers.",
        SERVER(duplicate_responses)},
    {"dnstap_search_list_queries_total", COUNTER, "", "Queries of clients for an outside name with a search domain behind it (ndots), which does not exist. Counted if lists or detectors are on, in the roles client and auth.",
        SERVER(search_list_queries)},
    {"dnstap_private_answers_total", COUNTER, "", "Responses all of whose addresses are private (RFC 1918, RFC 6598, RFC 4193 and link-local).",
        SERVER(private_answers)},
    {"dnstap_answer_records_total", COUNTER, "", "Records in the answer sections of responses by type, RRSIG records too. Opcode QUERY only; of a malformed response the records before the fault.",
        ANSWERS_1(types, record_type), .shown = SHOWN_COUNTED, .needs = NEEDS_ANSWERS},
    {"dnstap_answer_ttl_seconds", HISTOGRAM, "seconds", "Least TTL among the records of each response that dnstap_answer_records_total counts. A TTL above seven days counts as seven days.",
        ANSWERS_HISTOGRAM(ttl, answer_ttl_bounds), .shown = SHOWN_WITH_RESPONSES, .needs = NEEDS_ANSWERS},
    {"dnstap_answer_private_addresses_total", COUNTER, "", "A and AAAA records among dnstap_answer_records_total whose address is private (RFC 1918, RFC 6598, RFC 4193 and link-local; not loopback).",
        ANSWERS(private_addresses), .needs = NEEDS_ANSWERS},
    {"dnstap_unanswered_queries_total", COUNTER, "", "Queries without a response within matching.timeout. Does not increase while the server is sampled or sends queries only.",
        SERVER(unanswered_queries)},
    {"dnstap_negative_response_times_total", COUNTER, "", "Responses without a response time, because they are stamped earlier than their query.",
        SERVER(negative_response_times)},
    {"dnstap_matching_evictions_total", COUNTER, "", "Messages evicted from the full matching table before their query or response arrived (matching.capacity).",
        GLOBAL(matching_evictions)},
    {"dnstap_responses_only", GAUGE, "", "1 if the server sends responses only. Query types, names and clients are then those of its responses.",
        STREAM(STREAM_RESPONSES_ONLY)},
    {"dnstap_queries_only", GAUGE, "", "1 if the server sends queries only: no response for a minute.",
        STREAM(STREAM_QUERIES_ONLY)},
    {"dnstap_sampled", GAUGE, "", "1 if the server sends a sample of its messages, by inputs[].sampling or by its share of unanswered queries and unmatched responses.",
        STREAM(STREAM_SAMPLED | STREAM_SAMPLED_INPUT)},
    {"dnstap_expired_messages_total", COUNTER, "", "Queries and responses of servers whose series were dropped to make room for other servers (limits.servers).",
        GLOBAL(expired_messages)},
    {"dnstap_input_sampling_ratio", GAUGE, "", "Fraction of their messages that servers send to the input: 1 divided by inputs[].sampling.",
        INPUT_GAUGE(sampling_ratio), .needs = NEEDS_SERVICE},
    {"dnstap_ingest_delay_seconds", HISTOGRAM, "seconds", "Time from the time stamp of a message to the arrival of its frame. Idle servers send up to two seconds late.",
        INPUT_HISTOGRAM(ingest_delay, ingest_delay_bounds), .needs = NEEDS_SERVICE},
    TOP_LISTS(LIST_ROW)
    TOP_LISTS(LIST_ERROR_ROW)
    {"dnstap_top_evictions_total", COUNTER, "", "Keys evicted from the full table of a list (top.capacity).",
        BY_FUNCTION(collect_top_evictions, &label_list), .needs = NEEDS_LISTS},
    {"dnstap_distinct_clients", GAUGE, "", "Distinct clients that sent queries in the window (estimate; standard error 1.6 %).",
        BY_FUNCTION(collect_distinct_clients, &label_family), .needs = NEEDS_DISTINCT, .which = DISTINCT_CLIENTS_IPV4},
    {"dnstap_distinct_qnames", GAUGE, "", "Distinct query names in the window (estimate; standard error 1.6 %).",
        BY_FUNCTION(collect_distinct, NULL), .needs = NEEDS_DISTINCT, .which = DISTINCT_QNAMES},
    {"dnstap_distinct_nxdomain_qnames", GAUGE, "", "Distinct query names with an NXDOMAIN response in the window (estimate; standard error 1.6 %).",
        BY_FUNCTION(collect_distinct, NULL), .needs = NEEDS_DISTINCT, .which = DISTINCT_NXDOMAIN_QNAMES},
    {"dnstap_distinct_domains", GAUGE, "", "Distinct registered domains of query names in the window (estimate; standard error 1.6 %).",
        BY_FUNCTION(collect_distinct, NULL), .needs = NEEDS_DISTINCT, .which = DISTINCT_DOMAINS},
    {"dnstap_detections_total", COUNTER, "", "Detections that began; of new_domain, the new domains.",
        BY_FUNCTION(collect_detections, &label_detector), .needs = NEEDS_DETECTORS},
    {"dnstap_detections_active", GAUGE, "", "Detections that are active now.",
        BY_FUNCTION(collect_detections_active, &label_detector), .needs = NEEDS_DETECTORS},
    {"dnstap_detection_score", GAUGE, "", "Active detections by client and domain. The value is the evidence divided by what suffices.",
        BY_FUNCTION(collect_detection_scores, &label_detector, &label_client, &label_domain), .needs = NEEDS_DETECTORS},
    {"dnstap_block_list_hits_total", COUNTER, "", "Queries of clients for names of the block list.",
        BY_FUNCTION(collect_block_list_hits, &label_list), .needs = NEEDS_BLOCK_LISTS},
    {"dnstap_block_list_names", GAUGE, "", "Names of the block list.",
        BY_FUNCTION(collect_block_list_names, &label_list), .needs = NEEDS_BLOCK_LISTS},
    {"dnstap_block_list_unsupported_lines", GAUGE, "", "Lines in the block list's file that could not be read as names.",
        BY_FUNCTION(collect_block_list_lines, &label_list), .needs = NEEDS_BLOCK_LISTS},
    {"dnstap_block_list_load_timestamp_seconds", GAUGE, "seconds", "Time at which the block list was read in seconds since 1970 (Unix time).",
        BY_FUNCTION(collect_block_list_times, &label_list), .needs = NEEDS_BLOCK_LISTS},
    {"dnstap_block_list_finding_queries", GAUGE, "", "Queries for names of the block list by each client that has an active detection. The severity is the one that the configuration gives the list.",
        BY_FUNCTION(collect_block_list_findings, &label_list, &label_client, &label_severity), .needs = NEEDS_BLOCK_LISTS},
    {"dnstap_frames_total", COUNTER, "", "Data frames received.",
        INPUT(frames)},
    {"dnstap_frame_bytes_total", COUNTER, "bytes", "Bytes of the data frames received, without length fields and oversize frames.",
        INPUT(frame_bytes)},
    {"dnstap_frames_rejected_total", COUNTER, "", "Data frames rejected. They count neither as a query nor as a response.",
        INPUT_1(rejected, reject_reason)},
    {"dnstap_input_listening", GAUGE, "", "1 if servers can connect to the input; 0 if its socket file was removed and cannot be created again.",
        LISTENING(listening), .needs = NEEDS_SERVICE},
    {"dnstap_input_connected", GAUGE, "", "1 if the input is connected to the server that its key connect names.",
        DIALLED(connected), .needs = NEEDS_DIALLED},
    {"dnstap_input_connection_failures_total", COUNTER, "", "Failed attempts to connect to the server that the input's key connect names. The log says why.",
        DIALLED_1(connection_failures, connection_failure), .needs = NEEDS_DIALLED},
    {"dnstap_connections", GAUGE, "", "Connections that are open now.",
        BY_FUNCTION(collect_connections, &label_input), .needs = NEEDS_SERVICE},
    {"dnstap_connections_accepted_total", COUNTER, "", "Connections accepted, or made by an input with the key connect.",
        INPUT(accepted), .needs = NEEDS_SERVICE},
    {"dnstap_connections_closed_total", COUNTER, "", "Connections closed.",
        INPUT_1(closed, close_reason), .needs = NEEDS_SERVICE},
    {"dnstap_output_frames_total", COUNTER, "", "Data frames sent to the output's receiver.",
        OUTPUT(frames), .needs = NEEDS_OUTPUTS},
    {"dnstap_output_frames_dropped_total", COUNTER, "", "Data frames not sent to the output's receiver.",
        OUTPUT_1(dropped, output_drop), .needs = NEEDS_OUTPUTS},
    {"dnstap_output_connected", GAUGE, "", "1 if the output's receiver is connected.",
        OUTPUT(connected), .needs = NEEDS_OUTPUTS},
    {"dnstap_output_connection_failures_total", COUNTER, "", "Failed attempts to connect to the output's receiver. The log says why.",
        OUTPUT_1(connection_failures, connection_failure), .needs = NEEDS_OUTPUTS},
    {"dnstap_archive_frames_total", COUNTER, "", "Data frames in the archive that a flush has brought to the disk.",
        ARCHIVE(frames), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_frames_dropped_total", COUNTER, "", "Data frames dropped on their way into the archive, by reason.",
        ARCHIVE_1(dropped, archive_drop), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_written_bytes_total", COUNTER, "bytes", "Bytes written to the archive's files, compressed, and to their indexes.",
        ARCHIVE(bytes_written), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_errors_total", COUNTER, "", "Failed attempts to write to the archive. The log says why.",
        ARCHIVE(errors), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_writable", GAUGE, "", "1 if the last attempt to write to the archive was successful.",
        ARCHIVE(writing), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_files", GAUGE, "", "Files of the archive, without their indexes.",
        ARCHIVE(files), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_size_bytes", GAUGE, "bytes", "Bytes of the archive's files and indexes.",
        ARCHIVE(size_bytes), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_oldest_timestamp_seconds", GAUGE, "seconds", "Time at which the oldest file of the archive was begun in seconds since 1970 (Unix time); 0 without a file.",
        ARCHIVE(oldest_seconds), .needs = NEEDS_ARCHIVE},
    {"dnstap_archive_last_flush_timestamp_seconds", GAUGE, "seconds", "Time of the last flush of the archive to the disk in seconds since 1970 (Unix time); 0 before the first flush.",
        ARCHIVE(last_flush_seconds), .needs = NEEDS_ARCHIVE},
    {"dnstap_limit_overflows_total", COUNTER, "", "Messages, records, keys and connections that reached a limit, and were counted under \"other\", ignored or closed.",
        GLOBAL_1(overflows, limit)},
    {"dnstap_exporter_build_info", GAUGE, "", "Always 1. The labels are the version, revision and compiler of this build.",
        BY_FUNCTION(collect_build_info, &label_version, &label_revision, &label_compiler)},
    {"dnstap_exporter_scrape_duration_seconds", GAUGE, "seconds", "Time taken to build the last exposition.",
        FORMAT(last_duration_seconds), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_scrapes_total", COUNTER, "", "Expositions built before this one.",
        FORMAT(count), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_evaluations_total", COUNTER, "", "Published evaluations of lists and detectors, one a second.",
        EXPORTER(numbers.evaluations), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_log_lines_lost_total", COUNTER, "", "Log lines dropped because standard error was not read.",
        EXPORTER(log_lines_lost), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_config_last_reload_successful", GAUGE, "", "1 if the last configuration reload was successful.",
        EXPORTER(reload_successful), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_config_last_reload_success_timestamp_seconds", GAUGE, "seconds", "Time of the last successful configuration reload in seconds since 1970 (Unix time).",
        EXPORTER(reload_timestamp_seconds), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_http_refusals_total", COUNTER, "", "HTTP clients refused: connections without a TLS session, and requests.",
        EXPORTER_1(web_refusals, web_refusal), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_tls_certificate_expiry_timestamp_seconds", GAUGE, "seconds", "Time in seconds since 1970 (Unix time) when the web server's certificate, or one of its chain, expires.",
        EXPORTER(certificate_expiry_seconds), .needs = NEEDS_CERTIFICATE},
    {"dnstap_exporter_sandbox_active", GAUGE, "", "1 if this part of the sandbox is in force: new privileges, files (Landlock), connections to TCP ports (Landlock), system calls (seccomp).",
        EXPORTER_1(sandbox_active, sandbox_part), .needs = NEEDS_SERVICE},
    {"dnstap_exporter_sandbox_violations_total", COUNTER, "", "System calls that the sandbox has refused. The log names each call once.",
        EXPORTER(sandbox_violations), .needs = NEEDS_SERVICE},
    {"process_cpu_seconds_total", COUNTER, "seconds", "User and system CPU time spent.",
        EXPORTER(process.cpu_seconds), .needs = NEEDS_PROCESS},
    {"process_open_fds", GAUGE, "", "Open file descriptors.",
        EXPORTER(process.fds), .needs = NEEDS_PROCESS},
    {"process_max_fds", GAUGE, "", "Maximum number of open file descriptors.",
        EXPORTER(process.fd_max), .needs = NEEDS_PROCESS},
    {"process_virtual_memory_bytes", GAUGE, "bytes", "Virtual memory size.",
        EXPORTER(process.virtual_bytes), .needs = NEEDS_PROCESS},
    {"process_virtual_memory_max_bytes", GAUGE, "bytes", "Maximum virtual memory size; -1 without a limit.",
        EXPORTER(process.virtual_max_bytes), .needs = NEEDS_PROCESS},
    {"process_resident_memory_bytes", GAUGE, "bytes", "Resident memory size.",
        EXPORTER(process.resident_bytes), .needs = NEEDS_PROCESS},
    {"process_start_time_seconds", GAUGE, "seconds", "Start time of the process in seconds since 1970 (Unix time).",
        EXPORTER(process.start_time_seconds), .needs = NEEDS_START_TIME},
    {"process_threads", GAUGE, "", "Threads of the process.",
        EXPORTER(process.threads), .needs = NEEDS_PROCESS},
};
/* clang-format on */

const size_t metric_catalogue_count = sizeof metric_catalogue / sizeof metric_catalogue[0];

size_t metric_value_size(enum metric_value value)
{
    switch (value) {
    case VALUE_BOOL:
        return sizeof(bool);
    case VALUE_ATOMIC_BOOL:
        return sizeof(atomic_bool);
    case VALUE_F64:
        return sizeof(double);
    case VALUE_HISTOGRAM:
        return sizeof(struct histogram);
    case VALUE_U64:
    case VALUE_ATOMIC_U64:
        break;
    }
    return sizeof(uint64_t);
}
