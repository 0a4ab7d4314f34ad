/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "build_info.h"
#include "ingest/default_socket.h"
#include "program/sandbox_rules.h"
#include "program/systemd.h"
#include "program/user.h"
#include "relay/archive.h"
#include "service_internal.h"

#define STANDSTILL_NS (5 * NS_PER_SECOND) /* chosen */
#define TICK_MS       1000                /* chosen */
#define TRIM_TICKS    10                  /* chosen */
#define WEB_CLOSING   16                  /* web connections that are being closed */

/* How often time-outs are looked at: once a second, or as often as systemd wants to hear of us; a
 * quarter of its time, so that one omission is not fatal. */
static int tick_ms(bool *watchdog)
{
    uint64_t usec = systemd_watchdog_us();

    *watchdog = usec > 0;
    return *watchdog && usec / 4 < TICK_MS * UINT64_C(1000) ? (int)(usec / 4 / 1000) : TICK_MS;
}

/* Systemd gets no notification while a worker or the evaluating thread hangs. */
static void notify_watchdog(const struct service *service)
{
    uint64_t workers_ns = ingest_oldest_heartbeat_ns(service->ingest);
    uint64_t evaluation_ns = aggregator_heartbeat_ns(service->aggregator);
    uint64_t oldest_ns = workers_ns < evaluation_ns ? workers_ns : evaluation_ns;

    if (clock_monotonic_ns() < oldest_ns + STANDSTILL_NS) {
        systemd_notify("WATCHDOG=1");
    }
}

static void serve_tick(struct service *service, bool watchdog)
{
    if (watchdog) {
        notify_watchdog(service);
    }
    http_server_advance(service->http);
    if (++service->ticks % TRIM_TICKS == 0) {
        (void)malloc_trim(0); /* what is freed in the middle of the heap, too */
    }
    registry_tick(service->registry);
    sandbox_rules_report(service->registry);
    service_renew_security(service);
    block_list_files_check(&service->block_lists, service->aggregator, service->settings);
    http_server_set_ready(service->http, ingest_check_listeners(service->ingest));
    ingest_tick(service->ingest);
}

/* Returns when a signal says that it is time to end. */
static void serve_run(struct service *service)
{
    bool watchdog;
    int interval_ms = tick_ms(&watchdog);
    int wait_ms = 0; /* the first tick is at once: it connects the inputs that are dialled */
    uint64_t next_tick_ns = 0;
    struct pollfd wanted[] = {
        {.fd = service->signals, .events = POLLIN},
        {.fd = ingest_fd(service->ingest), .events = POLLIN},
        {.fd = http_server_reload_fd(service->http), .events = POLLIN},
    };

    for (;;) {
        struct signalfd_siginfo info;

        if (poll(wanted, 3, wait_ms) < 0 && errno != EINTR) {
            return;
        }
        wait_ms = interval_ms;
        if (clock_monotonic_ns() >= next_tick_ns) {
            serve_tick(service, watchdog);
            next_tick_ns = clock_monotonic_ns() + (uint64_t)interval_ms * NS_PER_MS;
        }
        if (wanted[1].revents != 0) {
            ingest_accept(service->ingest);
        }
        if (read(service->signals, &info, sizeof info) == (ssize_t)sizeof info) {
            if (info.ssi_signo != SIGHUP) {
                log_info("shutting down", "signal", strsignal((int)info.ssi_signo), NULL);
                return;
            }
            service_reload(service);
        }
        if (wanted[2].revents != 0) {
            service_reload(service);
        }
    }
}

/* Signals are read from a descriptor; threads started from now on inherit that they are blocked. */
static int open_signals(void)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* then writing fails with EFBIG */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

/* Both limits on connections may be configured beyond the usual 1024 descriptors. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The user that the process will be. */
static uid_t serve_user(const struct settings *settings)
{
    uint32_t user = settings->process.user.number;

    return user != CONFIG_ID_KEEP ? user : geteuid();
}

/* The built-in input has its place where the user may make it. */
static int place_default_input(struct settings *settings, struct text *error)
{
    struct text path = {0};

    if (!settings->has_default_input) {
        return 0;
    }
    int result = default_socket_place(serve_user(settings), &path);
    if (result < 0) {
        text_deinit(&path);
        text_append_format(error,
                           "no place for a socket, neither %s nor elsewhere: %s; use --input.unix",
                           INPUT_DEFAULT_SOCKET, strerror(-result));
        return result;
    }
    if (strcmp(path.data, INPUT_DEFAULT_SOCKET) != 0) {
        log_warn("this user cannot create the default socket; let servers connect to this one",
                 "default", INPUT_DEFAULT_SOCKET, "unix", path.data, NULL);
    }
    result = endpoint_parse_unix(path.data, &settings->inputs[0].endpoint) ? 0 : -ENAMETOOLONG;
    text_deinit(&path);
    return result;
}

static int open_aggregator(struct service *service, struct text *error)
{
    const struct settings *settings = service->settings;
    const struct aggregator_setup setup = {
        .time = SHARD_TIME_LIVE,
        .analysis = {.recordings = {&settings->archive.folder, archive_is_on(&settings->archive)}},
        .shard_count = program_workers(settings),
        .input_count = INPUTS_MAX,
    };

    block_list_files_init(&service->block_lists, settings);
    return program_create_aggregator(&service->aggregator, settings, &setup, error);
}

static int open_registry(struct service *service)
{
    const struct settings *settings = service->settings;
    const char *inputs[INPUTS_MAX];
    const char *outputs[OUTPUTS_MAX];

    for (unsigned i = 0; i < settings->input_count; i++) {
        inputs[i] = settings->inputs[i].name;
        input_gauges_init(&service->inputs[i], &settings->inputs[i].endpoint,
                          settings->inputs[i].sampling);
    }
    for (unsigned i = 0; i < settings->output_count; i++) {
        outputs[i] = settings->outputs[i].name;
    }
    service->input_count = settings->input_count;
    const struct registry_setup setup = {
        .aggregator = service->aggregator,
        .input_names = inputs,
        .input_count = settings->input_count,
        .inputs = service->inputs,
        .output_names = outputs,
        .outputs = service->outputs,
        .output_count = settings->output_count,
        .archive = archive_is_on(&settings->archive) ? &service->archive : NULL,
        .top_max_series = settings->top.max_series,
        .native_schema = (int)settings->exposition.native_schema,
    };
    return registry_create(&service->registry, &setup);
}

/* The server takes the sockets over. */
static int open_http(struct service *service, struct program_sockets *sockets, struct text *error)
{
    const struct settings *settings = service->settings;
    struct web_security *security = NULL;
    struct program_memory memory;
    int result = program_load_web(&security, settings, NULL, error);

    if (result < 0) {
        return result;
    }
    program_memory_of(settings, settings->input_count, &memory);
    service->tls = web_security_has_tls(security);
    service->security = web_security_keep(security);
    const struct http_setup setup = {
        .sockets = sockets->web,
        .socket_count = sockets->web_count,
        .hosts = &settings->web.hosts,
        .connections_max = settings->web.connections_max,
        .page_max = memory.response.page,
        .json_max = memory.response.json,
        .timeout_ns = settings->web.timeout_ns,
        .lifecycle = settings->web.lifecycle,
    };
    sockets->web_count = 0;
    result = http_server_create(&service->http, &setup, service->registry, security, error);
    if (result == 0) {
        service_show_configuration(service);
    }
    return result;
}

/* Sockets and connections of the web server. */
static size_t serve_web_descriptors(const struct settings *settings)
{
    const struct web_settings *web = &settings->web;
    unsigned sockets = web->systemd_socket ? WEB_ADDRESSES_MAX : web->listen_addresses.count;

    return 2 * (size_t)sockets + web->connections_max + WEB_CLOSING;
}

static int open_ingest(struct service *service, const struct program_sockets *sockets,
                       struct text *error)
{
    const struct ingest_setup setup = {
        .inputs = service->settings->inputs,
        .input_count = service->settings->input_count,
        .outputs = service->settings->outputs,
        .output_count = service->settings->output_count,
        .settings = &service->settings->ingest,
        .config_path = service->line->file,
        .other_descriptors = serve_web_descriptors(service->settings),
        .passed = sockets->inputs,
        .aggregator = service->aggregator,
        .gauges = service->inputs,
        .counters = service->outputs,
        .archive = archive_is_on(&service->settings->archive) ? &service->settings->archive : NULL,
        .archive_counters = &service->archive,
    };

    return ingest_create(&service->ingest, &setup, error);
}

static int open_parts(struct service *service, struct program_sockets *sockets, struct text *error)
{
    int result = service->signals = open_signals();

    if (result >= 0) {
        result = open_aggregator(service, error);
    }
    if (result == 0) {
        result = open_registry(service);
    }
    if (result == 0) {
        result = open_http(service, sockets, error);
    }
    if (result == 0) {
        result = aggregator_start(service->aggregator);
    }
    if (result == 0) {
        result = open_ingest(service, sockets, error);
    }
    return result;
}

/* An archive that cannot be written keeps nobody from counting; its thread tries again. */
static void make_archive_folder(const struct settings *settings)
{
    struct text error = {0};

    if (archive_is_on(&settings->archive) && archive_make_folder(&settings->archive, &error) < 0) {
        log_error("the archive's folder cannot be created", "error", text_string(&error), NULL);
    }
    text_deinit(&error);
}

/* What takes privileges is done, and then they are given up, before anything is read that peers or
 * others have written. There is one thread. In any case the caller closes the sockets. */
static int drop_privileges(struct service *service, struct program_sockets *sockets,
                           struct text *error)
{
    struct settings *settings = service->settings;
    int result = user_check(&settings->process.user, error);

    if (result == 0) {
        result = program_open_sockets(sockets, settings, error);
    }
    if (result == 0 && sockets->inputs[0] < 0) {
        result = place_default_input(settings, error);
    }
    if (result == 0) {
        result = user_become(&settings->process.user, error);
    }
    if (result == 0) {
        make_archive_folder(settings);
        result = sandbox_rules_start_service(&service->sandbox, service->line, settings, error);
    }
    return result;
}

static bool is_beyond_loopback(const struct web_settings *web)
{
    bool is_beyond = web->systemd_socket;

    for (unsigned i = 0; i < web->listen_addresses.count; i++) {
        struct endpoint endpoint;
        is_beyond |= !endpoint_parse_tcp(web->listen_addresses.items[i], &endpoint) ||
                     !endpoint_is_loopback(&endpoint);
    }
    return is_beyond;
}

static void serve_announce(const struct service *service)
{
    const struct settings *settings = service->settings;

    log_info("dnstap_exporter starts", "version", BUILD_VERSION, "revision", BUILD_REVISION, NULL);
    for (unsigned i = 0; i < settings->input_count; i++) {
        service_announce_input(&settings->inputs[i]);
    }
    for (unsigned i = 0; i < settings->web.listen_addresses.count && !settings->web.systemd_socket;
         i++) {
        log_info("serving metrics", "address", settings->web.listen_addresses.items[i], "tls",
                 service->tls ? "on" : "off", NULL);
    }
    if (settings->web.systemd_socket) {
        log_info("serving metrics on systemd's sockets", "tls", service->tls ? "on" : "off", NULL);
    }
    if (is_beyond_loopback(&settings->web) &&
        !web_security_authenticates_clients(service->security)) {
        log_warn("pages are served beyond the loopback without authentication: whoever connects "
                 "sees clients and the names that they ask for; see web.config_file",
                 NULL);
    }
}

static void close_service(struct service *service)
{
    ingest_free(service->ingest);
    http_server_free(service->http);
    web_security_release(service->security);
    registry_free(service->registry);
    aggregator_free(service->aggregator);
    if (service->signals >= 0) {
        (void)close(service->signals);
    }
}

/* The sockets are closed, or taken over. */
static int serve(struct service *service, struct program_sockets *sockets, struct text *error)
{
    int result = open_parts(service, sockets, error);

    program_close_sockets(sockets);
    if (result == 0) {
        sandbox_rules_finish_service(service->sandbox, service->registry);
        serve_announce(service);
        http_server_set_ready(service->http, true);
        systemd_notify("READY=1");
        serve_run(service);
        systemd_notify("STOPPING=1");
        http_server_set_ready(service->http, false);
    }
    close_service(service);
    if (result == 0) {
        log_info("dnstap_exporter stopped", NULL);
    }
    return result;
}

int program_serve(const struct command_line *line, struct settings *settings)
{
    struct service service = {.line = line, .settings = settings, .signals = -1};
    struct program_sockets sockets;
    struct text error = {0};

    raise_descriptor_limit();
    int result = drop_privileges(&service, &sockets, &error);
    if (result == 0) {
        result = log_start();
    }
    if (result == 0) {
        result = serve(&service, &sockets, &error);
        log_stop();
    } else {
        program_close_sockets(&sockets);
    }
    sandbox_free(service.sandbox);
    if (result < 0) {
        program_fail(&error, result);
    }
    text_deinit(&error);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
