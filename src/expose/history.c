/* SPDX-License-Identifier: Apache-2.0 */
#include "history_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#define HOURS   24
#define HOUR_NS (3600 * NS_PER_SECOND)

/* The counts of a pair at the end of the last step. */
struct pair_counts {
    bool is_used;
    uint32_t generation; /* of the server */
    uint64_t queries, responses, servfails, refused, unanswered, unmatched;
    uint64_t response_times[HISTOGRAM_NATIVE_BUCKETS];
    double normal_p90; /* logarithm of seconds */
    unsigned normal_steps;
};

#define NORMAL_STEPS_MIN 40   /* ten minutes */
#define NORMAL_STEPS     1440 /* six hours: the weight of a step is 1 / NORMAL_STEPS then */
#define LEAST_P90        1e-4 /* below, all is equally fast */

/* When a server sent its messages. */
struct presence {
    uint32_t generation;
    unsigned steps;     /* with messages, at most NORMAL_STEPS */
    double usual;       /* messages in such a step */
    uint64_t last_step; /* number of the last one */
};

#define REGULAR_STEPS    40 /* ten minutes with messages, before silence means something */
#define REGULAR_MESSAGES 20 /* in five minutes */
#define FIVE_MINUTES     20 /* steps */

/* Ingest delays of an input at the end of the last step. */
struct delay_counts {
    uint64_t native[HISTOGRAM_NATIVE_BUCKETS];
};

struct history {
    unsigned server_count;
    uint64_t taken; /* steps so far */
    bool has_begun;
    struct history_step (*steps)[HISTORY_STEPS]; /* [server_count * ROLE_COUNT] */
    struct pair_counts *last;                    /* [server_count * ROLE_COUNT] */
    struct presence *presences;                  /* [server_count] */
    struct delay_counts *delays;                 /* [inputs] */
    struct history_totals totals[HISTORY_STEPS + 1];
    uint64_t hours; /* so far, since the first step */
    uint64_t first_ns;
    uint64_t findings[HOURS]; /* that had begun when the hour began */
};

static size_t pairs_of(unsigned server_count)
{
    return server_count * (size_t)ROLE_COUNT;
}

size_t history_memory(size_t pairs, unsigned input_count)
{
    return sizeof(struct history) + input_count * sizeof(struct delay_counts) +
           pairs * sizeof(struct presence) + /* at most: a server has a pair at least */
           pairs * (HISTORY_STEPS * sizeof(struct history_step) + sizeof(struct pair_counts));
}

int history_create(struct history **out, unsigned server_count, unsigned input_count)
{
    struct history *history = calloc(1, sizeof *history);

    if (history == NULL) {
        return -ENOMEM;
    }
    history->server_count = server_count;
    history->steps = calloc(pairs_of(server_count), sizeof *history->steps);
    history->last = calloc(pairs_of(server_count), sizeof *history->last);
    history->presences = calloc(server_count, sizeof *history->presences);
    history->delays = calloc(input_count + (size_t)1, sizeof *history->delays);
    if (history->steps == NULL || history->last == NULL || history->presences == NULL ||
        history->delays == NULL) {
        history_free(history);
        return -ENOMEM;
    }
    *out = history;
    return 0;
}

void history_free(struct history *history)
{
    if (history != NULL) {
        free(history->steps);
        free(history->last);
        free(history->presences);
        free(history->delays);
        free(history);
    }
}

/* --- Steps --- */

/* In seconds, by the buckets of Prometheus' native histograms; inside of one as if its values were
 * spread evenly on a logarithmic scale, as histogram_quantile() does. Below 0: of nothing. */
static double quantile(const struct histogram_bounds *bounds,
                       const uint64_t counts[HISTOGRAM_NATIVE_BUCKETS], double q)
{
    uint64_t all = 0;
    int place = 0;

    for (int i = 0; i < HISTOGRAM_NATIVE_BUCKETS; i++) {
        all += counts[i];
    }
    if (all == 0) {
        return -1;
    }
    double rank = q * (double)all;
    while (place < HISTOGRAM_NATIVE_BUCKETS - 1 && rank > (double)counts[place]) {
        rank -= (double)counts[place++];
    }
    double share = rank / (double)counts[place];
    return place == 0 ? 0 : exp2((bounds->native_zero + place - 1 + share) / 8);
}

static uint32_t difference(uint64_t now, uint64_t *last)
{
    uint64_t more = now - *last;

    *last = now;
    return more < UINT32_MAX ? (uint32_t)more : UINT32_MAX;
}

static void take_times(uint64_t last[HISTOGRAM_NATIVE_BUCKETS], const struct histogram *now,
                       uint64_t out[HISTOGRAM_NATIVE_BUCKETS])
{
    for (size_t i = 0; i < HISTOGRAM_NATIVE_BUCKETS; i++) {
        out[i] = difference(now->native[i], &last[i]);
    }
}

static void take_pair(struct pair_counts *last, const struct server_counters *counts,
                      struct history_step *out)
{
    uint64_t times[HISTOGRAM_NATIVE_BUCKETS];

    out->queries = difference(server_counters_messages(counts, KIND_QUERY), &last->queries);
    out->responses = difference(server_counters_messages(counts, KIND_RESPONSE), &last->responses);
    out->servfails = difference(counts->outcomes[DNS_OUTCOME_SERVFAIL], &last->servfails);
    out->refused = difference(counts->outcomes[DNS_OUTCOME_REFUSED], &last->refused);
    out->unanswered = difference(counts->unanswered_queries, &last->unanswered);
    out->unmatched = difference(counts->unmatched_responses, &last->unmatched);
    take_times(last->response_times, &counts->response_time, times);
    out->p90_seconds = (float)quantile(&response_time_bounds, times, 0.9);
    out->p99_seconds = (float)quantile(&response_time_bounds, times, 0.99);
}

/* The mean weighs all steps alike at first, and the later ones more when there are many. */
static void take_normal(struct pair_counts *last, float p90_seconds)
{
    double p90 = log(fmax((double)p90_seconds, LEAST_P90));

    if (p90_seconds >= 0) {
        last->normal_steps += last->normal_steps < NORMAL_STEPS;
        last->normal_p90 += (p90 - last->normal_p90) / last->normal_steps;
    }
}

static void give_back(struct history *history, size_t pair)
{
    memory_give_back(&history->last[pair], sizeof history->last[pair]);
    memory_give_back(history->steps[pair], sizeof history->steps[pair]);
}

/* A place that another server has now is empty. */
static void take_pairs(struct history *history, const struct snapshot *numbers, size_t step)
{
    for (size_t pair = 0; pair < pairs_of(history->server_count); pair++) {
        uint32_t generation = numbers->servers[pair / ROLE_COUNT].generation;
        struct pair_counts *last = &history->last[pair];
        bool in_use = numbers->sum->in_use[pair];

        if (last->is_used && (!in_use || last->generation != generation)) {
            give_back(history, pair);
        }
        if (in_use) {
            last->is_used = true;
            last->generation = generation;
            take_pair(last, &numbers->sum->servers[pair], &history->steps[pair][step]);
            take_normal(last, history->steps[pair][step].p90_seconds);
        }
    }
}

static uint64_t step_messages(const struct history *history, const struct counters *sum,
                              unsigned server, size_t step)
{
    uint64_t messages = 0;

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        size_t pair = counters_index(server, role);
        if (sum->in_use[pair]) {
            messages += history->steps[pair][step].queries + history->steps[pair][step].responses;
        }
    }
    return messages;
}

static void take_presences(struct history *history, const struct snapshot *numbers, size_t step)
{
    for (unsigned server = 0; server < history->server_count; server++) {
        struct presence *presence = &history->presences[server];
        uint64_t messages = step_messages(history, numbers->sum, server, step);

        if (presence->generation != numbers->servers[server].generation) {
            *presence = (struct presence){.generation = numbers->servers[server].generation};
        }
        if (messages > 0) {
            presence->steps += presence->steps < NORMAL_STEPS;
            presence->usual += ((double)messages - presence->usual) / presence->steps;
            presence->last_step = history->taken;
        }
    }
}

static double worst_delay(struct history *history, const struct counters *sum)
{
    double worst = -1;

    for (unsigned i = 0; i < sum->input_count; i++) {
        uint64_t delays[HISTOGRAM_NATIVE_BUCKETS];
        take_times(history->delays[i].native, &sum->inputs[i].ingest_delay, delays);
        worst = fmax(worst, quantile(&ingest_delay_bounds, delays, 0.9));
    }
    return worst;
}

static void take_totals(struct history *history, const struct scrape *scrape, uint64_t now_ns)
{
    struct history_totals *out = &history->totals[history->taken % (HISTORY_STEPS + 1)];
    const struct counters *sum = scrape->numbers.sum;
    const struct global_counters *global = scrape->numbers.global;

    *out = (struct history_totals){.time_ns = now_ns,
                                   .matching_evictions = global->matching_evictions,
                                   .log_lines_lost = scrape->log_lines_lost,
                                   .delay_p90_seconds = worst_delay(history, sum)};
    memcpy(out->limits, global->overflows, sizeof out->limits);
    for (unsigned i = 0; i < sum->input_count; i++) {
        const struct input_counters *input = &sum->inputs[i];
        out->frames += input->frames;
        for (unsigned reason = 0; reason < REJECT_REASON_COUNT; reason++) {
            out->rejected += input->rejected[reason];
        }
    }
    for (unsigned i = 0; i < scrape->output_count; i++) {
        for (unsigned reason = 0; reason < OUTPUT_DROP_COUNT; reason++) {
            out->dropped += atomic_load_explicit(&scrape->outputs[i].dropped[reason],
                                                 memory_order_relaxed);
        }
    }
    for (unsigned reason = 0; scrape->archive != NULL && reason < ARCHIVE_DROP_COUNT; reason++) {
        out->archive_dropped += atomic_load_explicit(&scrape->archive->dropped[reason],
                                                     memory_order_relaxed);
    }
}

static uint64_t findings_so_far(const struct scrape *scrape)
{
    uint64_t begun = 0;

    for (unsigned i = 0; scrape->numbers.view != NULL && i < DETECTOR_COUNT; i++) {
        begun += i != DETECTOR_new_domain ? scrape->numbers.view->detections[i].begun : 0;
    }
    return begun;
}

static void take_hours(struct history *history, const struct scrape *scrape, uint64_t now_ns)
{
    if (history->first_ns == 0) {
        history->first_ns = now_ns;
    }
    while (history->hours <= (now_ns - history->first_ns) / HOUR_NS) {
        history->findings[history->hours++ % HOURS] = findings_so_far(scrape);
    }
}

void history_take(struct history *history, const struct scrape *scrape, uint64_t now_ns)
{
    if (history->has_begun) {
        take_pairs(history, &scrape->numbers, history->taken % HISTORY_STEPS);
        take_presences(history, &scrape->numbers, history->taken % HISTORY_STEPS);
        history->taken++;
    }
    history->has_begun = true;
    take_totals(history, scrape, now_ns);
    take_hours(history, scrape, now_ns);
}

/* --- Reading --- */

size_t history_count(const struct history *history)
{
    return history->taken < HISTORY_STEPS ? (size_t)history->taken : HISTORY_STEPS;
}

const struct history_step *history_step_at(const struct history *history, size_t pair, size_t age)
{
    return &history->steps[pair][(history->taken - 1 - age) % HISTORY_STEPS];
}

const struct history_totals *history_totals_at(const struct history *history, size_t age)
{
    return &history->totals[(history->taken - age) % (HISTORY_STEPS + 1)];
}

struct history_sum history_sum(const struct history *history, size_t pair, size_t age, size_t steps)
{
    struct history_sum sum = {.p90_seconds = -1, .p99_seconds = -1};
    double p90 = 0, p99 = 0, timed = 0;

    for (; sum.steps < steps && age < history_count(history); age++, sum.steps++) {
        const struct history_step *step = history_step_at(history, pair, age);
        sum.queries += step->queries;
        sum.responses += step->responses;
        sum.servfails += step->servfails;
        sum.refused += step->refused;
        sum.unanswered += step->unanswered;
        sum.unmatched += step->unmatched;
        if (step->responses > 0 && step->p90_seconds >= 0) {
            timed += step->responses;
            p90 += (double)step->responses * (double)step->p90_seconds;
            p99 += (double)step->responses * (double)step->p99_seconds;
        }
    }
    if (timed > 0) {
        sum.p90_seconds = p90 / timed;
        sum.p99_seconds = p99 / timed;
    }
    return sum;
}

bool history_is_of(const struct history *history, size_t pair, uint32_t generation)
{
    return history->last[pair].is_used && history->last[pair].generation == generation;
}

double history_normal_p90(const struct history *history, size_t pair)
{
    const struct pair_counts *last = &history->last[pair];

    return last->normal_steps >= NORMAL_STEPS_MIN ? exp(last->normal_p90) : -1;
}

struct history_presence history_presence_of(const struct history *history, unsigned server,
                                            uint32_t generation)
{
    const struct presence *presence = &history->presences[server];

    if (presence->generation != generation || presence->steps == 0) {
        return (struct history_presence){.silent_steps = history->taken};
    }
    return (struct history_presence){
        .is_regular = presence->steps >= REGULAR_STEPS &&
                      presence->usual * FIVE_MINUTES >= REGULAR_MESSAGES,
        .silent_steps = history->taken - 1 - presence->last_step,
    };
}

uint64_t history_day_findings(const struct history *history, const struct scrape *scrape)
{
    uint64_t before = history->hours == 0      ? 0
                      : history->hours > HOURS ? history->findings[history->hours % HOURS]
                                               : history->findings[0];

    return findings_so_far(scrape) - before;
}
