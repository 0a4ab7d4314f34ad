/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "config/config_value.h"
#include "config_allow_internal.h"
#include "config_inputs_internal.h"

/* --- Settings with one value --- */

struct setting;

/* Reads a value into the member of the configuration; false where it is not what is expected. */
typedef bool (*setting_parser)(const struct setting *setting, const char *value, void *member);

struct setting {
    const char *key;
    size_t yaml_offset; /* of its string in struct yaml_settings */
    size_t offset;      /* of its member in struct config */
    setting_parser parse;
    const char *initial;
    const char *expected;
    uint64_t least, most; /* of numbers, and of durations in nanoseconds */
    bool live;            /* can change while the program runs */
};

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

static bool parse_address(const struct setting *setting, const char *value, void *member)
{
    struct address address;
    char **text = member;

    (void)setting;
    if (!address_split(value, &address)) {
        return false;
    }
    free(*text);
    *text = strdup(value);
    return *text != NULL;
}

static bool parse_switch(const struct setting *setting, const char *value, void *member)
{
    (void)setting;
    return config_parse_switch(value, member);
}

/* An absolute path, or nothing. */
static bool parse_path(const struct setting *setting, const char *value, void *member)
{
    char **text = member;

    (void)setting;
    if (value[0] != '/' && value[0] != '\0') {
        return false;
    }
    free(*text);
    *text = strdup(value);
    return *text != NULL;
}

static bool parse_log_level(const struct setting *setting, const char *value, void *member)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    (void)setting;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) == 0) {
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

#define PLACES(yaml_member, member)                                                                \
    .yaml_offset = offsetof(struct yaml_settings, yaml_member),                                    \
    .offset = offsetof(struct config, member)

#define SWITCH(yaml_member, member)                                                                \
    {                                                                                              \
#yaml_member, PLACES(yaml_member, member), parse_switch, "true", "true or false", 0, 0     \
    }

/* clang-format off */
static const struct setting settings[] = {
    {"workers", PLACES(workers, workers), parse_count, "0",
     "a number from 0 (one for each CPU, at most 4) to 64", 0, 64},
    {"web.listen_address", PLACES(web.listen_address, web_address), parse_address, ":9353",
     "HOST:PORT or :PORT, an IPv6 address in brackets", 0, 0},
    {"web.connections", PLACES(web.connections, web_connections), parse_count, "64",
     "a number from 1 to 10000", 1, 10000},
    {"web.timeout", PLACES(web.timeout, web_timeout_ns), parse_timeout, "10s",
     "a duration from 1s to 1h, such as 10s", NS_PER_SECOND, 3600 * NS_PER_SECOND},
    {"limits.servers", PLACES(limits.servers, servers_max), parse_count, "64",
     "a number from 1 to 1000", 1, 1000},
    {"limits.qtypes", PLACES(limits.qtypes, qtypes_max), parse_count, "32",
     "a number from 0 to 48", 0, 48},
    {"limits.connections", PLACES(limits.connections, connections_max), parse_count, "128",
     "a number from 1 to 10000", 1, 10000, true},
    {"limits.frame_size", PLACES(limits.frame_size, frame_size_max), parse_count, "131072",
     "bytes from 512 to 1048576", 512, 1048576},
    {"limits.handshake_timeout", PLACES(limits.handshake_timeout, handshake_timeout_ns), parse_timeout, "5s",
     "a duration from 1s to 1h, such as 5s", NS_PER_SECOND, 3600 * NS_PER_SECOND, true},
    {"pairing.capacity", PLACES(pairing.capacity, pairing_capacity), parse_count, "65536",
     "a number from 8 to 16777216", 8, 16777216},
    {"pairing.timeout", PLACES(pairing.timeout, pairing_timeout_ns), parse_timeout, "15s",
     "a duration from 1s to 10m, such as 15s", NS_PER_SECOND, 600 * NS_PER_SECOND},
    {"window", PLACES(window, window_ns), parse_timeout, "5m",
     "a duration from 10s to 1h, such as 5m", 10 * NS_PER_SECOND, 3600 * NS_PER_SECOND},
    {"public_suffix_list", PLACES(public_suffix_list, suffix_list), parse_path, CONFIG_DEFAULT_SUFFIX_LIST,
     "an absolute path, or \"\"", 0, 0, true},
    {"top.size", PLACES(top.size, top_size), parse_count, "10",
     "a number from 1 to 1000", 1, 1000},
    {"top.capacity", PLACES(top.capacity, top_capacity), parse_count, "1000",
     "a number from 10 to 40000", 10, 40000},
    SWITCH(top.client_queries, top_lists[0]),
    SWITCH(top.client_nxdomains, top_lists[1]),
    SWITCH(top.client_response_bytes, top_lists[2]),
    SWITCH(top.qname_queries, top_lists[3]),
    SWITCH(top.qname_nxdomains, top_lists[4]),
    SWITCH(top.qname_servfails, top_lists[5]),
    SWITCH(top.domain_queries, top_lists[6]),
    SWITCH(top.domain_nxdomains, top_lists[7]),
    SWITCH(top.domain_servfails, top_lists[8]),
    SWITCH(distinct.clients, distinct_counts[0]),
    SWITCH(distinct.qnames, distinct_counts[1]),
    SWITCH(distinct.nxdomain_qnames, distinct_counts[2]),
    SWITCH(distinct.domains, distinct_counts[3]),
    {"privacy.client_ipv4_prefix", PLACES(privacy.client_ipv4_prefix, client_ipv4_prefix), parse_count, "32",
     "a number from 0 to 32", 0, 32},
    {"privacy.client_ipv6_prefix", PLACES(privacy.client_ipv6_prefix, client_ipv6_prefix), parse_count, "128",
     "a number from 0 to 128", 0, 128},
    {"privacy.client_hash", PLACES(privacy.client_hash, client_hash), parse_switch, "false",
     "true or false", 0, 0},
    SWITCH(detection.nxdomain_burst_client, detectors[0]),
    SWITCH(detection.nxdomain_burst_domain, detectors[1]),
    {"detection.client_names", PLACES(detection.client_names, detection_least_names[0]), parse_count, "30",
     "a number from 5 to 1000000", 5, 1000000},
    {"detection.domain_names", PLACES(detection.domain_names, detection_least_names[1]), parse_count, "300",
     "a number from 5 to 1000000", 5, 1000000},
    {"detection.capacity", PLACES(detection.capacity, detection_capacity), parse_count, "500",
     "a number from 10 to 5000", 10, 5000},
    {"detection.suspects", PLACES(detection.suspects, suspects_max), parse_count, "50",
     "a number from 1 to 1000", 1, 1000},
    {"detection.allow_known", PLACES(detection.allow_known, allow_known), parse_switch, "true",
     "true or false", 0, 0, true},
    {"log.level", PLACES(log.level, log_level), parse_log_level, "info",
     "debug, info, warn or error", 0, 0, true},
    {"log.format", PLACES(log.format, log_format), parse_log_format, "logfmt",
     "logfmt or json", 0, 0, true},
};
/* clang-format on */

#define SETTING_COUNT (sizeof settings / sizeof settings[0])

static bool apply_value(const struct setting *setting, const char *value, struct config *config)
{
    return setting->parse(setting, value, (char *)config + setting->offset);
}

static int apply_defaults(struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!apply_value(&settings[i], settings[i].initial, config)) {
            return -ENOMEM; /* the only way for a default to fail */
        }
    }
    return 0;
}

static int apply_file(const struct yaml_file *file, struct config *config, struct text *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        const char *const *value = (const void *)((const char *)file->settings +
                                                  setting->yaml_offset);
        if (*value != NULL && !apply_value(setting, *value, config)) {
            yaml_file_where(file, setting->key, error);
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
            text_add_format(error, "%s: ", override->flag);
            return config_expected(error, settings[i].expected, override->value);
        }
    }
    return 0;
}

/* --- All together --- */

static int load_file(const struct config_flags *flags, struct config *config, struct text *error)
{
    struct yaml_file file;
    int result = yaml_file_load(&file, flags->file, error);

    if (result < 0) {
        return result;
    }
    bool has_keys = file.settings != NULL;
    if (has_keys) {
        result = apply_file(&file, config, error);
    }
    if (has_keys && result == 0) {
        result = config_inputs_from_file(config, &file, error);
    }
    if (result == 0) {
        result = config_allow_names(config, has_keys ? &file : NULL, error);
    }
    yaml_file_deinit(&file);
    return result;
}

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
    if (result == 0) {
        result = choose_inputs(flags, &loaded, error);
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
    free(config->web_address);
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
            !same_string(x->address, y->address)) {
            return false;
        }
    }
    return true;
}

static bool same_value(const struct setting *setting, const struct config *a,
                       const struct config *b)
{
    const void *x = (const char *)a + setting->offset;
    const void *y = (const char *)b + setting->offset;

    if (setting->parse == parse_address) {
        return same_string(*(const char *const *)x, *(const char *const *)y);
    }
    if (setting->parse == parse_switch) {
        return *(const bool *)x == *(const bool *)y;
    }
    return memcmp(x, y, setting->parse == parse_timeout ? sizeof(uint64_t) : sizeof(unsigned)) == 0;
}

/* What `running` had is freed with `fresh`. */
static void exchange_names(struct config *running, struct config *fresh)
{
    char *suffix_list = running->suffix_list;
    struct config_name *allow = running->allow;

    running->suffix_list = fresh->suffix_list;
    running->allow = fresh->allow;
    running->allow_count = fresh->allow_count;
    running->allow_known = fresh->allow_known;
    fresh->suffix_list = suffix_list;
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
    running->connections_max = fresh->connections_max;
    running->handshake_timeout_ns = fresh->handshake_timeout_ns;
    exchange_names(running, fresh);
    running->log_level = fresh->log_level;
    running->log_format = fresh->log_format;
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
