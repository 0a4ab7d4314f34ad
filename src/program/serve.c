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
#include "base/socket_file.h"
#include "base/log.h"
#include "build_info.h"
#include "http/http_server.h"
#include "ingest/default_socket.h"
#include "ingest/ingest.h"
#include "program/block_list_files.h"
#include "program/program.h"
#include "program/systemd.h"

#define STANDSTILL_NS (5 * NS_PER_SECOND) /* chosen */
#define TICK_MS       1000                /* chosen */
#define TRIM_TICKS    10                  /* chosen */
#define WEB_CLOSING   16                  /* web connections that are being closed */

struct service {
    const struct command_line *line;
    struct settings *settings;
    struct aggregator *aggregator;
    struct block_list_files block_lists;
    struct registry *registry;
    struct input_gauges inputs[INPUTS_MAX];
    unsigned input_count; /* that have been there since the start */
    struct output_counters outputs[OUTPUTS_MAX];
    struct http_server *http;
    struct web_security *security; /* the one in force */
    struct ingest *ingest;
    bool tls; /* the web server speaks it */
    unsigned ticks;
    int signals; /* a signalfd */
};

static void show_configuration(struct service *service)
{
    struct text page = {0};

    config_print(&settings_schema, service->settings, &page);
    http_server_set_configuration(service->http, &page);
}

static void warn_needs_restart(const char *key)
{
    log_warn("this change takes effect after a restart only", "key", key, NULL);
}

/* Listening sockets cannot change what they speak. */
static int check_tls_stays(const struct service *service, const struct web_security *security,
                           const struct settings *fresh, struct text *error)
{
    bool tls = web_security_has_tls(security);

    if (tls == service->tls) {
        return 0;
    }
    text_append_format(error, "%s: turning TLS %s takes a restart",
                       fresh->web.config_file[0] != '\0' ? fresh->web.config_file
                                                         : "web.config_file",
                       tls ? "on" : "off");
    return -EINVAL;
}

static void use_security(struct service *service, struct web_security *security)
{
    web_security_release(service->security);
    service->security = web_security_keep(security);
    http_server_set_security(service->http, security);
}

/* A certificate is renewed without a signal. */
static void renew_security(struct service *service)
{
    struct web_security *fresh;
    struct text error = {0};
    int result = program_load_web(&fresh, service->settings, &error);

    if (result == 0) {
        result = check_tls_stays(service, fresh, service->settings, &error);
        if (result < 0) {
            web_security_release(fresh);
        }
    }
    if (result == 0) {
        use_security(service, fresh);
        log_info("web configuration and certificate loaded again, a file of them has changed",
                 NULL);
    } else {
        log_error("a file of the web configuration has changed and cannot be used; what was loaded "
                  "before stays in force",
                  "error", error.len > 0 ? text_string(&error) : strerror(-result), NULL);
    }
    text_deinit(&error);
}

/* All files are read before anything is taken over: what cannot be read changes nothing. */
static int load_fresh(struct service *service, struct settings *fresh,
                      struct web_security **security, struct text *error)
{
    int result = config_load(&settings_schema, service->line->file, service->line->overrides,
                             service->line->override_count, fresh, error);

    if (result < 0) {
        return result;
    }
    result = program_load_web(security, fresh, error);
    if (result == 0) {
        result = check_tls_stays(service, *security, fresh, error);
        if (result == 0) {
            result = program_set_suffixes(service->aggregator, fresh, error);
        }
        if (result < 0) {
            web_security_release(*security);
        }
    }
    if (result < 0) {
        config_deinit(&settings_schema, fresh);
    }
    return result;
}

static void announce_input(const struct input_settings *input)
{
    const char *kind = endpoint_kind_name(input->endpoint.kind);
    char place[ENDPOINT_TEXT_SIZE];
    struct socket_file file = {0};
    char mode[8];

    (void)endpoint_print(&input->endpoint, place);
    if (input->endpoint.kind != ENDPOINT_UNIX || socket_file_read(place, &file) < 0) {
        log_info("listening for dnstap", "input", input->name, kind, place, NULL);
        return;
    }
    (void)snprintf(mode, sizeof mode, "%04o", file.mode);
    log_info("listening for dnstap", "input", input->name, kind, place, "owner", file.owner,
             "group", file.group, "mode", mode, NULL);
}

/* The built-in input stays where it found room. */
static int prepare_inputs(struct service *service, struct settings *fresh, struct text *error)
{
    if (service->settings->has_default_input && fresh->has_default_input) {
        fresh->inputs[0].endpoint = service->settings->inputs[0].endpoint;
    }
    return ingest_prepare_inputs(service->ingest, fresh->inputs, fresh->input_count, error);
}

/* What has changed of an input, as the pages and the log have it. */
static void show_input(struct service *service, unsigned input)
{
    const struct input_place *place = &ingest_inputs(service->ingest)->places[input];
    const struct input_settings *settings = &place->settings;
    const struct input_gauges *shown = &service->inputs[input];
    bool is_new = input >= service->input_count || shown->is_removed;

    if (!place->in_use) {
        if (!is_new) {
            registry_remove_input(service->registry, input);
            log_info("input removed", "input", settings->name, NULL);
        }
    } else if (is_new || !endpoint_equal(&shown->endpoint, &settings->endpoint) ||
               shown->sampling != settings->sampling) {
        if (registry_set_input(service->registry, input, settings->name, &settings->endpoint,
                               settings->sampling) < 0) {
            log_error("no memory for the series of an input", "input", settings->name, NULL);
        }
        announce_input(settings);
    }
}

static void show_inputs(struct service *service)
{
    unsigned count = ingest_inputs(service->ingest)->count;
    struct program_memory memory;

    for (unsigned i = 0; i < count; i++) {
        show_input(service, i);
    }
    service->input_count = count;
    program_memory_of(service->settings, &memory);
    http_server_set_page_max(service->http, memory.response.page, memory.response.json);
}

/* Returns 0, or a negative errno and what was wrong in *error. */
static int load_and_adopt(struct service *service, struct text *error)
{
    struct settings fresh;
    struct web_security *security;
    int result = load_fresh(service, &fresh, &security, error);

    if (result == 0) {
        result = prepare_inputs(service, &fresh, error);
        if (result < 0) {
            web_security_release(security);
            config_deinit(&settings_schema, &fresh);
        }
    }
    registry_note_reload(service->registry, result == 0);
    if (result < 0) {
        if (error->len == 0) {
            text_append_string(error, strerror(-result));
        }
        log_error("configuration not reloaded, the old one stays in force", "error",
                  text_string(error), NULL);
        return result;
    }
    ingest_adopt_inputs(service->ingest);
    config_adopt(&settings_schema, service->settings, &fresh, warn_needs_restart);
    service->settings->has_default_input = fresh.has_default_input;
    show_inputs(service);
    config_deinit(&settings_schema, &fresh);
    use_security(service, security);
    if (http_server_set_hosts(service->http, &service->settings->web.hosts) < 0) {
        log_error("no memory for web.hosts, the names before stay in force", NULL);
    }
    show_configuration(service);
    log_configure((enum log_level)service->settings->log.level,
                  (enum log_format)service->settings->log.format);
    ingest_configure(service->ingest);
    block_list_files_reload(&service->block_lists, service->aggregator, service->settings);
    log_info("configuration reloaded", NULL);
    return 0;
}

/* Who asks for a reload by request after it has begun gets another one. */
static void reload(struct service *service)
{
    struct text error = {0};

    http_server_begin_reload(service->http);
    systemd_notify("RELOADING=1");
    int result = load_and_adopt(service, &error);
    systemd_notify("READY=1");
    http_server_answer_reload(service->http, result == 0, &error);
    text_deinit(&error);
}

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
    if (web_security_is_outdated(service->security)) {
        renew_security(service);
    }
    block_list_files_check(&service->block_lists, service->aggregator, service->settings);
    http_server_set_ready(service->http, ingest_check_listeners(service->ingest));
}

/* Returns when a signal says that it is time to end. */
static void serve_run(struct service *service)
{
    bool watchdog;
    int interval_ms = tick_ms(&watchdog);
    uint64_t next_tick_ns = 0;
    struct pollfd wanted[] = {
        {.fd = service->signals, .events = POLLIN},
        {.fd = ingest_fd(service->ingest), .events = POLLIN},
        {.fd = http_server_reload_fd(service->http), .events = POLLIN},
    };

    for (;;) {
        struct signalfd_siginfo info;

        if (poll(wanted, 3, interval_ms) < 0 && errno != EINTR) {
            return;
        }
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
            reload(service);
        }
        if (wanted[2].revents != 0) {
            reload(service);
        }
    }
}

/* Signals are read from a descriptor; threads started from now on inherit that they are blocked. */
static int open_signals(void)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
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

/* The built-in input has its place where this user may make it. */
static int place_default_input(struct settings *settings, struct text *error)
{
    struct text path = {0};

    if (!settings->has_default_input) {
        return 0;
    }
    int result = default_socket_place(&path);
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
    int result = program_load_web(&security, settings, error);

    if (result < 0) {
        return result;
    }
    program_memory_of(settings, &memory);
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
        show_configuration(service);
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
        .other_descriptors = serve_web_descriptors(service->settings),
        .passed = sockets->inputs,
        .aggregator = service->aggregator,
        .gauges = service->inputs,
        .counters = service->outputs,
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

static int open_service(struct service *service, struct text *error)
{
    struct program_sockets sockets;
    int result = program_open_sockets(&sockets, service->settings, error);

    if (result == 0 && sockets.inputs[0] < 0) {
        result = place_default_input(service->settings, error);
    }
    if (result == 0) {
        result = open_parts(service, &sockets, error);
    }
    program_close_sockets(&sockets);
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
        announce_input(&settings->inputs[i]);
    }
    for (unsigned i = 0; i < settings->web.listen_addresses.count && !settings->web.systemd_socket;
         i++) {
        log_info("serving metrics", "address", settings->web.listen_addresses.items[i], "tls",
                 service->tls ? "on" : "off", NULL);
    }
    if (settings->web.systemd_socket) {
        log_info("serving metrics on systemd's sockets", "tls", service->tls ? "on" : "off", NULL);
    }
    if (is_beyond_loopback(&settings->web) && !web_security_asks_for_proof(service->security)) {
        log_warn("everybody who can connect may read which clients ask for which names; "
                 "web.config_file has passwords and client certificates",
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

static int serve(struct service *service, struct text *error)
{
    int result = open_service(service, error);

    if (result == 0) {
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
    struct text error = {0};

    raise_descriptor_limit();
    int result = log_start();
    if (result == 0) {
        result = serve(&service, &error);
        log_stop();
    }
    if (result < 0) {
        program_fail(&error, result);
    }
    text_deinit(&error);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
