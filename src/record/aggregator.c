/* SPDX-License-Identifier: Apache-2.0 */
#include "record/aggregator.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/wakeup.h"
#include "count/matcher.h"
#include "record/evaluator.h"

struct aggregator {
    struct aggregator_setup setup;
    struct label_sets labels;
    struct shard **shards; /* [setup.shard_count] */
    struct suffix_table *suffixes;
    struct name_list *block_lists[BLOCK_LISTS_MAX]; /* the first setup.analysis.block_list_count */
    struct evaluator *evaluator;                    /* NULL: no lists, no detectors */
    struct part *spare; /* empty: what the next shard gets for its own */
    pthread_t thread;
    bool is_running;
    atomic_bool is_stopping;
    _Atomic uint64_t heartbeat_ns; /* of the thread; relaxed */
    struct wakeup wakeup;
    uint64_t now_ns; /* files: of the last tick */
    pthread_mutex_t collecting;
    /* Under `collecting`: what a snapshot shows. */
    struct shard_sum sum;
    struct global_counters global; /* of the sum, lists and detectors included */
    struct server_info *servers;   /* [limits.servers + 1] */
    struct code_label_texts codes[CODE_KINDS];
    struct block_list_state block_list_states[BLOCK_LISTS_MAX];
    const struct evaluator_view *view; /* NULL: no lists, no detectors */
    uint64_t evaluations;              /* that the view has */
};

static bool analysis_is_on(const struct analysis_setup *analysis)
{
    return analysis->panes.lists != 0 || analysis->panes.distincts != 0 ||
           detect_is_on(&analysis->detect);
}

static int create_evaluator(struct aggregator *aggregator)
{
    const struct analysis_setup *analysis = &aggregator->setup.analysis;
    bool of_frames = aggregator->setup.time == SHARD_TIME_FRAMES;
    struct text nothing_to_say = {0};
    int result = detect_share(&aggregator->setup.analysis.detect);

    if (result == 0) {
        result = evaluator_create(&aggregator->evaluator, analysis, of_frames);
    }

    if (result == 0) {
        result = part_create(&aggregator->spare, &analysis->panes, &analysis->detect);
    }
    if (result == 0) {
        result = aggregator_set_suffixes(aggregator, NULL, NULL, 0, &nothing_to_say);
    }
    return result;
}

/* Of a file, the evaluator takes the lists when a step of the window ends, and the detectors' parts
 * when they are due, both by the time stamps of its frames. */
static void aggregator_tick(void *context, struct part *part, uint64_t now_ns)
{
    struct aggregator *aggregator = context;

    if (evaluator_slides(aggregator->evaluator, now_ns)) {
        evaluator_take_pane(aggregator->evaluator, part, now_ns);
    }
    if (evaluator_is_due(aggregator->evaluator, now_ns)) {
        evaluator_take_detect(aggregator->evaluator, part, now_ns);
    }
    evaluator_advance(aggregator->evaluator, now_ns);
    aggregator->now_ns = now_ns;
}

static int create_part(const struct aggregator *aggregator, struct shard *shard)
{
    const struct analysis_setup *analysis = &aggregator->setup.analysis;
    const struct client_event_rules rules = {
        .privacy = analysis->privacy,
        .secret = aggregator->labels.key,
        .suffixes = aggregator->suffixes,
        .host_privacy = analysis->host_privacy,
        .forwarders = analysis->forwarders,
        .forwarder_count = analysis->forwarder_count,
    };
    struct part *part;
    int result = part_create(&part, &analysis->panes, &analysis->detect);

    if (result == 0) {
        shard_set_part(shard, part, &rules);
    }
    return result;
}

static int create_shards(struct aggregator *aggregator)
{
    const struct aggregator_setup *setup = &aggregator->setup;

    aggregator->shards = calloc(setup->shard_count, sizeof(struct shard *));
    if (aggregator->shards == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < setup->shard_count; i++) {
        int result = shard_create(&aggregator->shards[i], &aggregator->labels, &setup->limits,
                                  setup->input_count, setup->time);
        if (result == 0 && aggregator->evaluator != NULL) {
            result = create_part(aggregator, aggregator->shards[i]);
        }
        if (result == 0 && aggregator->evaluator != NULL && setup->time == SHARD_TIME_FRAMES) {
            shard_set_tick(aggregator->shards[i], aggregator_tick, aggregator);
        }
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

size_t aggregator_pair_count(const struct label_limits *limits)
{
    size_t all = (limits->servers + (size_t)1) * ROLE_COUNT;
    size_t most = limits->series + (size_t)ROLE_COUNT;

    return most < all ? most : all;
}

void aggregator_memory(const struct aggregator_setup *setup, struct aggregator_memory *out)
{
    const struct analysis_setup *analysis = &setup->analysis;
    const struct label_limits *limits = &setup->limits;
    size_t shards = setup->shard_count;

    *out = (struct aggregator_memory){
        /* Each shard has a table, the sum and its spare are two more. */
        .counters = (shards + 2) * counters_memory(limits->servers + 1, setup->input_count,
                                                   limits->answers, aggregator_pair_count(limits)),
        .matching = shards * matcher_memory(limits->matching_capacity),
        .names = server_set_memory(limits->servers) + CODE_KINDS * code_labels_memory() +
                 stream_states_memory(limits->servers + 1) +
                 (limits->servers + (size_t)1) * sizeof(struct server_info) +
                 shards * shard_memory(limits),
        .per_connection = (limits->servers + (size_t)1) * sizeof(uint32_t),
    };
    if (analysis_is_on(analysis)) {
        size_t parts = shards + 1;
        out->lists = evaluator_memory(analysis) + parts * pane_memory(&analysis->panes) +
                     parts * heavy_hitters_thread_memory(analysis->panes.capacity);
        for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
            out->detectors[i] = detect_memory_of(&analysis->detect, (unsigned)parts, i);
        }
        out->findings = detect_memory_shared(&analysis->detect, (unsigned)parts);
    }
}

/* --- Making it --- */

int aggregator_create(struct aggregator **out, const struct aggregator_setup *setup)
{
    struct aggregator *aggregator = calloc(1, sizeof *aggregator);

    if (aggregator == NULL) {
        free(setup->analysis.forwarders);
        return -ENOMEM;
    }
    aggregator->setup = *setup;
    (void)pthread_mutex_init(&aggregator->collecting, NULL);
    aggregator->servers = calloc(setup->limits.servers + (size_t)1, sizeof *aggregator->servers);

    int result = aggregator->servers != NULL ? 0 : -ENOMEM;
    if (result == 0) {
        result = label_sets_init(&aggregator->labels, &setup->limits);
    }
    if (result == 0) {
        result = shard_sum_init(&aggregator->sum, &setup->limits, setup->input_count);
    }
    if (result == 0 && analysis_is_on(&setup->analysis)) {
        result = create_evaluator(aggregator);
    }
    if (result == 0) {
        result = create_shards(aggregator);
    }
    if (result < 0) {
        aggregator_free(aggregator);
        return result;
    }
    *out = aggregator;
    return 0;
}

void aggregator_free(struct aggregator *aggregator)
{
    if (aggregator == NULL) {
        return;
    }
    aggregator_stop(aggregator);
    for (unsigned i = 0; aggregator->shards != NULL && i < aggregator->setup.shard_count; i++) {
        shard_free(aggregator->shards[i]);
    }
    free(aggregator->shards);
    free(aggregator->servers);
    shard_sum_deinit(&aggregator->sum);
    part_free(aggregator->spare);
    evaluator_free(aggregator->evaluator);
    detect_unshare(&aggregator->setup.analysis.detect);
    suffix_table_free(aggregator->suffixes);
    for (unsigned i = 0; i < BLOCK_LISTS_MAX; i++) {
        name_list_free(aggregator->block_lists[i]);
    }
    label_sets_deinit(&aggregator->labels);
    free(aggregator->setup.analysis.forwarders);
    (void)pthread_mutex_destroy(&aggregator->collecting);
    free(aggregator);
}

struct shard *aggregator_shard(const struct aggregator *aggregator, unsigned index)
{
    return aggregator->shards[index];
}

const struct aggregator_setup *aggregator_setup_of(const struct aggregator *aggregator)
{
    return &aggregator->setup;
}

int aggregator_set_suffixes(struct aggregator *aggregator, const char *path,
                            const struct bytes *allowed, size_t allowed_count, struct text *error)
{
    struct suffix_table *fresh;
    int result = suffix_table_create(&fresh, &aggregator->labels.key, path, allowed, allowed_count,
                                     error);

    if (result < 0) {
        return result;
    }
    for (unsigned i = 0; aggregator->shards != NULL && i < aggregator->setup.shard_count; i++) {
        shard_set_suffixes(aggregator->shards[i], fresh);
    }
    suffix_table_free(aggregator->suffixes);
    aggregator->suffixes = fresh;
    return 0;
}

void aggregator_set_block_list(struct aggregator *aggregator, unsigned index,
                               struct name_list *list, const struct name_list_counts *counts)
{
    for (unsigned i = 0; i < aggregator->setup.shard_count; i++) {
        shard_set_block_list(aggregator->shards[i], index, list);
    }
    name_list_free(aggregator->block_lists[index]);
    aggregator->block_lists[index] = list;
    (void)pthread_mutex_lock(&aggregator->collecting);
    aggregator->block_list_states[index] = (struct block_list_state){
        .settings = &aggregator->setup.analysis.block_lists[index],
        .counts = *counts,
        .loaded_seconds = (double)clock_realtime_ns() / (double)NS_PER_SECOND,
    };
    (void)pthread_mutex_unlock(&aggregator->collecting);
}

const struct hash_key *aggregator_secret(const struct aggregator *aggregator)
{
    return &aggregator->labels.key;
}

/* --- The evaluating thread --- */

/* Take the parts of all shards: each worker waits for an exchange of pointers. `due` says whether
 * what detectors have is taken, too. */
static void take_parts(struct aggregator *aggregator, uint64_t now_ns, bool due)
{
    for (unsigned i = 0; i < aggregator->setup.shard_count; i++) {
        shard_exchange_part(aggregator->shards[i], aggregator->spare, due);
        evaluator_take_pane(aggregator->evaluator, aggregator->spare, now_ns);
        if (due) {
            evaluator_take_detect(aggregator->evaluator, aggregator->spare, now_ns);
        }
    }
}

void aggregator_evaluate(struct aggregator *aggregator, uint64_t now_ns)
{
    if (aggregator->evaluator != NULL) {
        take_parts(aggregator, now_ns, evaluator_is_due(aggregator->evaluator, now_ns));
        evaluator_advance(aggregator->evaluator, now_ns);
        evaluator_publish(aggregator->evaluator);
    }
}

/* At the full seconds, where the steps of the window and of the detectors end; more often for a
 * window with shorter steps. */
static uint64_t next_evaluation_ns(const struct aggregator *aggregator)
{
    uint64_t step_ns = aggregator->setup.analysis.window_ns / WINDOW_STEPS;
    uint64_t period_ns = step_ns < DETECT_EVALUATION_NS ? step_ns : DETECT_EVALUATION_NS;

    return (clock_monotonic_ns() / period_ns + 1) * period_ns;
}

static void *aggregator_run(void *context)
{
    struct aggregator *aggregator = context;

    aggregator_evaluate(aggregator, clock_monotonic_ns());
    while (!atomic_load_explicit(&aggregator->is_stopping, memory_order_relaxed)) {
        uint64_t next_ns = next_evaluation_ns(aggregator);
        atomic_store_explicit(&aggregator->heartbeat_ns, next_ns, memory_order_relaxed);
        wakeup_wait(&aggregator->wakeup, next_ns);
        aggregator_evaluate(aggregator, clock_monotonic_ns());
    }
    return NULL;
}

int aggregator_start(struct aggregator *aggregator)
{
    if (aggregator->evaluator == NULL) {
        return 0;
    }
    int result = wakeup_init(&aggregator->wakeup);
    if (result < 0) {
        return result;
    }
    atomic_init(&aggregator->heartbeat_ns, clock_monotonic_ns());
    result = -pthread_create(&aggregator->thread, NULL, aggregator_run, aggregator);
    if (result < 0) {
        wakeup_deinit(&aggregator->wakeup);
        return result;
    }
    aggregator->is_running = true;
    return 0;
}

uint64_t aggregator_heartbeat_ns(const struct aggregator *aggregator)
{
    return aggregator->is_running
               ? atomic_load_explicit(&aggregator->heartbeat_ns, memory_order_relaxed)
               : UINT64_MAX;
}

void aggregator_stop(struct aggregator *aggregator)
{
    if (!aggregator->is_running) {
        return;
    }
    aggregator->is_running = false;
    /* Relaxed: the thread reads it after the signal. */
    atomic_store_explicit(&aggregator->is_stopping, true, memory_order_relaxed);
    wakeup_signal(&aggregator->wakeup);
    (void)pthread_join(aggregator->thread, NULL);
    wakeup_deinit(&aggregator->wakeup);
}

/* --- Snapshots --- */

/* Labels are read last: a code that got its first index on the way has one then. Again where a code
 * has lost its index meanwhile. */
static void read_code_labels(struct aggregator *aggregator)
{
    bool same;

    do {
        counters_update_codes(&aggregator->sum.counters, &aggregator->labels);
        same = true;
        for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
            code_labels_read(aggregator->labels.codes[kind], &aggregator->codes[kind]);
            same &= aggregator->codes[kind].version == aggregator->sum.counters.code_versions[kind];
        }
    } while (!same);
}

/* A server that left while shards were added up has no series any more. */
static void read_servers(struct aggregator *aggregator)
{
    struct counters *sum = &aggregator->sum.counters;

    server_set_read(aggregator->labels.servers, aggregator->servers);
    for (unsigned server = SERVER_OTHER + 1; server < sum->server_count; server++) {
        if (sum->generations[server] != aggregator->servers[server].generation) {
            counters_replace_server(sum, server, aggregator->servers[server].generation);
        }
    }
}

/* A file's part is counted by the thread that reads it, which is the one that collects, at the end
 * of the input: so the last second is over. */
static void evaluate_file(struct aggregator *aggregator)
{
    take_parts(aggregator, aggregator->now_ns, true);
    evaluator_detect(aggregator->evaluator, aggregator->now_ns + DETECT_EVALUATION_NS);
    evaluator_publish(aggregator->evaluator);
}

/* The view comes first: what it shows, the counters have as well. */
static void collect(struct aggregator *aggregator)
{
    if (aggregator->evaluator != NULL) {
        aggregator->view = evaluator_acquire(aggregator->evaluator, &aggregator->evaluations);
    }
    for (unsigned i = 0; i < aggregator->setup.shard_count; i++) {
        shard_add_to(aggregator->shards[i], &aggregator->sum);
    }
    read_code_labels(aggregator);
    read_servers(aggregator);
    aggregator->global = aggregator->sum.counters.global;
    if (aggregator->view != NULL) {
        aggregator->global.overflows[LIMIT_DETECTION] += aggregator->view->detect_overflows;
    }
}

void aggregator_collect(struct aggregator *aggregator, struct snapshot *out)
{
    const struct analysis_setup *analysis = &aggregator->setup.analysis;

    (void)pthread_mutex_lock(&aggregator->collecting);
    if (aggregator->evaluator != NULL && aggregator->setup.time == SHARD_TIME_FRAMES) {
        evaluate_file(aggregator);
    }
    collect(aggregator);
    *out = (struct snapshot){
        .sum = &aggregator->sum.counters,
        .global = &aggregator->global,
        .servers = aggregator->servers,
        .codes = aggregator->codes,
        .streams = aggregator->labels.streams,
        .block_lists = aggregator->block_list_states,
        .block_list_count = analysis->block_list_count,
        .view = aggregator->view,
        .evaluations = aggregator->evaluations,
        .detect = &analysis->detect,
        .privacy = &analysis->privacy,
        .host_privacy = &analysis->host_privacy,
        .recordings = &analysis->recordings,
        .window_ns = analysis->window_ns,
    };
}

void aggregator_release(struct aggregator *aggregator)
{
    if (aggregator->view != NULL) {
        evaluator_release(aggregator->evaluator, aggregator->view);
    }
    (void)pthread_mutex_unlock(&aggregator->collecting);
}
