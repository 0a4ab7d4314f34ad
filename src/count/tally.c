/* SPDX-License-Identifier: Apache-2.0 */
#include "count/tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

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

static uint8_t below[5][HISTOGRAM_NATIVE_BUCKETS];

/* Times are zero up to 2^-20 s, which is 0.95 us; of sizes only 0 is zero. */
/* clang-format off */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TIMES(array, number) {(array), COUNT(array), &histogram_nanoseconds, -160, below[number]}
#define SIZES(array, number) {(array), COUNT(array), &histogram_bytes, -1, below[number]}
/* clang-format on */

const struct histogram_bounds response_time_bounds = TIMES(response_times, 0);
const struct histogram_bounds ingest_delay_bounds = TIMES(ingest_delays, 1);
const struct histogram_bounds query_size_bounds = SIZES(query_sizes, 2);
const struct histogram_bounds response_size_bounds = SIZES(response_sizes, 3);
const struct histogram_bounds qname_size_bounds = SIZES(qname_sizes, 4);

static void prepare_bounds(void)
{
    histogram_prepare(&response_time_bounds);
    histogram_prepare(&ingest_delay_bounds);
    histogram_prepare(&query_size_bounds);
    histogram_prepare(&response_size_bounds);
    histogram_prepare(&qname_size_bounds);
}

_Static_assert(sizeof response_times / sizeof response_times[0] <= HISTOGRAM_BOUNDS_MAX, "");
_Static_assert(sizeof ingest_delays / sizeof ingest_delays[0] <= HISTOGRAM_BOUNDS_MAX, "");
_Static_assert(sizeof response_sizes / sizeof response_sizes[0] <= HISTOGRAM_BOUNDS_MAX, "");

#define PAGE_SIZE 4096 /* or more; then less is given back */

static size_t cell_count(const struct tally *tally)
{
    return (size_t)tally->server_count * ROLE_COUNT;
}

int tally_init(struct tally *tally, unsigned server_count, unsigned input_count)
{
    static pthread_once_t prepared = PTHREAD_ONCE_INIT;
    struct tally made = {.server_count = server_count, .input_count = input_count};

    (void)pthread_once(&prepared, prepare_bounds);

    made.generations = calloc(server_count, sizeof *made.generations);
    made.cells = calloc(cell_count(&made), sizeof *made.cells);
    made.policies = calloc(server_count, sizeof *made.policies);
    made.seen = calloc(cell_count(&made), sizeof *made.seen);
    made.inputs = calloc(input_count, sizeof *made.inputs);
    if (!made.generations || !made.cells || !made.policies || !made.seen || !made.inputs) {
        tally_deinit(&made);
        return -ENOMEM;
    }
    *tally = made;
    return 0;
}

size_t tally_memory(unsigned server_count, unsigned input_count, size_t cells)
{
    const struct tally *none = NULL;
    size_t all = (size_t)server_count * ROLE_COUNT;
    size_t used = cells < all ? cells : all;

    /* Pages at both ends of a cell are another one's, too. */
    return server_count * (sizeof *none->generations + sizeof *none->policies + PAGE_SIZE) +
           all * sizeof *none->seen + used * (sizeof *none->cells + PAGE_SIZE) +
           input_count * sizeof *none->inputs;
}

void tally_deinit(struct tally *tally)
{
    if (tally != NULL) {
        free(tally->generations);
        free(tally->cells);
        free(tally->policies);
        free(tally->seen);
        free(tally->inputs);
        *tally = (struct tally){0};
    }
}

uint64_t cell_messages(const struct cell *cell, enum kind kind)
{
    uint64_t count = 0;

    for (unsigned family = 0; family < FAMILY_COUNT; family++) {
        for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++) {
            count += cell->messages[kind][family][transport];
        }
    }
    return count;
}

uint64_t input_connections(const struct input_tally *input)
{
    uint64_t open = input->accepted;

    for (unsigned why = 0; why < CLOSE_REASON_COUNT; why++) {
        open -= input->closed[why];
    }
    return open;
}

static bool server_seen(const struct tally *tally, unsigned server)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (tally->seen[tally_index(server, role)]) {
            return true;
        }
    }
    return false;
}

#define CELL_NUMBERS_SIZE offsetof(struct cell, response_time)

static void clear_cell(struct cell *cell)
{
    memset(cell, 0, CELL_NUMBERS_SIZE);
    histogram_clear(&cell->response_time);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++) {
            histogram_clear(&cell->message_size[kind][transport]);
        }
    }
    histogram_clear(&cell->qname_size);
}

/* Set the server's cells to zero and give their memory back, which another server's cells take
 * instead: so only those of the series that there are are resident. */
static void give_back(struct tally *tally, unsigned server)
{
    uint8_t *begin = (uint8_t *)&tally->cells[tally_index(server, 0)];
    uint8_t *end = (uint8_t *)&tally->cells[tally_index(server + 1, 0)];
    uint8_t *first_page = begin + (PAGE_SIZE - (uintptr_t)begin % PAGE_SIZE) % PAGE_SIZE;
    uint8_t *last_page = end - (uintptr_t)end % PAGE_SIZE;

    if (first_page >= last_page ||
        madvise(first_page, (size_t)(last_page - first_page), MADV_DONTNEED) < 0) {
        memset(begin, 0, (size_t)(end - begin));
        return;
    }
    memset(begin, 0, (size_t)(first_page - begin));
    memset(last_page, 0, (size_t)(end - last_page));
}

static void clear_server(struct tally *tally, unsigned server)
{
    size_t first = tally_index(server, 0);

    if (!server_seen(tally, server)) {
        return;
    }
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (tally->seen[first + role]) {
            clear_cell(&tally->cells[first + role]);
            tally->seen[first + role] = false;
        }
    }
    tally->policies[server] = (struct policy_tally){0};
}

void tally_clear(struct tally *tally)
{
    for (unsigned server = 0; server < tally->server_count; server++) {
        clear_server(tally, server);
    }
    memset(tally->inputs, 0, tally->input_count * sizeof tally->inputs[0]);
    tally->common = (struct common_tally){0};
}

static uint64_t server_messages(const struct tally *tally, unsigned server)
{
    uint64_t count = 0;

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        size_t index = tally_index(server, role);
        if (tally->seen[index]) {
            count += cell_messages(&tally->cells[index], KIND_QUERY) +
                     cell_messages(&tally->cells[index], KIND_RESPONSE);
        }
    }
    return count;
}

void tally_expire(struct tally *tally, unsigned server, uint32_t generation)
{
    tally->common.expired_messages += server_messages(tally, server);
    give_back(tally, server);
    memset(&tally->seen[tally_index(server, 0)], 0, ROLE_COUNT * sizeof tally->seen[0]);
    tally->policies[server] = (struct policy_tally){0};
    tally->generations[server] = generation;
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

static void add_cell(struct cell *to, const struct cell *from)
{
    add_numbers(to, from, CELL_NUMBERS_SIZE);
    histogram_merge(&to->response_time, &from->response_time);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++) {
            histogram_merge(&to->message_size[kind][transport],
                            &from->message_size[kind][transport]);
        }
    }
    histogram_merge(&to->qname_size, &from->qname_size);
}

static void add_server(struct tally *to, const struct tally *from, unsigned server)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        size_t index = tally_index(server, role);
        if (from->seen[index]) {
            to->seen[index] = true;
            add_cell(&to->cells[index], &from->cells[index]);
        }
    }
    add_numbers(&to->policies[server], &from->policies[server], sizeof to->policies[0]);
}

void common_tally_add(struct common_tally *to, const struct common_tally *from)
{
    add_numbers(to, from, sizeof *to);
}

void tally_add(struct tally *to, const struct tally *from)
{
    add_numbers(to->inputs, from->inputs, from->input_count * sizeof from->inputs[0]);
    common_tally_add(&to->common, &from->common);
    for (unsigned server = 0; server < from->server_count; server++) {
        if (!server_seen(from, server)) {
            continue;
        }
        if (from->generations[server] < to->generations[server]) {
            to->common.expired_messages += server_messages(from, server);
            continue;
        }
        if (from->generations[server] > to->generations[server]) {
            tally_expire(to, server, from->generations[server]);
        }
        add_server(to, from, server);
    }
}
