/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "metrics/label.h"
#include "metrics/matcher.h"
#include "json_format_internal.h"
#include "snapshot_internal.h"

struct registry {
    struct registry_setup setup;
    char **input_labels;          /* [setup.input_count] */
    unsigned *input_sampling;     /* [setup.input_count] */
    atomic_bool *listening;       /* [setup.input_count]; relaxed */
    char **output_labels;         /* [setup.output_count] */
    struct output_tally *outputs; /* [setup.output_count] */
    struct vocabulary vocabulary;
    struct shard **shards; /* [setup.shard_count] */
    struct suffix_table *suffixes;
    struct hub *hub;     /* NULL: no lists, no detectors */
    uint64_t created_ns; /* monotonic */
    pthread_mutex_t collecting;
    /* Under `collecting`: what a page shows. */
    uint64_t since_1970_ns; /* added to the monotonic clock gives the time since 1970 */
    struct shard_sum sum;
    struct common_tally common;  /* of the sum, lists and detectors included */
    struct server_info *servers; /* [limits.servers + 1] */
    struct code_labels codes[CODE_KINDS];
    struct scrape_stats scrape_stats[EXPOSITION_COUNT];
    struct heavy_hitter *top; /* [traffic.top_size] */
    struct hub_detections detections[DETECTOR_COUNT];
    struct burst *bursts; /* [traffic.suspects_max] */
    size_t burst_count;
    /* Relaxed: numbers of their own, nothing else depends on them. */
    _Atomic uint64_t scrapes[EXPOSITION_COUNT];
    _Atomic uint64_t scrape_duration_ns[EXPOSITION_COUNT];
    _Atomic uint64_t reload_time_ns; /* monotonic */
    atomic_bool reload_successful;
};

static void free_labels(char **labels)
{
    for (char **label = labels; labels != NULL && *label != NULL; label++) {
        free(*label);
    }
    free(labels);
}

static char **copy_labels(const char *const *names, unsigned count)
{
    char **labels = calloc(count + (size_t)1, sizeof(char *)); /* NULL-terminated */

    if (labels == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        struct bytes name = bytes_of_string(names[i]);

        labels[i] = malloc(LABEL_SIZE);
        if (labels[i] == NULL) {
            free_labels(labels);
            return NULL;
        }
        label_write(name, labels[i]);
    }
    return labels;
}

static int create_labels(struct registry *registry)
{
    struct registry_setup *setup = &registry->setup;

    registry->input_labels = copy_labels(setup->input_names, setup->input_count);
    registry->output_labels = copy_labels(setup->output_names, setup->output_count);
    registry->outputs = calloc(setup->output_count + (size_t)1, sizeof *registry->outputs);
    registry->input_sampling = calloc(setup->input_count + (size_t)1,
                                      sizeof *registry->input_sampling);
    registry->listening = calloc(setup->input_count + (size_t)1, sizeof *registry->listening);
    registry->servers = calloc(setup->limits.servers + (size_t)1, sizeof *registry->servers);
    if (!registry->input_labels || !registry->output_labels || !registry->outputs ||
        !registry->input_sampling || !registry->listening || !registry->servers) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < setup->input_count; i++) {
        registry->input_sampling[i] = setup->input_sampling != NULL ? setup->input_sampling[i] : 1;
        registry_note_listening(registry, i, true);
    }
    /* The caller's, and no longer needed. */
    setup->input_names = setup->output_names = NULL;
    setup->input_sampling = NULL;
    return 0;
}

static bool has_traffic(const struct traffic_setup *traffic)
{
    return traffic->panes.lists != 0 || traffic->panes.distincts != 0 ||
           traffic->watch.detectors != 0;
}

static int create_hub(struct registry *registry)
{
    const struct traffic_setup *traffic = &registry->setup.traffic;
    const struct hub_setup setup = {
        .panes = traffic->panes,
        .watch = traffic->watch,
        .privacy = traffic->privacy,
        .of_frames = registry->setup.time == SHARD_TIME_FRAMES,
    };

    registry->top = calloc(traffic->top_size + 1, sizeof *registry->top);
    registry->bursts = calloc(traffic->suspects_max + 1, sizeof *registry->bursts);
    if (registry->top == NULL || registry->bursts == NULL ||
        pane_create(&registry->sum.pane, &traffic->panes) < 0) {
        return -ENOMEM;
    }
    int result = hub_create(&registry->hub, &setup);
    if (result == 0) {
        struct text nothing_to_say = {0};
        result = registry_set_suffixes(registry, NULL, NULL, 0, &nothing_to_say);
    }
    return result;
}

/* Workers look at the clock twice a second: a second after an interval all have handed in theirs.
 * A file has one shard. */
static int create_feed(struct registry *registry, struct shard *shard)
{
    const struct traffic_setup *traffic = &registry->setup.traffic;
    const struct feed_setup setup = {
        .hub = registry->hub,
        .rules = {.privacy = traffic->privacy,
                  .secret = registry->vocabulary.key,
                  .suffixes = registry->suffixes},
        .panes = traffic->panes,
        .evidence_capacity = traffic->watch.capacity,
        .has_evidence = traffic->watch.detectors != 0,
        .step_ns = traffic->window_ns / WINDOW_STEPS,
        .patience_ns = registry->setup.time == SHARD_TIME_LIVE ? NS_PER_SECOND : 0,
    };
    struct feed *feed;
    int result = feed_create(&feed, &setup);

    if (result == 0) {
        shard_set_feed(shard, feed);
    }
    return result;
}

static int create_shards(struct registry *registry)
{
    const struct registry_setup *setup = &registry->setup;

    registry->shards = calloc(setup->shard_count, sizeof(struct shard *));
    if (registry->shards == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < setup->shard_count; i++) {
        int result = shard_create(&registry->shards[i], &registry->vocabulary, &setup->limits,
                                  setup->input_count, setup->time);
        if (result == 0 && registry->hub != NULL) {
            result = create_feed(registry, registry->shards[i]);
        }
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* --- What it takes --- */

/* Bytes on a page, measured with labels and numbers as long as they get; tests/integration/
 * test_bounds.py compares. */
#define PAIR_PAGE_MAX   102000 /* of a server and a role: 700 series */
#define SERVER_PAGE_MAX 6500
#define INPUT_PAGE_MAX  10000
#define OUTPUT_PAGE_MAX 1000
#define KEY_PAGE_MAX    1500 /* a name in which each byte is escaped, and each escape */
#define OTHER_PAGE_MAX  50000

/* Those of SERVER_OTHER have series, too. */
static size_t pair_count(const struct metrics_limits *limits)
{
    size_t all = (limits->servers + (size_t)1) * ROLE_COUNT;
    size_t most = limits->series + (size_t)ROLE_COUNT;

    return most < all ? most : all;
}

size_t registry_page_max(const struct registry_setup *setup)
{
    const struct traffic_setup *traffic = &setup->traffic;
    size_t keys = 2 * (size_t)TOP_LIST_COUNT * traffic->top_size + 2 * traffic->suspects_max;

    return pair_count(&setup->limits) * PAIR_PAGE_MAX +
           (setup->limits.servers + (size_t)1) * SERVER_PAGE_MAX +
           setup->input_count * (size_t)INPUT_PAGE_MAX +
           setup->output_count * (size_t)OUTPUT_PAGE_MAX + keys * KEY_PAGE_MAX + OTHER_PAGE_MAX;
}

size_t registry_json_max(const struct registry_setup *setup)
{
    return json_format_max(pair_count(&setup->limits));
}

void registry_memory(const struct registry_setup *setup, struct registry_memory *out)
{
    const struct traffic_setup *traffic = &setup->traffic;
    const struct metrics_limits *limits = &setup->limits;
    size_t shards = setup->shard_count;

    *out = (struct registry_memory){
        /* Each shard has a table, the sum and its spare are two more. */
        .counters = (shards + 2) *
                    tally_memory(limits->servers + 1, setup->input_count, pair_count(limits)),
        .matching = shards * matcher_memory(limits->matching_capacity),
        .names = server_set_memory(limits->servers) + CODE_KINDS * code_set_memory() +
                 stream_states_memory(limits->servers + 1) +
                 (limits->servers + (size_t)1) * sizeof(struct server_info) +
                 shards * shard_memory(limits),
        .documents = JSON_FORMAT_MEMORY_MAX,
        .per_connection = (limits->servers + (size_t)1) * sizeof(uint32_t),
    };
    if (has_traffic(traffic)) {
        out->lists = (shards + 2) * pane_memory(&traffic->panes) + window_memory(&traffic->panes) +
                     traffic->top_size * sizeof(struct heavy_hitter);
        out->detectors = shards * evidence_memory(traffic->watch.capacity) +
                         watch_memory(&traffic->watch) +
                         traffic->suspects_max * sizeof(struct burst);
    }
}

/* --- Making it --- */

int registry_create(struct registry **out, const struct registry_setup *setup)
{
    struct registry *registry = calloc(1, sizeof *registry);

    if (registry == NULL) {
        return -ENOMEM;
    }
    registry->setup = *setup;
    registry->created_ns = clock_monotonic_ns();
    json_format_init();
    (void)pthread_mutex_init(&registry->collecting, NULL);

    int result = create_labels(registry);
    if (result == 0) {
        result = vocabulary_init(&registry->vocabulary, &setup->limits);
    }
    if (result == 0) {
        result = shard_sum_init(&registry->sum, &setup->limits, setup->input_count);
    }
    if (result == 0 && has_traffic(&setup->traffic)) {
        result = create_hub(registry);
    }
    if (result == 0) {
        result = create_shards(registry);
    }
    if (result < 0) {
        registry_free(registry);
        return result;
    }
    registry_note_reload(registry, true);
    *out = registry;
    return 0;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (unsigned i = 0; registry->shards != NULL && i < registry->setup.shard_count; i++) {
        shard_free(registry->shards[i]);
    }
    free(registry->shards);
    free_labels(registry->input_labels);
    free_labels(registry->output_labels);
    free(registry->outputs);
    free(registry->input_sampling);
    free(registry->listening);
    free(registry->servers);
    shard_sum_deinit(&registry->sum);
    free(registry->top);
    free(registry->bursts);
    hub_free(registry->hub);
    suffix_table_free(registry->suffixes);
    vocabulary_deinit(&registry->vocabulary);
    (void)pthread_mutex_destroy(&registry->collecting);
    free(registry);
}

struct shard *registry_shard(const struct registry *registry, unsigned index)
{
    return registry->shards[index];
}

struct output_tally *registry_output(const struct registry *registry, unsigned index)
{
    return &registry->outputs[index];
}

int registry_set_suffixes(struct registry *registry, const char *path, const struct bytes *allowed,
                          size_t allowed_count, struct text *error)
{
    struct suffix_table *fresh;
    int result = suffix_table_create(&fresh, &registry->vocabulary.key, path, allowed,
                                     allowed_count, error);

    if (result < 0) {
        return result;
    }
    for (unsigned i = 0; registry->shards != NULL && i < registry->setup.shard_count; i++) {
        shard_set_suffixes(registry->shards[i], fresh);
    }
    suffix_table_free(registry->suffixes);
    registry->suffixes = fresh;
    return 0;
}

/* --- Pages --- */

static void add_shards(struct registry *registry)
{
    shard_sum_begin(&registry->sum);
    for (unsigned i = 0; i < registry->setup.shard_count; i++) {
        shard_add_to(registry->shards[i], &registry->sum);
    }
    if (registry->hub != NULL) {
        hub_add_window(registry->hub, registry->sum.step, registry->sum.pane);
    }
}

/* Labels are read last: a code that got its first slot on the way has one then. Again where a code
 * has lost its slot meanwhile. */
static void read_code_labels(struct registry *registry)
{
    bool same;

    do {
        shard_sum_follow_codes(&registry->sum, &registry->vocabulary);
        same = true;
        for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
            code_set_read(registry->vocabulary.codes[kind], &registry->codes[kind]);
            same &= registry->codes[kind].version == registry->sum.code_versions[kind];
        }
    } while (!same);
}

static uint64_t hub_version_of(const struct registry *registry)
{
    return registry->hub != NULL ? hub_version(registry->hub) : 0;
}

/* A server that left while shards were added up has no series any more. */
static void read_servers(struct registry *registry)
{
    struct tally *sum = &registry->sum.tally;

    server_set_read(registry->vocabulary.servers, registry->servers);
    for (unsigned server = SERVER_OTHER + 1; server < sum->server_count; server++) {
        if (sum->generations[server] != registry->servers[server].generation) {
            tally_expire(sum, server, registry->servers[server].generation);
        }
    }
}

static void read_detections(struct registry *registry)
{
    uint64_t *overflows = registry->sum.traffic.overflows;

    registry->burst_count = hub_read(registry->hub, registry->detections, registry->bursts,
                                     registry->setup.traffic.suspects_max);
    overflows[LIMIT_DETECTION_CLIENTS] += registry->detections[DETECTOR_NXDOMAIN_CLIENT].overflows;
    overflows[LIMIT_DETECTION_DOMAINS] += registry->detections[DETECTOR_NXDOMAIN_DOMAIN].overflows;
}

/* Again where a shard handed in its pane on the way, which is then missing or there twice: each
 * does so once a step. */
static void collect(struct registry *registry)
{
    uint64_t version;

    do {
        version = hub_version_of(registry);
        add_shards(registry);
    } while (hub_version_of(registry) != version);
    read_code_labels(registry);
    read_servers(registry);
    if (registry->hub != NULL) {
        read_detections(registry);
    }
    registry->common = registry->sum.traffic;
    common_tally_add(&registry->common, &registry->sum.tally.common);
}

/* NTP slews both clocks alike; a larger difference is a step of the realtime clock. */
#define CLOCK_STEP_NS NS_PER_SECOND

/* Times are kept on the monotonic clock: a wrong clock at boot is forgotten when it is set. */
static void follow_realtime(struct registry *registry)
{
    int64_t now = (int64_t)(clock_realtime_ns() - clock_monotonic_ns());
    int64_t change = now - (int64_t)registry->since_1970_ns;

    if (change < -(int64_t)CLOCK_STEP_NS || change > (int64_t)CLOCK_STEP_NS) {
        registry->since_1970_ns = (uint64_t)now;
    }
}

static void read_scrape_stats(struct registry *registry)
{
    for (enum exposition format = 0; format < EXPOSITION_COUNT; format++) {
        struct scrape_stats *stats = &registry->scrape_stats[format];
        stats->count = atomic_load_explicit(&registry->scrapes[format], memory_order_relaxed);
        stats->last_duration_seconds = (double)atomic_load_explicit(
                                           &registry->scrape_duration_ns[format],
                                           memory_order_relaxed) /
                                       (double)NS_PER_SECOND;
    }
}

/* What the exporter says of itself, and the sum as it stands. */
static struct snapshot take_snapshot(struct registry *registry)
{
    follow_realtime(registry);
    struct snapshot snapshot = {
        .sum = &registry->sum.tally,
        .common = &registry->common,
        .window = registry->sum.pane,
        .privacy = &registry->setup.traffic.privacy,
        .window_ns = registry->setup.traffic.window_ns,
        .top = registry->top,
        .top_size = registry->setup.traffic.top_size,
        .detections = registry->detections,
        .bursts = registry->bursts,
        .burst_count = registry->burst_count,
        .detectors = registry->setup.traffic.watch.detectors,
        .servers = registry->servers,
        .codes = registry->codes,
        .streams = registry->vocabulary.streams,
        .input_labels = registry->input_labels,
        .input_sampling = registry->input_sampling,
        .listening = registry->listening,
        .output_labels = registry->output_labels,
        .outputs = registry->outputs,
        .output_count = registry->setup.output_count,
        .scrapes = registry->scrape_stats,
        .created_ns = registry->created_ns + registry->since_1970_ns,
        .since_1970_ns = registry->since_1970_ns,
        .native_schema = registry->setup.native_schema,
        .reload_successful = atomic_load_explicit(&registry->reload_successful,
                                                  memory_order_relaxed),
        .reload_timestamp_seconds = (double)(atomic_load_explicit(&registry->reload_time_ns,
                                                                  memory_order_relaxed) +
                                             registry->since_1970_ns) /
                                    (double)NS_PER_SECOND,
    };

    read_scrape_stats(registry);
    snapshot.of_service = registry->setup.time == SHARD_TIME_LIVE;
    snapshot.has_process = snapshot.of_service && process_stats_read(&snapshot.process) == 0;
    return snapshot;
}

int registry_write_page(struct registry *registry, enum exposition format, struct text *page)
{
    static void (*const writers[EXPOSITION_COUNT])(const struct snapshot *, struct text *) = {
        [EXPOSITION_TEXT] = text_format_write,
        [EXPOSITION_OPENMETRICS] = openmetrics_format_write,
        [EXPOSITION_PROTOBUF] = protobuf_format_write,
    };

    (void)pthread_mutex_lock(&registry->collecting);
    collect(registry);
    struct snapshot snapshot = take_snapshot(registry);
    text_clear(page);
    writers[format](&snapshot, page);
    (void)pthread_mutex_unlock(&registry->collecting);
    return page->failed ? -ENOMEM : 0;
}

static int write_json(struct registry *registry, size_t limit, struct text *page,
                      int (*write)(const struct snapshot *, size_t, struct text *))
{
    (void)pthread_mutex_lock(&registry->collecting);
    collect(registry);
    struct snapshot snapshot = take_snapshot(registry);
    text_clear(page);
    int result = write(&snapshot, limit, page);
    (void)pthread_mutex_unlock(&registry->collecting);
    return result;
}

int registry_write_top(struct registry *registry, size_t limit, struct text *page)
{
    return write_json(registry, limit, page, json_format_write_top);
}

int registry_write_status(struct registry *registry, size_t limit, struct text *page)
{
    return write_json(registry, limit, page, json_format_write_status);
}

void registry_note_scrape(struct registry *registry, enum exposition format, uint64_t duration_ns)
{
    atomic_fetch_add_explicit(&registry->scrapes[format], 1, memory_order_relaxed);
    atomic_store_explicit(&registry->scrape_duration_ns[format], duration_ns, memory_order_relaxed);
}

void registry_note_listening(struct registry *registry, unsigned index, bool listening)
{
    atomic_store_explicit(&registry->listening[index], listening, memory_order_relaxed);
}

bool registry_is_listening(const struct registry *registry, unsigned index)
{
    return atomic_load_explicit(&registry->listening[index], memory_order_relaxed);
}

void registry_note_reload(struct registry *registry, bool successful)
{
    atomic_store_explicit(&registry->reload_successful, successful, memory_order_relaxed);
    if (successful) {
        atomic_store_explicit(&registry->reload_time_ns, clock_monotonic_ns(),
                              memory_order_relaxed);
    }
}
