/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/socket_file.h"
#include "program/sandbox_rules.h"
#include "program/systemd.h"
#include "service_internal.h"

void service_show_configuration(struct service *service)
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

void service_renew_security(struct service *service)
{
    struct web_security *fresh;
    struct text error = {0};

    if (!web_security_is_outdated(service->security)) {
        return;
    }
    int result = program_load_web(&fresh, service->settings, service->sandbox, &error);

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

/* The built-in input stays where it found room. */
static int prepare_inputs(struct service *service, struct settings *fresh, struct text *error)
{
    if (service->settings->has_default_input && fresh->has_default_input) {
        fresh->inputs[0].endpoint = service->settings->inputs[0].endpoint;
    }
    return ingest_prepare_inputs(service->ingest, fresh->inputs, fresh->input_count, error);
}

/* The suffix list comes last: it is in force at once. */
static int load_rest(struct service *service, struct settings *fresh,
                     const struct web_security *security, struct text *error)
{
    int result = check_tls_stays(service, security, fresh, error);

    if (result == 0) {
        result = prepare_inputs(service, fresh, error);
    }
    if (result == 0) {
        result = program_set_suffixes(service->aggregator, fresh, error);
        if (result < 0) {
            ingest_discard_inputs(service->ingest);
        }
    }
    return result;
}

static int load_fresh_web(const struct service *service, const struct settings *fresh,
                          struct web_security **security, struct text *error)
{
    int result = sandbox_rules_check(service->sandbox, fresh, error);

    return result < 0 ? result : program_load_web(security, fresh, service->sandbox, error);
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
    result = load_fresh_web(service, fresh, security, error);
    if (result == 0) {
        result = load_rest(service, fresh, *security, error);
        if (result < 0) {
            web_security_release(*security);
        }
    }
    if (result < 0) {
        config_deinit(&settings_schema, fresh);
    }
    return result;
}

void service_announce_input(const struct input_settings *input)
{
    const char *key = endpoint_key(&input->endpoint);
    char place[ENDPOINT_TEXT_SIZE];
    struct socket_file file = {0};
    char mode[8];

    (void)endpoint_print(&input->endpoint, place);
    if (input->endpoint.is_dialled) {
        log_info("connecting for dnstap", "input", input->name, key, place, NULL);
        return;
    }
    if (input->endpoint.kind == ENDPOINT_TCP) {
        log_info("listening for dnstap", "input", input->name, key, place, "tls",
                 input->endpoint.has_tls ? "on" : "off", NULL);
        return;
    }
    if (socket_file_read(place, &file) < 0) {
        log_info("listening for dnstap", "input", input->name, key, place, NULL);
        return;
    }
    (void)snprintf(mode, sizeof mode, "%04o", file.mode);
    log_info("listening for dnstap", "input", input->name, key, place, "owner", file.owner, "group",
             file.group, "mode", mode, NULL);
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
               shown->endpoint.is_dialled != settings->endpoint.is_dialled ||
               shown->endpoint.has_tls != settings->endpoint.has_tls ||
               shown->sampling != settings->sampling) {
        if (registry_set_input(service->registry, input, settings->name, &settings->endpoint,
                               settings->sampling) < 0) {
            log_error("no memory for the series of an input", "input", settings->name, NULL);
        }
        service_announce_input(settings);
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
    program_memory_of(service->settings, count, &memory);
    http_server_set_page_max(service->http, memory.response.page, memory.response.json);
}

/* Returns 0, or a negative errno and what was wrong in *error. */
static int load_and_adopt(struct service *service, struct text *error)
{
    struct settings fresh;
    struct web_security *security;
    int result = load_fresh(service, &fresh, &security, error);

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
    service_show_configuration(service);
    log_configure((enum log_level)service->settings->log.level,
                  (enum log_format)service->settings->log.format);
    ingest_configure(service->ingest);
    block_list_files_reload(&service->block_lists, service->aggregator, service->settings);
    log_info("configuration reloaded", NULL);
    return 0;
}

/* Who asks for a reload by request after it has begun gets another one. */
void service_reload(struct service *service)
{
    struct text error = {0};

    http_server_begin_reload(service->http);
    systemd_notify("RELOADING=1");
    int result = load_and_adopt(service, &error);
    systemd_notify("READY=1");
    http_server_answer_reload(service->http, result == 0, &error);
    text_deinit(&error);
}
