/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/config_value.h"
#include "config_allow_internal.h"
#include "config_entry_internal.h"
#include "config_inputs_internal.h"
#include "config_outputs_internal.h"
#include "config_selection_internal.h"
#include "config_web_internal.h"
#include "yaml_print_internal.h"

/* --- Settings with one value --- */

struct setting;

struct kind {
    /* Reads a value into the member of the configuration; false where it is not what is expected.
     */
    bool (*parse)(const struct setting *setting, const char *value, void *member);
    /* Adds the member as it would be read. */
    void (*print)(const void *member, struct text *out);
};

struct setting {
    const char *key;
    size_t yaml_offset; /* of its string in struct yaml_settings */
    size_t offset;      /* of its member in struct config */
    const struct kind *kind;
    const char *initial;
    const char *expected;
    uint64_t least, most; /* of numbers, and of durations in nanoseconds */
    bool live;            /* can change while the program runs */
};

const char *const config_detector_names[CONFIG_DETECTORS] = {
#define DETECTOR_NAME(name, min_names) #name,
    CONFIG_DETECTOR_LIST(DETECTOR_NAME)};

static bool parse_count(const struct setting *setting, const char *value, void *member)
{
    uint64_t number;

    if (!config_parse_number(value, &number) || number < setting->least || number > setting->most) {
        return false;
    }
    *(unsigned *)member = (unsigned)number;
    return true;
}

static bool parse_timeout(const struct setting *setting, const char *value, void *member)
{
    uint64_t ns;

    if (!config_parse_duration(value, &ns) || ns < setting->least || ns > setting->most) {
        return false;
    }
    *(uint64_t *)member = ns;
    return true;
}

static bool parse_switch(const struct setting *setting, const char *value, void *member)
{
    (void)setting;
    return config_parse_switch(value, member);
}

static bool config_set_string(char **member, const char *value)
{
    free(*member);
    *member = strdup(value);
    return *member != NULL;
}

/* An absolute path, or nothing. */
static bool parse_path(const struct setting *setting, const char *value, void *member)
{
    (void)setting;
    return (value[0] == '/' || value[0] == '\0') && config_set_string(member, value);
}

/* A path from where the program was started, as command lines have it, or nothing. */
static bool parse_any_path(const struct setting *setting, const char *value, void *member)
{
    (void)setting;
    return config_set_string(member, value);
}

static const char *const log_levels[] = {"debug", "info", "warn", "error"};

#define LOG_LEVELS (sizeof log_levels / sizeof log_levels[0])

static bool parse_log_level(const struct setting *setting, const char *value, void *member)
{
    (void)setting;
    for (unsigned i = 0; i < LOG_LEVELS; i++) {
        if (strcmp(value, log_levels[i]) == 0) {
            *(enum log_level *)member = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static bool parse_log_format(const struct setting *setting, const char *value, void *member)
{
    bool json = strcmp(value, "json") == 0;

    (void)setting;
    if (!json && strcmp(value, "logfmt") != 0) {
        return false;
    }
    *(enum log_format *)member = json ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT;
    return true;
}

static void print_count(const void *member, struct text *out)
{
    text_append_u64(out, *(const unsigned *)member);
}

static void print_timeout(const void *member, struct text *out)
{
    config_print_duration(*(const uint64_t *)member, out);
}

static void print_switch(const void *member, struct text *out)
{
    text_append_string(out, *(const bool *)member ? "true" : "false");
}

static void print_path(const void *member, struct text *out)
{
    yaml_print_string(*(const char *const *)member, out);
}

static void print_log_level(const void *member, struct text *out)
{
    text_append_string(out, log_levels[*(const enum log_level *)member]);
}

static void print_log_format(const void *member, struct text *out)
{
    bool json = *(const enum log_format *)member == LOG_FORMAT_JSON;

    text_append_string(out, json ? "json" : "logfmt");
}

static const struct kind count_kind = {parse_count, print_count};
static const struct kind timeout_kind = {parse_timeout, print_timeout};
static const struct kind switch_kind = {parse_switch, print_switch};
static const struct kind path_kind = {parse_path, print_path};
static const struct kind any_path_kind = {parse_any_path, print_path};
static const struct kind log_level_kind = {parse_log_level, print_log_level};
static const struct kind log_format_kind = {parse_log_format, print_log_format};

#define PLACES(yaml_member, member)                                                                \
    .yaml_offset = offsetof(struct yaml_settings, yaml_member),                                    \
    .offset = offsetof(struct config, member)

#define SWITCH(yaml_member, member)                                                                \
    {                                                                                              \
#yaml_member, PLACES(yaml_member, member), &switch_kind, "true", "true or false", 0, 0     \
    }

/* clang-format off */
static const struct setting settings[] = {
    {"workers", PLACES(workers, workers), &count_kind, "0",
     "a number from 0 (one for each CPU, at most 2) to 64", 0, 64},
    {"web.connections", PLACES(web.connections, web_connections), &count_kind, "64",
     "a number from 1 to 10000", 1, 10000},
    {"web.timeout", PLACES(web.timeout, web_timeout_ns), &timeout_kind, "10s",
     "a duration from 1s to 1h, such as 10s", NS_PER_SECOND, 3600 * NS_PER_SECOND},
    {"web.config_file", PLACES(web.config_file, web_config_file), &any_path_kind, "",
     "a path, or \"\"", 0, 0, true},
    {"web.enable_lifecycle", PLACES(web.enable_lifecycle, web_lifecycle), &switch_kind, "false",
     "true or false", 0, 0},
    {"web.systemd_socket", PLACES(web.systemd_socket, web_systemd_socket), &switch_kind, "false",
     "true or false", 0, 0},
    {"limits.servers", PLACES(limits.servers, servers_max), &count_kind, "64",
     "a number from 1 to 1000", 1, 1000},
    {"limits.series", PLACES(limits.series, series_max), &count_kind, "64",
     "a number from 1 to 7000", 1, 7000},
    {"limits.server_expiry", PLACES(limits.server_expiry, server_expiry_ns), &timeout_kind, "1h",
     "a duration from 5m to 30d, such as 1h", 300 * NS_PER_SECOND, 720 * (3600 * NS_PER_SECOND)},
    {"limits.unassigned_qtypes", PLACES(limits.unassigned_qtypes, unassigned_qtypes_max), &count_kind, "32",
     "a number from 0 to 48", 0, 48},
    {"limits.connections", PLACES(limits.connections, connections_max), &count_kind, "128",
     "a number from 1 to 10000", 1, 10000, true},
    {"limits.frame_size", PLACES(limits.frame_size, frame_size_max), &count_kind, "131072",
     "bytes from 512 to 1048576", 512, 1048576},
    {"limits.handshake_timeout", PLACES(limits.handshake_timeout, handshake_timeout_ns), &timeout_kind, "5s",
     "a duration from 1s to 1h, such as 5s", NS_PER_SECOND, 3600 * NS_PER_SECOND, true},
    {"matching.capacity", PLACES(matching.capacity, matching_capacity), &count_kind, "65536",
     "a number from 8 to 16777216", 8, 16777216},
    {"matching.timeout", PLACES(matching.timeout, matching_timeout_ns), &timeout_kind, "15s",
     "a duration from 1s to 10m, such as 15s", NS_PER_SECOND, 600 * NS_PER_SECOND},
    {"native_histogram_schema", PLACES(native_histogram_schema, native_schema), &count_kind, "3",
     "a number from 0 to 3", 0, 3},
    {"window", PLACES(window, window_ns), &timeout_kind, "5m",
     "a duration from 10s to 1h, such as 5m", 10 * NS_PER_SECOND, 3600 * NS_PER_SECOND},
    {"public_suffix_list", PLACES(public_suffix_list, suffix_list), &path_kind, CONFIG_DEFAULT_SUFFIX_LIST,
     "an absolute path, or \"\"", 0, 0, true},
    {"top.max_series", PLACES(top.max_series, top_max_series), &count_kind, "10",
     "a number from 1 to 1000", 1, 1000},
    {"top.capacity", PLACES(top.capacity, top_capacity), &count_kind, "1000",
     "a number from 10 to 40000", 10, 40000},
    {"privacy.client_ipv4_prefix", PLACES(privacy.client_ipv4_prefix, client_ipv4_prefix), &count_kind, "32",
     "a number from 0 to 32", 0, 32},
    {"privacy.client_ipv6_prefix", PLACES(privacy.client_ipv6_prefix, client_ipv6_prefix), &count_kind, "128",
     "a number from 0 to 128", 0, 128},
    {"privacy.client_hash", PLACES(privacy.client_hash, client_hash), &switch_kind, "false",
     "true or false", 0, 0},
#define DETECTOR_SETTINGS(name, initial) \
    SWITCH(detection.name.enabled, detectors[CONFIG_DETECTOR_##name]), \
    {"detection." #name ".min_names", \
     PLACES(detection.name.min_names, detection_min_names[CONFIG_DETECTOR_##name]), &count_kind, initial, \
     "a number from 5 to 1000000", 5, 1000000},
    CONFIG_DETECTOR_LIST(DETECTOR_SETTINGS)
    {"detection.capacity", PLACES(detection.capacity, detection_capacity), &count_kind, "500",
     "a number from 10 to 5000", 10, 5000},
    {"detection.max_series", PLACES(detection.max_series, detection_max_series), &count_kind, "50",
     "a number from 1 to 1000", 1, 1000},
    {"detection.allow_known", PLACES(detection.allow_known, allow_known), &switch_kind, "true",
     "true or false", 0, 0, true},
    {"log.level", PLACES(log.level, log_level), &log_level_kind, "info",
     "debug, info, warn or error", 0, 0, true},
    {"log.format", PLACES(log.format, log_format), &log_format_kind, "logfmt",
     "logfmt or json", 0, 0, true},
};
/* clang-format on */

#define SETTING_COUNT (sizeof settings / sizeof settings[0])

static bool apply_value(const struct setting *setting, const char *value, struct config *config)
{
    return setting->kind->parse(setting, value, (char *)config + setting->offset);
}

static int apply_defaults(struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!apply_value(&settings[i], settings[i].initial, config)) {
            return -ENOMEM; /* the only way for a default to fail */
        }
    }
    config_selection_all(config);
    return 0;
}

static int apply_file(const struct yaml_file *file, struct config *config, struct text *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        const char *const *value = (const void *)((const char *)file->settings +
                                                  setting->yaml_offset);
        if (*value != NULL && !apply_value(setting, *value, config)) {
            yaml_source_where(&file->source, setting->key, error);
            return config_expected(error, setting->expected, *value);
        }
    }
    return 0;
}

static int apply_override(const struct config_override *override, struct config *config,
                          struct text *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].key, override->key) == 0 &&
            !apply_value(&settings[i], override->value, config)) {
            return config_flag_refuse(error, override->flag, settings[i].expected, override->value);
        }
    }
    return 0;
}

/* --- All together --- */

static int choose_inputs(const struct config_flags *flags, struct config *config,
                         struct text *error)
{
    struct config_input *input;

    if (flags->unix_path_count + flags->tcp_address_count > 0) {
        config_inputs_free(config);
        return config_inputs_from_flags(config, flags, error);
    }
    if (config->input_count > 0) {
        return 0;
    }
    config->default_input = true;
    return config_inputs_add(config, "unix", CONFIG_DEFAULT_SOCKET, NULL, &input);
}

/* Outputs name inputs, those of the command line too. */
static int apply_keys(const struct config_flags *flags, const struct yaml_file *file,
                      struct config *config, struct text *error)
{
    int result = apply_file(file, config, error);

    if (result == 0) {
        result = config_selection_from_file(config, file, error);
    }
    if (result == 0) {
        result = config_inputs_from_file(config, file, error);
    }
    if (result == 0) {
        result = choose_inputs(flags, config, error);
    }
    if (result == 0) {
        result = config_outputs_from_file(config, file, error);
    }
    return result == 0 ? config_web_from_file(config, file, error) : result;
}

static int load_file(const struct config_flags *flags, struct config *config, struct text *error)
{
    struct yaml_file file;
    int result = yaml_file_load(&file, flags->file, error);

    if (result < 0) {
        return result;
    }
    bool has_keys = file.settings != NULL;
    if (has_keys) {
        result = apply_keys(flags, &file, config, error);
    }
    if (result == 0) {
        result = config_allow_names(config, has_keys ? &file : NULL, error);
    }
    yaml_file_deinit(&file);
    return result;
}

int config_load(struct config *config, const struct config_flags *flags, struct text *error)
{
    struct config loaded = {0};
    int result = apply_defaults(&loaded);

    if (result == 0) {
        result = flags->file != NULL ? load_file(flags, &loaded, error)
                                     : config_allow_names(&loaded, NULL, error);
    }
    for (unsigned i = 0; i < flags->override_count && result == 0; i++) {
        result = apply_override(&flags->overrides[i], &loaded, error);
    }
    if (result == 0 && loaded.input_count == 0) {
        result = choose_inputs(flags, &loaded, error);
    }
    if (result == 0) {
        result = config_web_choose(&loaded, flags, error);
    }
    if (result < 0) {
        config_deinit(&loaded);
        return result;
    }
    *config = loaded;
    return 0;
}

void config_deinit(struct config *config)
{
    config_inputs_free(config);
    config_outputs_free(config);
    config_web_free(config);
    free(config->web_config_file);
    free(config->suffix_list);
    free(config->allow);
    *config = (struct config){0};
}

/* --- Changing it while the program runs --- */

static bool same_string(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_listeners(const struct config *a, const struct config *b)
{
    if (a->default_input && b->default_input) {
        return true; /* wherever the built-in one found its place */
    }
    if (a->input_count != b->input_count) {
        return false;
    }
    for (unsigned i = 0; i < a->input_count; i++) {
        const struct config_input *x = &a->inputs[i];
        const struct config_input *y = &b->inputs[i];
        if (!same_string(x->name, y->name) || !same_string(x->path, y->path) ||
            !same_string(x->address, y->address) || x->sampling != y->sampling) {
            return false;
        }
    }
    return true;
}

/* What is printed alike is the same; frees both. */
static bool same_printed(struct text *a, struct text *b)
{
    bool same = same_string(a->data, b->data);

    text_deinit(a);
    text_deinit(b);
    return same;
}

static bool same_list(const struct config *a, const struct config *b,
                      void (*print)(const struct config *config, struct text *out))
{
    struct text x = {0};
    struct text y = {0};

    print(a, &x);
    print(b, &y);
    return same_printed(&x, &y);
}

static bool same_value(const struct setting *setting, const struct config *a,
                       const struct config *b)
{
    struct text x = {0};
    struct text y = {0};

    setting->kind->print((const char *)a + setting->offset, &x);
    setting->kind->print((const char *)b + setting->offset, &y);
    return same_printed(&x, &y);
}

/* What `running` had is freed with `fresh`. */
static void exchange_strings(struct config *running, struct config *fresh)
{
    char *suffix_list = running->suffix_list;
    char *web_config_file = running->web_config_file;
    struct config_name *allow = running->allow;

    running->suffix_list = fresh->suffix_list;
    running->web_config_file = fresh->web_config_file;
    running->allow = fresh->allow;
    running->allow_count = fresh->allow_count;
    running->allow_known = fresh->allow_known;
    fresh->suffix_list = suffix_list;
    fresh->web_config_file = web_config_file;
    fresh->allow = allow;
}

void config_adopt(struct config *running, struct config *fresh,
                  void (*needs_restart)(const char *key))
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!settings[i].live && !same_value(&settings[i], running, fresh)) {
            needs_restart(settings[i].key);
        }
    }
    config_selection_compare(running, fresh, needs_restart);
    running->connections_max = fresh->connections_max;
    running->handshake_timeout_ns = fresh->handshake_timeout_ns;
    exchange_strings(running, fresh);
    running->log_level = fresh->log_level;
    running->log_format = fresh->log_format;
    if (!same_list(running, fresh, config_web_print)) {
        needs_restart("web.listen_addresses");
    }
    if (!same_list(running, fresh, config_outputs_print)) {
        needs_restart("outputs");
    }
    if (!same_listeners(running, fresh)) {
        needs_restart("inputs");
        return;
    }
    for (unsigned i = 0; i < running->input_count; i++) {
        running->inputs[i].mode = fresh->inputs[i].mode;
        running->inputs[i].uid = fresh->inputs[i].uid;
        running->inputs[i].gid = fresh->inputs[i].gid;
    }
}

/* --- Printing it --- */

static void print_indented(unsigned level, struct text *out)
{
    for (unsigned i = 0; i < level; i++) {
        text_append_string(out, "  ");
    }
}

/* The sections of `key` that the key before it is not in. Returns its last part, and its level. */
static const char *print_sections(const char *key, const char *before, unsigned *level,
                                  struct text *out)
{
    const char *part = key;

    *level = 0;
    for (const char *dot; (dot = strchr(part, '.')) != NULL; part = dot + 1) {
        if (strncmp(key, before, (size_t)(dot + 1 - key)) != 0) {
            print_indented(*level, out);
            text_append_bytes(out, (struct bytes){(const uint8_t *)part, (size_t)(dot - part)});
            text_append_string(out, ":\n");
        }
        ++*level;
    }
    return part;
}

void config_print(const struct config *config, struct text *out)
{
    const char *before = "";
    unsigned level;

    config_inputs_print(config, out);
    config_outputs_print(config, out);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];

        const char *part = print_sections(setting->key, before, &level, out);
        if (strcmp(setting->key, "web.connections") == 0) {
            config_web_print(config, out);
        }
        print_indented(level, out);
        text_append_format(out, "%s: ", part);
        setting->kind->print((const char *)config + setting->offset, out);
        text_append_char(out, '\n');
        before = setting->key;
        if (strcmp(setting->key, "top.capacity") == 0) {
            config_selection_print(config, "top", out);
            text_append_string(out, "distinct:\n");
            config_selection_print(config, "distinct", out);
        }
        if (strcmp(setting->key, "detection.allow_known") == 0) {
            config_allow_print(config, out);
        }
    }
}
