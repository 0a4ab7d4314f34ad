/* SPDX-License-Identifier: Apache-2.0 */
#include "count/counters.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/memory.h"
#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static const uint64_t response_times[] = {
    10 * US, 25 * US, 50 * US,  100 * US, 250 * US, 500 * US, 1 * MS,    2500 * US, 5 * MS, 10 * MS,
    25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * S,    2500 * MS, 5 * S,     10 * S,
};

static const uint64_t ingest_delays[] = {
    100 * US, 250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS,
    100 * MS, 250 * MS, 500 * MS, 1 * S,  2500 * MS, 5 * S,  10 * S,  30 * S,  60 * S,
};

/* 512: without EDNS (RFC 1035); 1232: the DNS flag day of 2020; 4096: before it. */
static const uint64_t query_sizes[] = {20, 24, 28,  32,  40,  48,  56,   64,
                                       80, 96, 128, 192, 256, 512, 1232, 4096};
static const uint64_t response_sizes[] = {32,  48,   64,   96,   128,  192,  256,  384,   512,
                                          768, 1024, 1232, 1452, 2048, 4096, 8192, 16384, 65535};
static const uint64_t qname_sizes[] = {4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 255};

/* 172800: of the delegations of most top-level domains. */
static const uint64_t answer_ttls[] = {0, 1, 5, 30, 60, 300, 900, 3600, 14400, 86400, 172800};

/* Times are zero up to 2^-20 s, which is 0.95 us; of sizes and TTLs only 0 is zero. */
#define TIME_BOUNDS(array)                                                                         \
    {                                                                                              \
        .upper = (array), .count = sizeof(array) / sizeof(array)[0],                               \
        .unit = &histogram_nanoseconds, .native_zero = -160                                        \
    }
#define NUMBER_BOUNDS(array)                                                                       \
    {                                                                                              \
        .upper = (array), .count = sizeof(array) / sizeof(array)[0], .unit = &histogram_numbers,   \
        .native_zero = -1                                                                          \
    }

struct histogram_bounds response_time_bounds = TIME_BOUNDS(response_times);
struct histogram_bounds ingest_delay_bounds = TIME_BOUNDS(ingest_delays);
struct histogram_bounds query_size_bounds = NUMBER_BOUNDS(query_sizes);
struct histogram_bounds response_size_bounds = NUMBER_BOUNDS(response_sizes);
struct histogram_bounds qname_size_bounds = NUMBER_BOUNDS(qname_sizes);
struct histogram_bounds answer_ttl_bounds = NUMBER_BOUNDS(answer_ttls);

static void prepare_bounds(void)
{
    histogram_prepare(&response_time_bounds);
    histogram_prepare(&ingest_delay_bounds);
    histogram_prepare(&query_size_bounds);
    histogram_prepare(&response_size_bounds);
    histogram_prepare(&qname_size_bounds);
    histogram_prepare(&answer_ttl_bounds);
}

_Static_assert(sizeof response_times / sizeof response_times[0] <= HISTOGRAM_BOUNDS_MAX, "");
_Static_assert(sizeof ingest_delays / sizeof ingest_delays[0] <= HISTOGRAM_BOUNDS_MAX, "");
_Static_assert(sizeof response_sizes / sizeof response_sizes[0] <= HISTOGRAM_BOUNDS_MAX, "");

#define PAGE_SIZE 4096 /* or more; then less is given back */

static size_t server_counters_count(const struct counters *counters)
{
    return (size_t)counters->server_count * ROLE_COUNT;
}

int counters_init(struct counters *counters, unsigned server_count, unsigned input_count,
                  bool answers)
{
    static pthread_once_t prepared = PTHREAD_ONCE_INIT;
    struct counters made = {.server_count = server_count, .input_count = input_count};

    (void)pthread_once(&prepared, prepare_bounds);

    made.generations = calloc(server_count, sizeof *made.generations);
    made.servers = calloc(server_counters_count(&made), sizeof *made.servers);
    if (answers) {
        made.answers = calloc(server_counters_count(&made), sizeof *made.answers);
    }
    made.policies = calloc(server_count, sizeof *made.policies);
    made.in_use = calloc(server_counters_count(&made), sizeof *made.in_use);
    made.inputs = calloc(input_count, sizeof *made.inputs);
    if (!made.generations || !made.servers || (answers && !made.answers) || !made.policies ||
        !made.in_use || !made.inputs) {
        counters_deinit(&made);
        return -ENOMEM;
    }
    *counters = made;
    return 0;
}

size_t counters_memory(unsigned server_count, unsigned input_count, bool answers, size_t in_use)
{
    const struct counters *none = NULL;
    size_t all = (size_t)server_count * ROLE_COUNT;
    size_t used = in_use < all ? in_use : all;
    size_t of_answers = answers ? used * (sizeof *none->answers + PAGE_SIZE) : 0;

    /* The pages at both ends are shared with neighbours. */
    return server_count * (sizeof *none->generations + sizeof *none->policies + PAGE_SIZE) +
           all * sizeof *none->in_use + used * (sizeof *none->servers + PAGE_SIZE) + of_answers +
           input_count * sizeof *none->inputs;
}

void counters_deinit(struct counters *counters)
{
    if (counters != NULL) {
        free(counters->generations);
        free(counters->servers);
        free(counters->answers);
        free(counters->policies);
        free(counters->in_use);
        free(counters->inputs);
        *counters = (struct counters){0};
    }
}

uint64_t server_counters_messages(const struct server_counters *counts, enum kind kind)
{
    uint64_t count = 0;

    for (unsigned family = 0; family < FAMILY_COUNT; family++) {
        for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++) {
            count += counts->messages[kind][family][transport];
        }
    }
    return count;
}

uint64_t input_counters_connections(const struct input_counters *input)
{
    uint64_t open = input->accepted;

    for (unsigned why = 0; why < CLOSE_REASON_COUNT; why++) {
        open -= input->closed[why];
    }
    return open;
}

static bool server_seen(const struct counters *counters, unsigned server)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (counters->in_use[counters_index(server, role)]) {
            return true;
        }
    }
    return false;
}

#define SERVER_NUMBERS_SIZE    offsetof(struct server_counters, response_time)
#define SERVER_HISTOGRAMS_SIZE (sizeof(struct server_counters) - SERVER_NUMBERS_SIZE)
#define SERVER_HISTOGRAMS      (SERVER_HISTOGRAMS_SIZE / sizeof(struct histogram))

_Static_assert(SERVER_HISTOGRAMS_SIZE % sizeof(struct histogram) == 0,
               "a number behind the first histogram would not be added");

static void *server_histogram(struct server_counters *counts, size_t number)
{
    return (uint8_t *)counts + SERVER_NUMBERS_SIZE + number * sizeof(struct histogram);
}

static void server_counters_clear(struct server_counters *counts)
{
    memset(counts, 0, SERVER_NUMBERS_SIZE);
    for (size_t i = 0; i < SERVER_HISTOGRAMS; i++) {
        histogram_clear(server_histogram(counts, i));
    }
}

/* Set the server's counters to zero and give their memory back, which another server's counters
 * take instead: so only those of the series that there are are resident. */
static void counters_give_back(struct counters *counters, unsigned server)
{
    size_t first = counters_index(server, 0);

    memory_give_back(&counters->servers[first], ROLE_COUNT * sizeof counters->servers[0]);
    if (counters->answers != NULL) {
        memory_give_back(&counters->answers[first], ROLE_COUNT * sizeof counters->answers[0]);
    }
}

static void clear_role(struct counters *counters, size_t index)
{
    server_counters_clear(&counters->servers[index]);
    if (counters->answers != NULL) {
        counters->answers[index] = (struct answer_counters){0};
    }
    counters->in_use[index] = false;
}

static void clear_server(struct counters *counters, unsigned server)
{
    size_t first = counters_index(server, 0);

    if (!server_seen(counters, server)) {
        return;
    }
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (counters->in_use[first + role]) {
            clear_role(counters, first + role);
        }
    }
    counters->policies[server] = (struct policy_counters){0};
}

void counters_clear(struct counters *counters)
{
    for (unsigned server = 0; server < counters->server_count; server++) {
        clear_server(counters, server);
    }
    memset(counters->inputs, 0, counters->input_count * sizeof counters->inputs[0]);
    counters->global = (struct global_counters){0};
}

static uint64_t server_messages(const struct counters *counters, unsigned server)
{
    uint64_t count = 0;

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        size_t index = counters_index(server, role);
        if (counters->in_use[index]) {
            count += server_counters_messages(&counters->servers[index], KIND_QUERY) +
                     server_counters_messages(&counters->servers[index], KIND_RESPONSE);
        }
    }
    return count;
}

void counters_replace_server(struct counters *counters, unsigned server, uint32_t generation)
{
    counters->global.expired_messages += server_messages(counters, server);
    counters_give_back(counters, server);
    memset(&counters->in_use[counters_index(server, 0)], 0,
           ROLE_COUNT * sizeof counters->in_use[0]);
    counters->policies[server] = (struct policy_counters){0};
    counters->generations[server] = generation;
}

/* Add tables of `size` bytes that hold nothing but uint64_t. */
static void add_numbers(void *to, const void *from, size_t size)
{
    uint64_t *sums = to;
    const uint64_t *terms = from;

    for (size_t i = 0; i < size / sizeof *sums; i++) {
        sums[i] += terms[i];
    }
}

static void server_counters_merge(struct server_counters *to, const struct server_counters *from)
{
    const uint8_t *histograms = (const uint8_t *)from + SERVER_NUMBERS_SIZE;

    add_numbers(to, from, SERVER_NUMBERS_SIZE);
    for (size_t i = 0; i < SERVER_HISTOGRAMS; i++) {
        const void *histogram = histograms + i * sizeof(struct histogram);
        histogram_merge(server_histogram(to, i), histogram);
    }
}

static void add_answers(struct counters *to, const struct counters *from, size_t index)
{
    if (from->answers != NULL) {
        add_numbers(&to->answers[index], &from->answers[index], sizeof to->answers[0]);
    }
}

static void add_server(struct counters *to, const struct counters *from, unsigned server)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        size_t index = counters_index(server, role);
        if (from->in_use[index]) {
            to->in_use[index] = true;
            server_counters_merge(&to->servers[index], &from->servers[index]);
            add_answers(to, from, index);
        }
    }
    add_numbers(&to->policies[server], &from->policies[server], sizeof to->policies[0]);
}

void global_counters_merge(struct global_counters *to, const struct global_counters *from)
{
    add_numbers(to, from, sizeof *to);
}

/* --- Codes that have lost their labels --- */

static uint64_t *code_counts(struct server_counters *counts, enum code_kind kind)
{
    uint64_t *const by_kind[CODE_KINDS] = {
        [CODE_QTYPE] = counts->qtypes,
        [CODE_RCODE] = counts->rcodes,
        [CODE_INFO_CODE] = counts->info_codes,
    };

    return by_kind[kind];
}

/* What the label's new code has counted since the last batch moves as well. */
COLD static void move_codes(struct counters *counters, const struct code_labels *codes,
                            enum code_kind kind)
{
    size_t count = server_counters_count(counters);
    uint32_t version = counters->code_versions[kind];

    for (size_t i = 0; i < count; i++) {
        if (counters->in_use[i]) {
            code_labels_moves(codes, version, code_counts(&counters->servers[i], kind));
            if (kind == CODE_QTYPE && counters->answers != NULL) {
                code_labels_moves(codes, version, counters->answers[i].types);
            }
        }
    }
}

/* Bring one kind up to `version`. */
static inline void update_codes(struct counters *counters, const struct label_sets *labels,
                                enum code_kind kind, uint32_t version)
{
    if (counters->code_versions[kind] != version) {
        move_codes(counters, labels->codes[kind], kind);
        counters->code_versions[kind] = version;
    }
}

void counters_update_codes(struct counters *counters, const struct label_sets *labels)
{
    for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
        update_codes(counters, labels, kind, code_labels_version(labels->codes[kind]));
    }
}

void counters_merge(struct counters *to, const struct counters *from,
                    const struct label_sets *labels)
{
    for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
        update_codes(to, labels, kind, from->code_versions[kind]);
    }
    add_numbers(to->inputs, from->inputs, from->input_count * sizeof from->inputs[0]);
    global_counters_merge(&to->global, &from->global);
    for (unsigned server = 0; server < from->server_count; server++) {
        if (!server_seen(from, server)) {
            continue;
        }
        if (from->generations[server] < to->generations[server]) {
            to->global.expired_messages += server_messages(from, server);
            continue;
        }
        if (from->generations[server] > to->generations[server]) {
            counters_replace_server(to, server, from->generations[server]);
        }
        add_server(to, from, server);
    }
}
