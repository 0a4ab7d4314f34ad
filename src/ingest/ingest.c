/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest_internal.h"
#include "stream/listener.h"

/* --- Listeners --- */

static int ingest_watch(const struct ingest *ingest, unsigned input, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = input};

    if (fd < 0) {
        return 0; /* of an input that is dialled */
    }

    return epoll_ctl(ingest->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static bool is_listening(const struct ingest *ingest, unsigned input)
{
    return atomic_load_explicit(&ingest->setup.gauges[input].listening, memory_order_relaxed);
}

static void set_listening(struct ingest *ingest, unsigned input, bool listening)
{
    atomic_store_explicit(&ingest->setup.gauges[input].listening, listening, memory_order_relaxed);
}

/* The socket file is gone, or another one has its place. Who listens there counts a connection each
 * time that it is asked. */
static void listen_again(struct ingest *ingest, unsigned input)
{
    const struct input_settings *settings = &ingest->inputs.places[input].settings;
    struct listener *listener = &ingest->inputs.places[input].listener;
    struct listener fresh;
    struct text error = {0};

    if (!listener_is_changed(listener)) {
        return;
    }
    int result = listener_open(&fresh, settings, &error);

    if (result == 0) {
        result = ingest_watch(ingest, input, fresh.fd);
        if (result < 0) {
            listener_close(&fresh);
        }
    }
    if (result == 0) {
        listener_close(listener);
        *listener = fresh;
        log_warn("the socket file was removed, it has been recreated", "input", settings->name,
                 "unix", settings->endpoint.path, NULL);
    } else if (is_listening(ingest, input)) { /* not each time */
        log_error("the socket file was removed and cannot be made again, no server can connect",
                  "input", settings->name, "error", text_string(&error), NULL);
    }
    set_listening(ingest, input, result == 0);
    text_deinit(&error);
}

bool ingest_check_listeners(struct ingest *ingest)
{
    bool all = true;

    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        if (!ingest_is_in_use(ingest, i) || ingest_is_dialled(ingest, i)) {
            continue;
        }
        if (listener_is_reachable(&ingest->inputs.places[i].listener)) {
            set_listening(ingest, i, true);
        } else {
            listen_again(ingest, i);
        }
        all &= is_listening(ingest, i);
    }
    return all;
}

/* --- Outputs, archive and workers --- */

/* Before the input has its first connection; its name and so its outputs stay. */
static void attach_queues(struct ingest *ingest, unsigned input)
{
    const char *name = ingest->inputs.places[input].settings.name;
    unsigned count = 0;

    for (unsigned i = 0; i < ingest->output_count; i++) {
        if (output_settings_takes(&ingest->setup.outputs[i], name)) {
            ingest->queues_of[input][count++] = output_queue(ingest->outputs[i]);
        }
    }
    if (ingest->archive != NULL) {
        ingest->queues_of[input][count] = archive_queue(ingest->archive);
    }
}

static int start_outputs(struct ingest *ingest, struct text *error)
{
    const struct ingest_setup *setup = &ingest->setup;

    for (unsigned i = 0; i < setup->output_count; i++) {
        const struct output_setup of_output = {
            .settings = &setup->outputs[i],
            .input_ports = ingest->input_ports,
            .counters = &setup->counters[i],
            .config_path = setup->config_path,
        };
        int result = output_create(&ingest->outputs[i], &of_output, error);
        if (result < 0) {
            return result;
        }
        ingest->output_count++;
    }
    return 0;
}

static int start_archive(struct ingest *ingest)
{
    const struct ingest_setup *setup = &ingest->setup;

    return setup->archive != NULL
               ? archive_create(&ingest->archive, setup->archive, setup->archive_counters)
               : 0;
}

static void attach_all_queues(struct ingest *ingest)
{
    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        attach_queues(ingest, i);
    }
}

static int start_workers(struct ingest *ingest, unsigned count)
{
    ingest->workers = calloc(count, sizeof(struct worker *));
    if (ingest->workers == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        int result = worker_start(&ingest->workers[i],
                                  aggregator_shard(ingest->setup.aggregator, i), &ingest->settings);
        if (result < 0) {
            return result;
        }
        ingest->worker_count++;
    }
    return 0;
}

/* What this module and the program may have open besides: standard descriptors, files that are
 * being read, three descriptors a worker, streams that are being opened, listeners, outputs, the
 * archive. */
static size_t own_descriptors(const struct ingest_setup *setup, unsigned worker_count)
{
    return 32 + OPENER_PENDING + 3 * (size_t)worker_count + 2 * (size_t)INPUTS_MAX +
           2 * (size_t)setup->output_count;
}

/* Half of all where there are too few for everything. */
static size_t connection_descriptors(const struct ingest_setup *setup, unsigned worker_count)
{
    size_t others = own_descriptors(setup, worker_count) + setup->other_descriptors;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return SIZE_MAX;
    }
    size_t half = (size_t)limit.rlim_cur / 2;
    return limit.rlim_cur > others + half ? (size_t)limit.rlim_cur - others : half;
}

static void warn_of_descriptors(const struct ingest *ingest)
{
    const struct ingest_setup *setup = &ingest->setup;
    size_t wanted = (size_t)setup->input_count * setup->settings->connections_max;
    char number[24];

    if (wanted > ingest->descriptors_max) {
        (void)snprintf(number, sizeof number, "%zu", ingest->descriptors_max);
        log_warn("the limit of open files (LimitNOFILE, ulimit -n) leaves room for fewer "
                 "connections than limits.connections on all inputs",
                 "connections", number, NULL);
    }
}

uint64_t ingest_oldest_heartbeat_ns(const struct ingest *ingest)
{
    uint64_t last_ns = UINT64_MAX;

    for (unsigned i = 0; i < ingest->worker_count; i++) {
        uint64_t heartbeat_ns = worker_heartbeat_ns(ingest->workers[i]);
        last_ns = heartbeat_ns < last_ns ? heartbeat_ns : last_ns;
    }
    return last_ns;
}

int ingest_fd(const struct ingest *ingest)
{
    return ingest->epoll_fd;
}

void ingest_make_room(struct ingest *ingest, unsigned input, size_t max, enum worker_order order)
{
    struct connection_table *connections = &ingest->connections;

    for (size_t open = connection_table_count(connections, input); open > 0 && open >= max;
         open--) {
        struct connection_entry *entry = connection_table_most_silent(connections, input);
        if (entry == NULL) { /* they have ended since they were counted */
            return;
        }
        const struct worker_message message = {.order = order, .entry = entry};
        entry->closing = true;
        ingest->made_room = true;
        worker_tell(ingest->workers[entry->worker], &message);
    }
}

/* --- Changing inputs --- */

/* A listener that is in the set already is watched already, perhaps for another place. */
static int watch_prepared(const struct ingest *ingest)
{
    int result = 0;

    for (unsigned i = 0; i < ingest->plan.count && result == 0; i++) {
        const struct planned_input *planned = &ingest->plan.inputs[i];
        if (planned->taken_from == INPUTS_MAX) {
            result = ingest_watch(ingest, planned->place, planned->listener.fd);
        }
    }
    return result;
}

static bool needs_opener(const struct input_plan *plan)
{
    bool needs = false;

    for (unsigned i = 0; i < plan->count; i++) {
        needs |= plan->inputs[i].tls != NULL || plan->inputs[i].settings.endpoint.is_dialled;
    }
    return needs;
}

static int start_opener(struct ingest *ingest)
{
    if (ingest->opener != NULL || !needs_opener(&ingest->plan)) {
        return 0;
    }
    int result = opener_create(&ingest->opener);
    if (result < 0) {
        return result;
    }
    result = ingest_watch(ingest, INGEST_OPENER_EVENT, opener_fd(ingest->opener));
    if (result < 0) { /* the next reload tries again */
        opener_free(ingest->opener);
        ingest->opener = NULL;
    }
    return result;
}

static int prepare_inputs(struct ingest *ingest, const struct input_request *request,
                          struct text *error)
{
    int result = input_set_prepare(&ingest->inputs, request, &ingest->plan, error);

    if (result < 0) {
        return result;
    }
    result = start_opener(ingest);
    if (result == 0) {
        result = watch_prepared(ingest);
    }
    if (result < 0) {
        ingest_discard_inputs(ingest);
    }
    return result;
}

int ingest_prepare_inputs(struct ingest *ingest, const struct input_settings *inputs,
                          unsigned count, struct text *error)
{
    const struct input_request request = {
        .inputs = inputs, .count = count, .path = ingest->setup.config_path};

    return prepare_inputs(ingest, &request, error);
}

/* A socket that systemd has, too, stays watched when our descriptor of it is closed. */
static void forget_listener(const struct ingest *ingest, int fd)
{
    (void)epoll_ctl(ingest->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void ingest_discard_inputs(struct ingest *ingest)
{
    for (unsigned i = 0; i < ingest->plan.count; i++) {
        if (ingest->plan.inputs[i].taken_from == INPUTS_MAX) {
            forget_listener(ingest, ingest->plan.inputs[i].listener.fd);
        }
    }
    input_set_discard(&ingest->plan);
}

static void close_connections(struct ingest *ingest, unsigned input)
{
    struct connection_entry *entry;

    for (size_t i = 0; (entry = connection_table_next(&ingest->connections, input, &i)) != NULL;) {
        const struct worker_message message = {.order = WORKER_CLOSE_FOR_INPUT, .entry = entry};
        entry->closing = true;
        worker_tell(ingest->workers[entry->worker], &message);
    }
}

static void note_port(struct ingest *ingest, unsigned input)
{
    const struct input_place *place = &ingest->inputs.places[input];
    const struct endpoint *endpoint = &place->settings.endpoint;
    bool is_tcp = place->in_use && endpoint->kind == ENDPOINT_TCP && !endpoint->is_dialled;

    atomic_store_explicit(&ingest->input_ports[input], is_tcp ? endpoint->port : 0,
                          memory_order_relaxed);
}

static void forget_listeners(const struct ingest *ingest)
{
    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        if (ingest_is_in_use(ingest, i)) {
            forget_listener(ingest, ingest->inputs.places[i].listener.fd);
        }
    }
}

/* Those that were prepared are watched already. */
static void watch_listener(const struct ingest *ingest, unsigned input)
{
    if (ingest_is_in_use(ingest, input)) {
        (void)ingest_watch(ingest, input, ingest->inputs.places[input].listener.fd);
    }
}

void ingest_adopt_inputs(struct ingest *ingest)
{
    unsigned known = ingest->inputs.count;
    enum input_change changes[INPUTS_MAX];

    forget_listeners(ingest);
    input_set_adopt(&ingest->inputs, &ingest->plan, changes);
    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        note_port(ingest, i);
        watch_listener(ingest, i);
    }
    for (unsigned i = known; i < ingest->inputs.count; i++) {
        attach_queues(ingest, i);
    }
    for (unsigned i = 0; i < known; i++) {
        if (changes[i] == INPUT_CHANGED || changes[i] == INPUT_REMOVED) {
            ingest->generations[i]++;
            ingest->diallers[i] = (struct dialler){0};
            ingest_note_connected(ingest, i, false);
            close_connections(ingest, i);
        }
    }
}

const struct input_set *ingest_inputs(const struct ingest *ingest)
{
    return &ingest->inputs;
}

void ingest_configure(struct ingest *ingest)
{
    struct text error = {0};

    atomic_store_explicit(&ingest->settings.handshake_timeout_ns,
                          ingest->setup.settings->handshake_timeout_ns, memory_order_relaxed);
    (void)ingest_check_listeners(ingest);
    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        ingest_make_room(ingest, i, (size_t)ingest->setup.settings->connections_max + 1,
                         WORKER_CLOSE_FOR_LIMIT);
    }
    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        const struct input_place *place = &ingest->inputs.places[i];
        text_clear(&error);
        if (place->in_use && !ingest_is_dialled(ingest, i) && is_listening(ingest, i) &&
            listener_set_permissions(&place->listener, &place->settings, &error) < 0) {
            log_error("cannot set the permissions of the socket file", "error", text_string(&error),
                      NULL);
        }
    }
    text_deinit(&error);
}

int ingest_create(struct ingest **out, const struct ingest_setup *setup, struct text *error)
{
    unsigned worker_count = aggregator_setup_of(setup->aggregator)->shard_count;
    struct ingest *ingest = calloc(1, sizeof *ingest);

    if (ingest == NULL) {
        return -ENOMEM;
    }
    ingest->setup = *setup;
    ingest->setup.inputs = NULL; /* the caller's */
    ingest->settings.max_frame_size = setup->settings->frame_size_max;
    ingest->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ingest->descriptors_max = connection_descriptors(setup, worker_count);
    warn_of_descriptors(ingest);
    ingest_configure(ingest);

    const struct input_request request = {
        .inputs = setup->inputs,
        .count = setup->input_count,
        .passed = setup->passed,
        .path = setup->config_path,
    };
    int result = ingest->epoll_fd < 0 ? -errno : prepare_inputs(ingest, &request, error);
    if (result == 0) {
        ingest_adopt_inputs(ingest); /* before outputs, which must not connect to them */
        result = start_outputs(ingest, error);
    }
    if (result == 0) {
        result = start_archive(ingest);
    }
    if (result == 0) {
        attach_all_queues(ingest);
        result = start_workers(ingest, worker_count);
    }
    if (result < 0) {
        ingest_free(ingest);
        return result;
    }
    *out = ingest;
    return 0;
}

/* --- Once a second --- */

static void renew_certificates(struct ingest *ingest)
{
    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        struct input_place *place = &ingest->inputs.places[i];
        tls_context_renew_and_log(&place->tls, "input", place->settings.name);
    }
}

void ingest_tick(struct ingest *ingest)
{
    renew_certificates(ingest);
    ingest_dial(ingest, clock_monotonic_ns());
}

/* --- The end --- */

void ingest_free(struct ingest *ingest)
{
    if (ingest == NULL) {
        return;
    }
    input_set_discard(&ingest->plan);
    input_set_close(&ingest->inputs);
    opener_free(ingest->opener);
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        worker_stop(ingest->workers[i]);
    }
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        worker_join(ingest->workers[i]);
    }
    for (unsigned i = 0; i < ingest->output_count; i++) {
        output_end(ingest->outputs[i]);
    }
    if (ingest->archive != NULL) {
        archive_end(ingest->archive);
        archive_free(ingest->archive);
    }
    for (unsigned i = 0; i < ingest->output_count; i++) {
        output_free(ingest->outputs[i]);
    }
    if (ingest->epoll_fd >= 0) {
        (void)close(ingest->epoll_fd);
    }
    connection_table_deinit(&ingest->connections);
    free(ingest->workers);
    input_set_deinit(&ingest->inputs);
    free(ingest);
}
