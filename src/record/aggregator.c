/* SPDX-License-Identifier: Apache-2.0 */
#include "record/aggregator.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "count/matcher.h"

struct aggregator {
    struct aggregator_setup setup;
    struct label_sets labels;
    struct shard **shards; /* [setup.shard_count] */
    struct suffix_table *suffixes;
    struct hub *hub; /* NULL: no lists, no detectors */
    pthread_mutex_t collecting;
    /* Under `collecting`: what a snapshot shows. */
    struct shard_sum sum;
    struct global_counters global; /* of the sum, lists and detectors included */
    struct server_info *servers;   /* [limits.servers + 1] */
    struct code_label_texts codes[CODE_KINDS];
    struct hub_detections detections[DETECTOR_COUNT];
    struct burst *bursts; /* [traffic.suspects_max] */
    size_t burst_count;
};

static bool has_traffic(const struct traffic_setup *traffic)
{
    return traffic->panes.lists != 0 || traffic->panes.distincts != 0 ||
           traffic->watch.detectors != 0;
}

static int create_hub(struct aggregator *aggregator)
{
    const struct traffic_setup *traffic = &aggregator->setup.traffic;
    const struct hub_setup setup = {
        .panes = traffic->panes,
        .watch = traffic->watch,
        .privacy = traffic->privacy,
        .of_frames = aggregator->setup.time == SHARD_TIME_FRAMES,
    };

    aggregator->bursts = calloc(traffic->suspects_max + 1, sizeof *aggregator->bursts);
    if (aggregator->bursts == NULL || pane_create(&aggregator->sum.pane, &traffic->panes) < 0) {
        return -ENOMEM;
    }
    int result = hub_create(&aggregator->hub, &setup);
    if (result == 0) {
        struct text nothing_to_say = {0};
        result = aggregator_set_suffixes(aggregator, NULL, NULL, 0, &nothing_to_say);
    }
    return result;
}

/* Workers look at the clock twice a second: a second after an interval all have handed in theirs.
 * A file has one shard. */
static int create_feed(struct aggregator *aggregator, struct shard *shard)
{
    const struct traffic_setup *traffic = &aggregator->setup.traffic;
    const struct feed_setup setup = {
        .hub = aggregator->hub,
        .rules = {.privacy = traffic->privacy,
                  .secret = aggregator->labels.key,
                  .suffixes = aggregator->suffixes},
        .panes = traffic->panes,
        .evidence_capacity = traffic->watch.capacity,
        .has_evidence = traffic->watch.detectors != 0,
        .step_ns = traffic->window_ns / WINDOW_STEPS,
        .patience_ns = aggregator->setup.time == SHARD_TIME_LIVE ? NS_PER_SECOND : 0,
    };
    struct feed *feed;
    int result = feed_create(&feed, &setup);

    if (result == 0) {
        shard_set_feed(shard, feed);
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
        if (result == 0 && aggregator->hub != NULL) {
            result = create_feed(aggregator, aggregator->shards[i]);
        }
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

size_t aggregator_pair_count(const struct metrics_limits *limits)
{
    size_t all = (limits->servers + (size_t)1) * ROLE_COUNT;
    size_t most = limits->series + (size_t)ROLE_COUNT;

    return most < all ? most : all;
}

void aggregator_memory(const struct aggregator_setup *setup, struct aggregator_memory *out)
{
    const struct traffic_setup *traffic = &setup->traffic;
    const struct metrics_limits *limits = &setup->limits;
    size_t shards = setup->shard_count;

    *out = (struct aggregator_memory){
        /* Each shard has a table, the sum and its spare are two more. */
        .counters = (shards + 2) * counters_memory(limits->servers + 1, setup->input_count,
                                                   aggregator_pair_count(limits)),
        .matching = shards * matcher_memory(limits->matching_capacity),
        .names = server_set_memory(limits->servers) + CODE_KINDS * code_labels_memory() +
                 stream_states_memory(limits->servers + 1) +
                 (limits->servers + (size_t)1) * sizeof(struct server_info) +
                 shards * shard_memory(limits),
        .per_connection = (limits->servers + (size_t)1) * sizeof(uint32_t),
    };
    if (has_traffic(traffic)) {
        out->lists = (shards + 2) * pane_memory(&traffic->panes) + window_memory(&traffic->panes);
        out->detectors = shards * evidence_memory(traffic->watch.capacity) +
                         watch_memory(&traffic->watch) +
                         traffic->suspects_max * sizeof(struct burst);
    }
}

/* --- Making it --- */

int aggregator_create(struct aggregator **out, const struct aggregator_setup *setup)
{
    struct aggregator *aggregator = calloc(1, sizeof *aggregator);

    if (aggregator == NULL) {
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
    if (result == 0 && has_traffic(&setup->traffic)) {
        result = create_hub(aggregator);
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
    for (unsigned i = 0; aggregator->shards != NULL && i < aggregator->setup.shard_count; i++) {
        shard_free(aggregator->shards[i]);
    }
    free(aggregator->shards);
    free(aggregator->servers);
    shard_sum_deinit(&aggregator->sum);
    free(aggregator->bursts);
    hub_free(aggregator->hub);
    suffix_table_free(aggregator->suffixes);
    label_sets_deinit(&aggregator->labels);
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

static void add_shards(struct aggregator *aggregator)
{
    shard_sum_begin(&aggregator->sum);
    for (unsigned i = 0; i < aggregator->setup.shard_count; i++) {
        shard_add_to(aggregator->shards[i], &aggregator->sum);
    }
    if (aggregator->hub != NULL) {
        hub_add_window(aggregator->hub, aggregator->sum.step, aggregator->sum.pane);
    }
}

/* Labels are read last: a code that got its first index on the way has one then. Again where a code
 * has lost its index meanwhile. */
static void read_code_labels(struct aggregator *aggregator)
{
    bool same;

    do {
        counters_follow_codes(&aggregator->sum.counters, &aggregator->labels);
        same = true;
        for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
            code_labels_read(aggregator->labels.codes[kind], &aggregator->codes[kind]);
            same &= aggregator->codes[kind].version == aggregator->sum.counters.code_versions[kind];
        }
    } while (!same);
}

static uint64_t hub_version_of(const struct aggregator *aggregator)
{
    return aggregator->hub != NULL ? hub_version(aggregator->hub) : 0;
}

/* A server that left while shards were added up has no series any more. */
static void read_servers(struct aggregator *aggregator)
{
    struct counters *sum = &aggregator->sum.counters;

    server_set_read(aggregator->labels.servers, aggregator->servers);
    for (unsigned server = SERVER_OTHER + 1; server < sum->server_count; server++) {
        if (sum->generations[server] != aggregator->servers[server].generation) {
            counters_expire(sum, server, aggregator->servers[server].generation);
        }
    }
}

static void read_detections(struct aggregator *aggregator)
{
    uint64_t *overflows = aggregator->sum.traffic.overflows;

    aggregator->burst_count = hub_read(aggregator->hub, aggregator->detections, aggregator->bursts,
                                       aggregator->setup.traffic.suspects_max);
    overflows[LIMIT_DETECTION_CLIENTS] +=
        aggregator->detections[DETECTOR_NXDOMAIN_CLIENT].overflows;
    overflows[LIMIT_DETECTION_DOMAINS] +=
        aggregator->detections[DETECTOR_NXDOMAIN_DOMAIN].overflows;
}

/* Again where a shard handed in its pane on the way, which is then missing or there twice: each
 * does so once a step. */
static void collect(struct aggregator *aggregator)
{
    uint64_t version;

    do {
        version = hub_version_of(aggregator);
        add_shards(aggregator);
    } while (hub_version_of(aggregator) != version);
    read_code_labels(aggregator);
    read_servers(aggregator);
    if (aggregator->hub != NULL) {
        read_detections(aggregator);
    }
    aggregator->global = aggregator->sum.traffic;
    global_counters_merge(&aggregator->global, &aggregator->sum.counters.global);
}

void aggregator_collect(struct aggregator *aggregator, struct snapshot *out)
{
    (void)pthread_mutex_lock(&aggregator->collecting);
    collect(aggregator);
    *out = (struct snapshot){
        .sum = &aggregator->sum.counters,
        .global = &aggregator->global,
        .servers = aggregator->servers,
        .codes = aggregator->codes,
        .streams = aggregator->labels.streams,
        .window = aggregator->sum.pane,
        .top_evictions = aggregator->sum.top_evictions,
        .privacy = &aggregator->setup.traffic.privacy,
        .window_ns = aggregator->setup.traffic.window_ns,
        .detections = aggregator->detections,
        .bursts = aggregator->bursts,
        .burst_count = aggregator->burst_count,
        .detectors = aggregator->setup.traffic.watch.detectors,
    };
}

void aggregator_release(struct aggregator *aggregator)
{
    (void)pthread_mutex_unlock(&aggregator->collecting);
}
