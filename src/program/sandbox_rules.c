/* SPDX-License-Identifier: Apache-2.0 */
#include "program/sandbox_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/archive_index.h"

/* Libraries that NSS loads when it is asked, character sets, the public suffix list. */
static const char *const folders_of_all[] = {"/usr", "/lib", "/lib64", NULL};

/* Users, groups, hosts and the resolver, all of whose files are replaced; the process itself and
 * its limits; the number of CPUs. */
static const char *const folders_of_service[] = {
    "/etc",      "/proc",        "/sys/fs/cgroup",      "/sys/devices/system/cpu",
    "/dev/null", "/dev/urandom", "/run/systemd/userdb", NULL,
};

static int allow_all(struct sandbox *sandbox, const char *const *paths)
{
    int result = 0;

    for (; *paths != NULL && result == 0; paths++) {
        result = sandbox_allow(sandbox, *paths, SANDBOX_READ);
    }
    return result;
}

/* NULL and "" are no files. */
static int allow_file(struct sandbox *sandbox, const char *path, unsigned access)
{
    return path != NULL && path[0] != '\0' ? sandbox_allow_folder_of(sandbox, path, access) : 0;
}

static int allow_lists(struct sandbox *sandbox, const struct settings *settings)
{
    int result = allow_file(sandbox, settings->suffixes.list, SANDBOX_READ);

    for (unsigned i = 0; i < settings->block_list_count && result == 0; i++) {
        result = allow_file(sandbox, settings->block_lists[i].file, SANDBOX_READ);
    }
    return result;
}

/* --- Of the service --- */

static int allow_web(struct sandbox *sandbox, const struct settings *settings, struct text *error)
{
    struct web_config web = {0};

    if (settings->web.config_file[0] == '\0') {
        return 0;
    }
    int result = web_config_load(&web, settings->web.config_file, error);
    if (result < 0) {
        return result;
    }
    const char *const paths[] = {web.path, web.tls.pem_cert.path, web.tls.pem_key.path,
                                 web.tls.pem_ca.path};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && result == 0; i++) {
        result = allow_file(sandbox, paths[i], SANDBOX_READ);
    }
    web_config_deinit(&web);
    return result;
}

/* The folder of the socket; and the one above it, for a server's RuntimeDirectory=
 * (systemd.exec(5)) is another folder of the same name when the server has been restarted. */
static int allow_socket(struct sandbox *sandbox, const char *path)
{
    char folder[ENDPOINT_PATH_SIZE];
    size_t len = (size_t)(strrchr(path, '/') - path);
    int result = sandbox_allow_folder_of(sandbox, path, SANDBOX_SOCKETS);

    if (result < 0 || len == 0) {
        return result;
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    return sandbox_allow_folder_of(sandbox, folder, SANDBOX_SOCKETS);
}

static int allow_certificates(struct sandbox *sandbox, const struct tls_settings *tls)
{
    int result = allow_file(sandbox, tls->pem_cert.path, SANDBOX_READ);

    if (result == 0) {
        result = allow_file(sandbox, tls->pem_key.path, SANDBOX_READ);
    }
    return result == 0 ? allow_file(sandbox, tls->pem_ca.path, SANDBOX_READ) : result;
}

/* Landlock has no rules for connections to unix sockets. */
static int allow_input(struct sandbox *sandbox, const struct input_settings *input)
{
    const struct endpoint *endpoint = &input->endpoint;
    int result = allow_certificates(sandbox, &input->tls);

    if (result == 0 && endpoint->kind == ENDPOINT_UNIX && !endpoint->is_dialled) {
        result = allow_socket(sandbox, endpoint->path);
    }
    if (endpoint->kind == ENDPOINT_TCP && endpoint->is_dialled) {
        sandbox_allow_port(sandbox, endpoint->port);
    }
    return result;
}

static int allow_inputs(struct sandbox *sandbox, const struct settings *settings)
{
    int result = 0;

    for (unsigned i = 0; i < settings->input_count && result == 0; i++) {
        result = allow_input(sandbox, &settings->inputs[i]);
    }
    return result;
}

static int allow_state(struct sandbox *sandbox, const struct settings *settings)
{
    const struct detector_settings *detector = &settings->detectors.detectors[DETECTOR_new_domain];
    struct text space = {0};
    int result = 0;

    if (detector->enabled) {
        result = allow_file(sandbox, detect_state_file(detector, &space),
                            SANDBOX_READ | SANDBOX_WRITE);
    }
    if (space.failed) {
        result = -ENOMEM;
    }
    text_deinit(&space);
    return result;
}

static int allow_archive(struct sandbox *sandbox, const struct settings *settings)
{
    return archive_is_on(&settings->archive)
               ? sandbox_allow(sandbox, settings->archive.folder, SANDBOX_READ | SANDBOX_WRITE)
               : 0;
}

static int allow_outputs(struct sandbox *sandbox, const struct settings *settings)
{
    int result = 0;

    for (unsigned i = 0; i < settings->output_count && result == 0; i++) {
        if (settings->outputs[i].endpoint.kind == ENDPOINT_TCP) {
            sandbox_allow_port(sandbox, settings->outputs[i].endpoint.port);
        }
        result = allow_certificates(sandbox, &settings->outputs[i].tls);
    }
    return result;
}

static int allow_service(struct sandbox *sandbox, const struct command_line *line,
                         const struct settings *settings, struct text *error)
{
    int result = allow_all(sandbox, folders_of_all);

    if (result == 0) {
        result = allow_all(sandbox, folders_of_service);
    }
    if (result == 0) { /* a link to a file of systemd-resolved's */
        result = sandbox_allow_folder_of(sandbox, "/etc/resolv.conf", SANDBOX_READ);
    }
    if (result == 0) {
        result = allow_file(sandbox, line->file, SANDBOX_READ);
    }
    if (result == 0) {
        result = allow_web(sandbox, settings, error);
    }
    if (result == 0) {
        result = allow_lists(sandbox, settings);
    }
    if (result == 0) {
        result = allow_inputs(sandbox, settings);
    }
    if (result == 0) {
        result = allow_state(sandbox, settings);
    }
    if (result == 0) {
        result = allow_archive(sandbox, settings);
    }
    return result == 0 ? allow_outputs(sandbox, settings) : result;
}

int sandbox_rules_start_service(struct sandbox **out, const struct command_line *line,
                                const struct settings *settings, struct text *error)
{
    struct sandbox *sandbox = NULL;
    int result = settings->process.sandbox ? sandbox_create(&sandbox, SANDBOX_SERVE) : 0;

    if (sandbox != NULL) {
        result = allow_service(sandbox, line, settings, error);
        if (result < 0) {
            sandbox_free(sandbox);
            return result;
        }
        sandbox_restrict_files(sandbox);
    }
    if (result == 0) {
        *out = sandbox;
    }
    return result;
}

static const char *on_or_off(bool is_on)
{
    return is_on ? "on" : "off";
}

/* Ports are Landlock's since Linux 6.7 only: without them nothing is wrong. */
static void log_state(const struct sandbox_state *state)
{
    bool is_whole = state->no_new_privileges && state->files && state->system_calls;
    const struct log_pair pairs[] = {
        {"no_new_privileges", on_or_off(state->no_new_privileges)},
        {"files", on_or_off(state->files)},
        {"network", on_or_off(state->network)},
        {"system_calls", on_or_off(state->system_calls)},
    };

    log_write_pairs(is_whole ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
                    is_whole ? "the sandbox is in force"
                             : "the sandbox is incomplete: the kernel, the container or this "
                               "build lacks a part",
                    pairs, sizeof pairs / sizeof pairs[0]);
}

void sandbox_rules_finish_service(struct sandbox *sandbox, struct registry *registry)
{
    if (sandbox == NULL) {
        return;
    }
    sandbox_restrict_calls(sandbox);
    const struct sandbox_state *state = sandbox_state_of(sandbox);
    const bool active[SANDBOX_PART_COUNT] = {
        [SANDBOX_PART_NO_NEW_PRIVILEGES] = state->no_new_privileges,
        [SANDBOX_PART_FILES] = state->files,
        [SANDBOX_PART_NETWORK] = state->network,
        [SANDBOX_PART_SYSTEM_CALLS] = state->system_calls,
    };
    registry_set_sandbox(registry, active);
    log_state(state);
}

static void log_violations(void)
{
    char call[SANDBOX_CALL_SIZE];

    while (sandbox_next_violation(call)) {
        log_error(
            "the sandbox refused a system call; further refusals of this call are counted only",
            "call", call, NULL);
    }
}

void sandbox_rules_report(struct registry *registry)
{
    registry_set_sandbox_violations(registry, sandbox_violations());
    log_violations();
}

/* --- Of read --- */

/* Beside a dnstap file of an archive. */
static int allow_index(struct sandbox *sandbox, const char *path)
{
    struct text index = {0};

    text_append_format(&index, "%s" ARCHIVE_INDEX_SUFFIX, path);
    int result = index.failed ? -ENOMEM : sandbox_allow(sandbox, index.data, SANDBOX_READ);
    text_deinit(&index);
    return result;
}

static int allow_read(struct sandbox *sandbox, const char *const *paths, size_t count,
                      const struct settings *settings)
{
    int result = allow_all(sandbox, folders_of_all);

    if (result == 0 && settings != NULL) {
        result = allow_lists(sandbox, settings);
    }
    for (size_t i = 0; i < count && result == 0; i++) {
        result = sandbox_allow(sandbox, paths[i], SANDBOX_READ);
        if (result == 0) {
            result = allow_index(sandbox, paths[i]);
        }
    }
    return result;
}

int sandbox_rules_start_read(struct sandbox **out, const char *const *paths, size_t count,
                             const struct settings *settings)
{
    struct sandbox *sandbox = NULL;
    bool is_wanted = settings == NULL || settings->process.sandbox;
    int result = is_wanted ? sandbox_create(&sandbox, SANDBOX_READ_FILES) : 0;

    if (sandbox != NULL) {
        result = allow_read(sandbox, paths, count, settings);
        if (result < 0) {
            sandbox_free(sandbox);
            return result;
        }
        sandbox_restrict_files(sandbox);
        sandbox_restrict_calls(sandbox);
    }
    if (result == 0) {
        *out = sandbox;
    }
    return result;
}

void sandbox_rules_finish_read(struct sandbox *sandbox)
{
    log_violations();
    sandbox_free(sandbox);
}

/* --- Of a reload --- */

static int check_path(const struct sandbox *sandbox, const char *key, const char *path,
                      unsigned access, struct text *error)
{
    if (path == NULL || path[0] == '\0' || sandbox_allows(sandbox, path, access)) {
        return 0;
    }
    text_append_format(
        error,
        "%s: %s is outside the folders of the sandbox, which are those of the start: "
        "the change needs a restart",
        key, path);
    return -EACCES;
}

static int check_pems(const struct sandbox *sandbox, const struct tls_settings *tls,
                      struct text *error)
{
    const struct tls_pem *const pems[] = {&tls->pem_cert, &tls->pem_key, &tls->pem_ca};
    int result = 0;

    for (size_t i = 0; i < sizeof pems / sizeof pems[0] && result == 0; i++) {
        result = check_path(sandbox, pems[i]->key, pems[i]->path, SANDBOX_READ, error);
    }
    return result;
}

static int check_endpoint(const struct sandbox *sandbox, const char *key,
                          const struct endpoint *endpoint, struct text *error)
{
    char place[ENDPOINT_TEXT_SIZE];

    if (endpoint->kind == ENDPOINT_UNIX) {
        return endpoint->is_dialled
                   ? 0
                   : check_path(sandbox, key, endpoint->path, SANDBOX_SOCKETS, error);
    }
    if (!endpoint->is_dialled || sandbox_allows_port(sandbox, endpoint->port)) {
        return 0;
    }
    text_append_format(error,
                       "%s: %s has a port to which the sandbox allows no connections, which are "
                       "those of the start: the change needs a restart",
                       key, endpoint_print(endpoint, place));
    return -EACCES;
}

static int check_input(const struct sandbox *sandbox, const struct input_settings *input,
                       unsigned index, struct text *error)
{
    char key[sizeof "inputs[].connect" + 10]; /* digits of an unsigned */

    (void)snprintf(key, sizeof key, "inputs[%u].%s", index, endpoint_key(&input->endpoint));
    int result = check_endpoint(sandbox, key, &input->endpoint, error);
    return result == 0 ? check_pems(sandbox, &input->tls, error) : result;
}

int sandbox_rules_check(const struct sandbox *sandbox, const struct settings *fresh,
                        struct text *error)
{
    if (sandbox == NULL) {
        return 0;
    }
    int result = check_path(sandbox, "web.config_file", fresh->web.config_file, SANDBOX_READ,
                            error);
    if (result == 0) {
        result = check_path(sandbox, "public_suffix_list", fresh->suffixes.list, SANDBOX_READ,
                            error);
    }
    for (unsigned i = 0; i < fresh->input_count && result == 0; i++) {
        result = check_input(sandbox, &fresh->inputs[i], i, error);
    }
    return result;
}

int sandbox_rules_check_web(const struct sandbox *sandbox, const struct web_config *web,
                            struct text *error)
{
    return sandbox != NULL ? check_pems(sandbox, &web->tls, error) : 0;
}
