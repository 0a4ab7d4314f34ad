/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/socket_file.h"
#include "count/label.h"
#include "health_internal.h"
#include "json_format_internal.h"
#include "scrape_internal.h"

const struct config_rows exposition_rows = CONFIG_ROWS(EXPOSITION_KEYS, struct exposition_settings);

_Static_assert(HISTOGRAM_SCHEMA_MIN == 0 && HISTOGRAM_SCHEMA_MAX == 3, "as its row has it");

struct registry {
    struct registry_setup setup;
    char **input_labels; /* [the aggregator's input_count], the first input_count are there */

    char **output_labels;  /* [setup.output_count] */
    uint64_t created_ns;   /* monotonic */
    uint64_t next_step_ns; /* of the history; of the thread that ticks */
    pthread_mutex_t writing;
    /* Under `writing`. */
    unsigned input_count;   /* that have a name */
    uint64_t since_1970_ns; /* added to the monotonic clock gives the time since 1970 */
    struct scrape_stats scrape_stats[EXPOSITION_COUNT];
    struct heavy_hitter *top;    /* [scrape_top_room()] */
    struct history *history;     /* NULL: files are read */
    struct socket_file *sockets; /* [the aggregator's input_count] */
    /* Relaxed: numbers of their own, nothing else depends on them. */
    _Atomic uint64_t scrapes[EXPOSITION_COUNT];
    _Atomic uint64_t scrape_duration_ns[EXPOSITION_COUNT];
    _Atomic uint64_t reload_time_ns; /* monotonic */
    atomic_bool reload_successful;
    _Atomic uint64_t web_refusals[WEB_REFUSAL_COUNT];
    atomic_bool sandbox_active[SANDBOX_PART_COUNT];
    _Atomic uint64_t sandbox_violations;
    _Atomic int64_t certificate_expiry; /* in seconds since 1970; 0: there is none */
};

static void free_labels(char **labels)
{
    for (char **label = labels; labels != NULL && *label != NULL; label++) {
        free(*label);
    }
    free(labels);
}

/* NULL without memory. */
static char *create_label(const char *name)
{
    char *label = malloc(LABEL_SIZE);

    if (label != NULL) {
        label_write(bytes_of_string(name), label);
    }
    return label;
}

/* With room for `room` labels and a NULL. */
static char **copy_labels(const char *const *names, unsigned count, unsigned room)
{
    char **labels = calloc(room + (size_t)1, sizeof(char *));

    if (labels == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        labels[i] = create_label(names[i]);
        if (labels[i] == NULL) {
            free_labels(labels);
            return NULL;
        }
    }
    return labels;
}

static int create_labels(struct registry *registry)
{
    struct registry_setup *setup = &registry->setup;

    unsigned input_room = aggregator_setup_of(setup->aggregator)->input_count;

    registry->input_labels = copy_labels(setup->input_names, setup->input_count, input_room);
    registry->output_labels = copy_labels(setup->output_names, setup->output_count,
                                          setup->output_count);
    const struct pane_shape *panes = &aggregator_setup_of(setup->aggregator)->analysis.panes;
    registry->top = calloc(scrape_top_room(panes, setup->top_max_series) + 1,
                           sizeof *registry->top);
    registry->sockets = calloc(input_room + (size_t)1, sizeof *registry->sockets);
    if (!registry->input_labels || !registry->output_labels || !registry->top ||
        !registry->sockets) {
        return -ENOMEM;
    }
    setup->input_names = setup->output_names = NULL; /* the caller's, and no longer needed */
    return 0;
}

/* --- What it takes --- */

/* Bytes on a page, measured with labels and numbers as long as they get; tests/integration/
 * test_bounds.py compares. */
#define PAIR_PAGE_MAX   102000 /* of a server and a role: 700 series */
#define ANSWER_PAGE_MAX 20000  /* of its answers: 140 series */
#define SERVER_PAGE_MAX 6500
#define INPUT_PAGE_MAX  16000
#define OUTPUT_PAGE_MAX 4000
#define KEY_PAGE_MAX    1500 /* a name in which each byte is escaped, and each escape */
#define LIST_PAGE_MAX   700  /* of a block list */
#define OTHER_PAGE_MAX  50000

struct registry_response_max registry_response_max(const struct aggregator_setup *setup,
                                                   unsigned input_count, size_t top_max_series,
                                                   unsigned output_count)
{
    size_t pairs = aggregator_pair_count(&setup->limits);
    size_t of_pair = PAIR_PAGE_MAX + (setup->limits.answers ? ANSWER_PAGE_MAX : 0);
    const struct pane_shape *panes = &setup->analysis.panes;
    size_t of_list = panes->by_server ? (setup->limits.servers + (size_t)1) * top_max_series
                                      : top_max_series;
    size_t room = scrape_top_room(panes, of_list);
    size_t keys = 2 * (size_t)TOP_LIST_COUNT * (of_list < room ? of_list : room) +
                  3 * setup->analysis.findings_max;

    return (struct registry_response_max){
        .page = pairs * of_pair + (setup->limits.servers + (size_t)1) * SERVER_PAGE_MAX +
                input_count * (size_t)INPUT_PAGE_MAX + output_count * (size_t)OUTPUT_PAGE_MAX +
                setup->analysis.block_list_count * (size_t)LIST_PAGE_MAX + keys * KEY_PAGE_MAX +
                OTHER_PAGE_MAX,
        .json = json_format_max(pairs),
    };
}

size_t registry_history_memory(const struct aggregator_setup *setup)
{
    return history_memory(aggregator_pair_count(&setup->limits), setup->input_count);
}

size_t registry_json_parts_max(void)
{
    return JSON_FORMAT_MEMORY_MAX;
}

/* --- Making it --- */

static bool is_live(const struct aggregator *aggregator)
{
    return aggregator_setup_of(aggregator)->time == SHARD_TIME_LIVE;
}

int registry_create(struct registry **out, const struct registry_setup *setup)
{
    struct registry *registry = calloc(1, sizeof *registry);

    if (registry == NULL) {
        return -ENOMEM;
    }
    registry->setup = *setup;
    registry->input_count = setup->input_count;
    registry->created_ns = clock_monotonic_ns();
    json_format_init();
    (void)pthread_mutex_init(&registry->writing, NULL);

    int result = create_labels(registry);
    if (result == 0 && is_live(setup->aggregator)) {
        const struct aggregator_setup *sizes = aggregator_setup_of(setup->aggregator);
        result = history_create(&registry->history, sizes->limits.servers + 1, sizes->input_count);
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
    free_labels(registry->input_labels);
    free_labels(registry->output_labels);
    free(registry->top);
    free(registry->sockets);
    history_free(registry->history);
    (void)pthread_mutex_destroy(&registry->writing);
    free(registry);
}

/* --- Pages --- */

/* NTP slews both clocks alike; a larger difference is a step of the realtime clock. */
#define CLOCK_STEP_NS NS_PER_SECOND

/* Times are kept on the monotonic clock: a wrong clock at boot is forgotten when it is set. */
static void registry_update_realtime(struct registry *registry)
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

static void read_web_numbers(struct registry *registry, struct scrape *out)
{
    int64_t expiry = atomic_load_explicit(&registry->certificate_expiry, memory_order_relaxed);

    for (unsigned i = 0; i < WEB_REFUSAL_COUNT; i++) {
        out->web_refusals[i] = atomic_load_explicit(&registry->web_refusals[i],
                                                    memory_order_relaxed);
    }
    out->has_certificate = expiry != 0;
    out->certificate_expiry_seconds = (double)expiry;
}

static void read_sandbox(struct registry *registry, struct scrape *out)
{
    for (unsigned i = 0; i < SANDBOX_PART_COUNT; i++) {
        out->sandbox_active[i] = atomic_load_explicit(&registry->sandbox_active[i],
                                                      memory_order_relaxed);
    }
    out->sandbox_violations = atomic_load_explicit(&registry->sandbox_violations,
                                                   memory_order_relaxed);
}

/* The numbers, and what the exporter says of itself. Until end_scrape(). */
static void begin_scrape(struct registry *registry, struct scrape *out)
{
    const struct registry_setup *setup = &registry->setup;

    (void)pthread_mutex_lock(&registry->writing);
    registry_update_realtime(registry);
    read_scrape_stats(registry);
    *out = (struct scrape){
        .input_labels = registry->input_labels,
        .input_count = registry->input_count,
        .inputs = setup->inputs,
        .sockets = registry->sockets,
        .output_labels = registry->output_labels,
        .outputs = setup->outputs,
        .output_count = setup->output_count,
        .archive = setup->archive,
        .top = registry->top,
        .top_size = setup->top_max_series,
        .of_service = is_live(setup->aggregator),
        .history = registry->history,
        .formats = registry->scrape_stats,
        .log_lines_lost = log_lost(),
        .created_ns = registry->created_ns + registry->since_1970_ns,
        .since_1970_ns = registry->since_1970_ns,
        .native_schema = setup->native_schema,
        .reload_successful = atomic_load_explicit(&registry->reload_successful,
                                                  memory_order_relaxed),
        .reload_timestamp_seconds = (double)(atomic_load_explicit(&registry->reload_time_ns,
                                                                  memory_order_relaxed) +
                                             registry->since_1970_ns) /
                                    (double)NS_PER_SECOND,
    };
    read_web_numbers(registry, out);
    read_sandbox(registry, out);
    out->has_process = out->of_service && process_stats_read(&out->process) == 0;
    aggregator_collect(setup->aggregator, &out->numbers);
}

static void end_scrape(struct registry *registry)
{
    aggregator_release(registry->setup.aggregator);
    (void)pthread_mutex_unlock(&registry->writing);
}

void registry_tick(struct registry *registry)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct scrape scrape;

    if (now_ns >= registry->next_step_ns) {
        begin_scrape(registry, &scrape);
        history_take(registry->history, &scrape, now_ns);
        end_scrape(registry);
        registry->next_step_ns = now_ns + HISTORY_STEP_NS;
    }
}

int registry_write_page(struct registry *registry, enum exposition format, struct text *page)
{
    static void (*const writers[EXPOSITION_COUNT])(const struct scrape *, struct text *) = {
        [EXPOSITION_TEXT] = text_format_write,
        [EXPOSITION_OPENMETRICS] = openmetrics_format_write,
        [EXPOSITION_PROTOBUF] = protobuf_format_write,
    };
    struct scrape scrape;

    text_clear(page);
    begin_scrape(registry, &scrape);
    writers[format](&scrape, page);
    end_scrape(registry);
    return page->failed ? -ENOMEM : 0;
}

static int write_json(struct registry *registry, size_t limit, struct text *page,
                      int (*write)(const struct scrape *, size_t, struct text *))
{
    struct scrape scrape;

    text_clear(page);
    begin_scrape(registry, &scrape);
    int result = write(&scrape, limit, page);
    end_scrape(registry);
    return result;
}

int registry_write_top(struct registry *registry, size_t limit, struct text *page)
{
    return write_json(registry, limit, page, json_format_write_top);
}

int registry_write_findings(struct registry *registry, size_t limit, struct text *page)
{
    return write_json(registry, limit, page, json_format_write_findings);
}

int registry_write_status(struct registry *registry, size_t limit, struct text *page)
{
    return write_json(registry, limit, page, json_format_write_status);
}

int registry_write_history(struct registry *registry, size_t limit, struct text *page)
{
    return write_json(registry, limit, page, json_format_write_history);
}

void registry_note_scrape(struct registry *registry, enum exposition format, uint64_t duration_ns)
{
    atomic_fetch_add_explicit(&registry->scrapes[format], 1, memory_order_relaxed);
    atomic_store_explicit(&registry->scrape_duration_ns[format], duration_ns, memory_order_relaxed);
}

int registry_set_input(struct registry *registry, unsigned input, const char *name,
                       const struct endpoint *endpoint, unsigned sampling)
{
    int result = 0;

    (void)pthread_mutex_lock(&registry->writing);
    if (input == registry->input_count) {
        registry->input_labels[input] = create_label(name);
        result = registry->input_labels[input] != NULL ? 0 : -ENOMEM;
        registry->input_count += result == 0;
    }
    if (result == 0) {
        input_gauges_init(&registry->setup.inputs[input], endpoint, sampling);
    }
    (void)pthread_mutex_unlock(&registry->writing);
    return result;
}

void registry_remove_input(struct registry *registry, unsigned input)
{
    (void)pthread_mutex_lock(&registry->writing);
    registry->setup.inputs[input].is_removed = true;
    (void)pthread_mutex_unlock(&registry->writing);
}

void registry_count_refusal(struct registry *registry, enum web_refusal reason)
{
    atomic_fetch_add_explicit(&registry->web_refusals[reason], 1, memory_order_relaxed);
}

void registry_set_certificate_expiry(struct registry *registry, int64_t seconds)
{
    atomic_store_explicit(&registry->certificate_expiry, seconds, memory_order_relaxed);
}

void registry_set_sandbox(struct registry *registry, const bool active[SANDBOX_PART_COUNT])
{
    for (unsigned i = 0; i < SANDBOX_PART_COUNT; i++) {
        atomic_store_explicit(&registry->sandbox_active[i], active[i], memory_order_relaxed);
    }
}

void registry_set_sandbox_violations(struct registry *registry, uint64_t count)
{
    atomic_store_explicit(&registry->sandbox_violations, count, memory_order_relaxed);
}

void registry_note_reload(struct registry *registry, bool successful)
{
    atomic_store_explicit(&registry->reload_successful, successful, memory_order_relaxed);
    if (successful) {
        atomic_store_explicit(&registry->reload_time_ns, clock_monotonic_ns(),
                              memory_order_relaxed);
    }
}
