/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "metrics/label.h"
#include "snapshot_internal.h"

struct registry {
    struct registry_setup setup;
    char **input_labels; /* [setup.input_count] */
    struct vocabulary vocabulary;
    struct shard **shards; /* [setup.shard_count] */
    pthread_mutex_t collecting;
    struct tally sum; /* under `collecting`: what a page shows */
    /* Relaxed: numbers of their own, nothing else depends on them. */
    _Atomic uint64_t scrapes;
    _Atomic uint64_t scrape_duration_ns;
    _Atomic uint64_t reload_time_ns;
    atomic_bool reload_successful;
};

static int copy_input_labels(struct registry *registry)
{
    registry->input_labels = calloc(registry->setup.input_count, sizeof(char *));
    if (registry->input_labels == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < registry->setup.input_count; i++) {
        struct bytes name = bytes_of_string(registry->setup.input_names[i]);

        registry->input_labels[i] = malloc(LABEL_SIZE(name.len));
        if (registry->input_labels[i] == NULL) {
            return -ENOMEM;
        }
        label_write(name, registry->input_labels[i]);
    }
    registry->setup.input_names = NULL; /* the caller's, and no longer needed */
    return 0;
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
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

int registry_create(struct registry **out, const struct registry_setup *setup)
{
    struct registry *registry = calloc(1, sizeof *registry);

    if (registry == NULL) {
        return -ENOMEM;
    }
    registry->setup = *setup;
    (void)pthread_mutex_init(&registry->collecting, NULL);

    int result = copy_input_labels(registry);
    if (result == 0) {
        result = vocabulary_init(&registry->vocabulary, &setup->limits);
    }
    if (result == 0) {
        result = tally_init(&registry->sum, setup->limits.servers + 1, setup->input_count);
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
    for (unsigned i = 0; registry->input_labels != NULL && i < registry->setup.input_count; i++) {
        free(registry->input_labels[i]);
    }
    free(registry->input_labels);
    tally_deinit(&registry->sum);
    vocabulary_deinit(&registry->vocabulary);
    (void)pthread_mutex_destroy(&registry->collecting);
    free(registry);
}

struct shard *registry_shard(const struct registry *registry, unsigned index)
{
    return registry->shards[index];
}

/* What the exporter says of itself, and the sum as it stands. */
static struct snapshot take_snapshot(struct registry *registry)
{
    struct snapshot snapshot = {
        .sum = &registry->sum,
        .vocabulary = &registry->vocabulary,
        .input_labels = registry->input_labels,
        .scrapes = atomic_load_explicit(&registry->scrapes, memory_order_relaxed),
        .scrape_duration_seconds = (double)atomic_load_explicit(&registry->scrape_duration_ns,
                                                                memory_order_relaxed) /
                                   (double)NS_PER_SECOND,
        .reload_successful = atomic_load_explicit(&registry->reload_successful,
                                                  memory_order_relaxed),
        .reload_timestamp_seconds = (double)atomic_load_explicit(&registry->reload_time_ns,
                                                                 memory_order_relaxed) /
                                    (double)NS_PER_SECOND,
    };

    snapshot.of_service = registry->setup.time == SHARD_TIME_LIVE;
    snapshot.has_process = snapshot.of_service && process_stats_read(&snapshot.process) == 0;
    return snapshot;
}

int registry_write_text(struct registry *registry, struct text *page)
{
    (void)pthread_mutex_lock(&registry->collecting);
    tally_clear(&registry->sum);
    for (unsigned i = 0; i < registry->setup.shard_count; i++) {
        shard_add_to(registry->shards[i], &registry->sum);
    }
    struct snapshot snapshot = take_snapshot(registry);
    text_clear(page);
    snapshot_visit(&snapshot, &text_format, page);
    (void)pthread_mutex_unlock(&registry->collecting);
    return page->failed ? -ENOMEM : 0;
}

void registry_note_scrape(struct registry *registry, uint64_t duration_ns)
{
    atomic_fetch_add_explicit(&registry->scrapes, 1, memory_order_relaxed);
    atomic_store_explicit(&registry->scrape_duration_ns, duration_ns, memory_order_relaxed);
}

void registry_note_reload(struct registry *registry, bool successful)
{
    atomic_store_explicit(&registry->reload_successful, successful, memory_order_relaxed);
    if (successful) {
        atomic_store_explicit(&registry->reload_time_ns, clock_realtime_ns(), memory_order_relaxed);
    }
}
