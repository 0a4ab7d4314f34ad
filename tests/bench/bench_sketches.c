/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds of one update of each sketch, and of what stands between a message and them. Inputs
 * are made beforehand; each figure is the median of rounds that take turns. */
#include <libpsl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "support/random.h"
#include "support/sight.h"
#include "detect/detect.h"
#include "top/pane.h"

#define INPUTS      2048 /* they stay in the second-level cache, as a message just received does */
#define KEYS        1000000
#define ROUNDS      201
#define CAPACITY    1000
#define SUFFIX_LIST "/usr/share/publicsuffix/public_suffix_list.dat"

static struct hash_key secret;

struct input {
    uint64_t number; /* of the key */
    uint64_t hash;
    char text[40];
    uint8_t name[40];
    struct client_event event;
    struct dns_name_suffixes suffixes; /* of its name */
};

static struct input inputs[INPUTS];
static struct heavy_hitters *sketch, *other;
static struct pane *pane;
static struct detect_part *detect;
static struct suffix_table *table;
static struct client_event_rules rules;
static psl_ctx_t *psl;
static uint8_t registers[DISTINCT_SIZE(12)];
static volatile uint64_t sink;

/* --- Inputs --- */

static uint64_t draw(const double *law, uint64_t *seed)
{
    double at = (double)(random_next(seed) >> 11) * 0x1p-53 * law[KEYS - 1];
    size_t low = 0;
    size_t high = KEYS - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (law[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t next_number; /* keys that are all different go on from round to round */

static void choose_numbers(const double *law)
{
    static uint64_t seed = 1;

    for (size_t i = 0; i < INPUTS; i++) {
        inputs[i].number = law != NULL ? draw(law, &seed) : next_number++;
    }
}

static void name_inputs(enum client_event_outcome outcome)
{
    for (size_t i = 0; i < INPUTS; i++) {
        struct input *input = &inputs[i];
        uint64_t mixed = input->number;
        uint64_t number = random_next(&mixed);

        input->hash = number;
        (void)snprintf(input->text, sizeof input->text, "h%llx.d%llu.example",
                       (unsigned long long)(number >> 32), (unsigned long long)(number % 1000));
        input->event = sight(outcome, (uint32_t)(1 + number % 5000), input->text, input->name);
        input->suffixes = *input->event.suffixes;
        input->event.suffixes = &input->suffixes;
    }
}

/* Zipf's laws by exponent: key r comes with a probability in proportion to 1 / (r + 1)^exponent. */
enum { ZIPF_0_6, ZIPF_1_0, ZIPF_1_4, LAWS, DISTINCT = LAWS };

static const double exponents[LAWS] = {0.6, 1.0, 1.4};
static double *laws[LAWS + 1];

static void make_laws(void)
{
    for (size_t law = 0; law < LAWS; law++) {
        double sum = 0;
        laws[law] = malloc(KEYS * sizeof *laws[law]);
        for (size_t i = 0; laws[law] != NULL && i < KEYS; i++) {
            sum += pow((double)(i + 1), -exponents[law]);
            laws[law][i] = sum;
        }
    }
}

/* --- What is measured, once for each input --- */

static void hash_name(struct input *input)
{
    struct dns_name_suffixes suffixes;

    dns_name_sum(&secret, input->event.qname, &suffixes);
    sink = hash_finish(&secret, suffixes.sums[0]);
}

static void add_number(struct input *input)
{
    (void)heavy_hitters_count(sketch, input->hash,
                              (struct bytes){(const uint8_t *)&input->number, 8}, 1);
}

static void add_name(struct input *input)
{
    (void)heavy_hitters_count(sketch, input->event.qname_hash, input->event.qname, 1);
}

static void add_distinct(struct input *input)
{
    distinct_insert(registers, 12, input->hash);
}

static void match_suffix(struct input *input)
{
    struct dns_name_suffixes suffixes;

    dns_name_sum(&secret, input->event.qname, &suffixes);
    sink = suffix_table_match(table, input->event.qname, &suffixes).domain_hash;
}

static void match_psl(struct input *input)
{
    sink = (uintptr_t)psl_registrable_domain(psl, input->text);
}

static void record_pane(struct input *input)
{
    pane_record(pane, &input->event);
}

static void record_detect(struct input *input)
{
    detect_part_record(detect, &input->event);
}

static void merge(struct input *input)
{
    (void)input;
    heavy_hitters_clear(other);
    heavy_hitters_merge(other, sketch, NULL);
}

static void estimate(struct input *input)
{
    (void)input;
    sink = (uint64_t)distinct_estimate(registers, 12);
}

static void nothing(struct input *input)
{
    sink = input->number;
}

static const struct row {
    const char *what;
    unsigned law;
    enum client_event_outcome outcome;
    void (*call)(struct input *input);
    size_t calls; /* a round */
} rows[] = {
    {"nothing: the loop itself", ZIPF_1_0, CLIENT_EVENT_QUERY, nothing, INPUTS},
    {"keyed hash of a name and its suffixes", ZIPF_1_0, CLIENT_EVENT_QUERY, hash_name, INPUTS},
    {"heavy hitters, Zipf 0.6", ZIPF_0_6, CLIENT_EVENT_QUERY, add_number, INPUTS},
    {"heavy hitters, Zipf 1.0", ZIPF_1_0, CLIENT_EVENT_QUERY, add_number, INPUTS},
    {"heavy hitters, Zipf 1.4", ZIPF_1_4, CLIENT_EVENT_QUERY, add_number, INPUTS},
    {"heavy hitters, all different", DISTINCT, CLIENT_EVENT_QUERY, add_number, INPUTS},
    {"heavy hitters, names, Zipf 1.0", ZIPF_1_0, CLIENT_EVENT_QUERY, add_name, INPUTS},
    {"heavy hitters, names, all different", DISTINCT, CLIENT_EVENT_QUERY, add_name, INPUTS},
    {"heavy hitters, one merge of 1000 keys", ZIPF_1_0, CLIENT_EVENT_QUERY, merge, 1},
    {"distinct count", DISTINCT, CLIENT_EVENT_QUERY, add_distinct, INPUTS},
    {"distinct count, one estimate", DISTINCT, CLIENT_EVENT_QUERY, estimate, 1},
    {"registered domain, our table", DISTINCT, CLIENT_EVENT_QUERY, match_suffix, INPUTS},
    {"registered domain, libpsl", DISTINCT, CLIENT_EVENT_QUERY, match_psl, INPUTS},
    {"pane: a query, 3 lists and 3 counts", ZIPF_1_0, CLIENT_EVENT_QUERY, record_pane, INPUTS},
    {"pane: NXDOMAIN, 4 lists and a count", ZIPF_1_0, CLIENT_EVENT_NXDOMAIN, record_pane, INPUTS},
    {"pane: another response, a list", ZIPF_1_0, CLIENT_EVENT_EXISTS, record_pane, INPUTS},
    {"detectors: NXDOMAIN", ZIPF_1_0, CLIENT_EVENT_NXDOMAIN, record_detect, INPUTS},
    {"detectors: NXDOMAIN, all different", DISTINCT, CLIENT_EVENT_NXDOMAIN, record_detect, INPUTS},
    {"detectors: a name that exists", ZIPF_1_0, CLIENT_EVENT_EXISTS, record_detect, INPUTS},
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static double time_row(const struct row *row)
{
    choose_numbers(laws[row->law]);
    name_inputs(row->outcome);
    uint64_t began_ns = clock_monotonic_ns();
    for (size_t i = 0; i < row->calls; i++) {
        row->call(&inputs[i]);
    }
    return (double)(clock_monotonic_ns() - began_ns) / (double)row->calls;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void make_all(void)
{
    const struct heavy_hitters_shape shape = {.capacity = CAPACITY, .key_max = DNS_NAME_MAX};
    const struct pane_shape panes = {.lists = 0x1ff, .distincts = 0x1f, .capacity = CAPACITY};
    struct detect_setup detectors = {{{.enabled = true, .capacity = CAPACITY / 2, .threshold = 150},
                                      {.enabled = true, .capacity = CAPACITY / 2, .threshold = 6}}};
    struct text error = {0};

    secret = SIGHT_SECRET;
    rules.secret = secret;
    psl = psl_load_file(SUFFIX_LIST);
    if (psl == NULL || heavy_hitters_create(&sketch, &shape) < 0 ||
        heavy_hitters_create(&other, &shape) < 0 || pane_create(&pane, &panes) < 0 ||
        detect_share(&detectors) < 0 || detect_part_create(&detect, &detectors) < 0 ||
        suffix_table_create(&table, &secret, SUFFIX_LIST, NULL, 0, &error) < 0) {
        (void)fprintf(stderr, "bench_sketches: no memory, or no %s\n", SUFFIX_LIST);
        exit(1);
    }
    rules.suffixes = table;
}

int main(void)
{
    static double times[ROW_COUNT][ROUNDS];

    make_laws();
    make_all();
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ROW_COUNT; i++) {
            times[i][round] = time_row(&rows[i]);
        }
    }
    (void)printf("%-42s %8s %8s\n", "one update, ns", "median", "min");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        qsort(times[i], ROUNDS, sizeof times[i][0], compare);
        (void)printf("%-42s %8.1f %8.1f\n", rows[i].what, times[i][ROUNDS / 2], times[i][0]);
    }
    return 0;
}
