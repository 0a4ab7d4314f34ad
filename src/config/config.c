/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/address.h"
#include "base/clock.h"
#include "config/config_value.h"
#include "yaml_file_internal.h"

#define INPUT_NAME_MAX 64

/* --- Settings with one value
 * ---------------------------------------------------------------------- */

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

/* clang-format off */
static const struct setting settings[] = {
    {"workers", PLACES(workers, workers), parse_count, "0",
     "a number from 0 (one for each CPU, at most 4) to 64", 0, 64},
    {"web.listen_address", PLACES(web.listen_address, web_address), parse_address, ":9353",
     "HOST:PORT or :PORT", 0, 0},
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

static int complain(struct text *error, const char *expected, const char *got)
{
    text_add_format(error, "expected %s, got '%s'", expected, got);
    return -EINVAL;
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
            return complain(error, setting->expected, *value);
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
            return complain(error, settings[i].expected, override->value);
        }
    }
    return 0;
}

/* --- Inputs
 * ----------------------------------------------------------------------------------------- */

static bool is_socket_path(const char *path)
{
    return path[0] == '/' && strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

#define EXPECTED_SOCKET_PATH "an absolute path of at most 107 bytes"

/* A label value that also reads well in a log line. */
static bool is_input_name(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= INPUT_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static const struct config_input *find_input(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->input_count; i++) {
        if (strcmp(config->inputs[i].name, name) == 0) {
            return &config->inputs[i];
        }
    }
    return NULL;
}

/* Add an input that has been checked; there is room for it. Strings are copied. */
static int add_input(struct config *config, const char *name, const char *path, const char *address,
                     struct config_input **out)
{
    struct config_input *input = &config->inputs[config->input_count++];

    input->name = strdup(name);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): config_deinit() frees them */
    input->path = path != NULL ? strdup(path) : NULL;
    input->address = address != NULL ? strdup(address) : NULL;
    input->mode = 0660;
    input->uid = CONFIG_ID_KEEP;
    input->gid = CONFIG_ID_KEEP;
    if (input->name == NULL || (path && !input->path) || (address && !input->address)) {
        return -ENOMEM;
    }
    *out = input;
    return 0;
}

/* An entry of the file's inputs under examination, and where to complain. */
struct entry {
    const struct yaml_file *file;
    const struct yaml_input *input;
    unsigned index;
    struct text *error;
};

static void where(const struct entry *entry, const char *member)
{
    char key[64];

    (void)snprintf(key, sizeof key, "inputs[%u]%s%s", entry->index, member[0] ? "." : "", member);
    yaml_file_where(entry->file, key, entry->error);
}

static int refuse(const struct entry *entry, const char *member, const char *expected,
                  const char *got)
{
    where(entry, member);
    return complain(entry->error, expected, got);
}

static int refuse_whole(const struct entry *entry, const char *member, const char *why)
{
    where(entry, member);
    text_add_string(entry->error, why);
    return -EINVAL;
}

static int check_entry(const struct entry *entry, const struct config *config)
{
    const struct yaml_input *input = entry->input;
    struct address address;

    if (input->name == NULL) {
        return refuse_whole(entry, "", "an input needs a name");
    }
    if (!is_input_name(input->name)) {
        return refuse(entry, "name", "1 to 64 letters, digits, '_', '.' and '-'", input->name);
    }
    if (find_input(config, input->name) != NULL) {
        return refuse(entry, "name", "a name that no other input has", input->name);
    }
    if ((input->unix_path != NULL) == (input->tcp != NULL)) {
        return refuse_whole(entry, "", "an input needs one of the keys unix and tcp");
    }
    if (input->unix_path != NULL && !is_socket_path(input->unix_path)) {
        return refuse(entry, "unix", EXPECTED_SOCKET_PATH, input->unix_path);
    }
    if (input->tcp != NULL && !address_split(input->tcp, &address)) {
        return refuse(entry, "tcp", "HOST:PORT or :PORT", input->tcp);
    }
    return 0;
}

static int read_permissions(const struct entry *entry, struct config_input *out)
{
    const struct yaml_input *input = entry->input;
    bool any = input->mode != NULL || input->owner != NULL || input->group != NULL;

    if (any && input->unix_path == NULL) {
        return refuse_whole(entry, "tcp", "mode, owner and group go with unix only");
    }
    if (input->mode != NULL && !config_parse_mode(input->mode, &out->mode)) {
        return refuse(entry, "mode", "permission bits in octal, such as \"0660\"", input->mode);
    }
    if (input->owner != NULL && !config_parse_user(input->owner, &out->uid)) {
        return refuse(entry, "owner", "a user that exists", input->owner);
    }
    if (input->group != NULL && !config_parse_group(input->group, &out->gid)) {
        return refuse(entry, "group", "a group that exists", input->group);
    }
    return 0;
}

static int read_inputs(const struct yaml_file *file, struct config *config, struct text *error)
{
    for (unsigned i = 0; i < file->settings->inputs_count; i++) {
        struct entry entry = {file, &file->settings->inputs[i], i, error};
        struct config_input *input;
        int result = check_entry(&entry, config);

        if (result == 0) {
            result = add_input(config, entry.input->name, entry.input->unix_path, entry.input->tcp,
                               &input);
        }
        if (result == 0) {
            result = read_permissions(&entry, input);
        }
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* The first is called `unix` or `tcp`, the others unix2, unix3 and so on. */
static int add_input_of_flag(struct config *config, const char *kind, unsigned index,
                             const char *path, const char *address)
{
    char name[16];
    struct config_input *input;

    (void)snprintf(name, sizeof name, index == 0 ? "%s" : "%s%u", kind, index + 1);
    return add_input(config, name, path, address, &input);
}

static int read_input_flags(const struct config_flags *flags, struct config *config,
                            struct text *error)
{
    struct address address;
    int result = 0;

    for (unsigned i = 0; i < flags->unix_path_count && result == 0; i++) {
        if (!is_socket_path(flags->unix_paths[i])) {
            text_add_string(error, "--input.unix: ");
            return complain(error, EXPECTED_SOCKET_PATH, flags->unix_paths[i]);
        }
        result = add_input_of_flag(config, "unix", i, flags->unix_paths[i], NULL);
    }
    for (unsigned i = 0; i < flags->tcp_address_count && result == 0; i++) {
        if (!address_split(flags->tcp_addresses[i], &address)) {
            text_add_string(error, "--input.tcp: ");
            return complain(error, "HOST:PORT or :PORT", flags->tcp_addresses[i]);
        }
        result = add_input_of_flag(config, "tcp", i, NULL, flags->tcp_addresses[i]);
    }
    return result;
}

/* --- All together
 * ----------------------------------------------------------------------------------- */

static int load_file(const struct config_flags *flags, struct config *config, struct text *error)
{
    struct yaml_file file;
    int result = yaml_file_load(&file, flags->file, error);

    if (result < 0) {
        return result;
    }
    if (file.settings != NULL) {
        result = apply_file(&file, config, error);
    }
    if (result == 0 && file.settings != NULL) {
        result = read_inputs(&file, config, error);
    }
    yaml_file_deinit(&file);
    return result;
}

static void free_inputs(struct config *config)
{
    for (unsigned i = 0; i < config->input_count; i++) {
        free(config->inputs[i].name);
        free(config->inputs[i].path);
        free(config->inputs[i].address);
    }
    config->input_count = 0;
}

static int choose_inputs(const struct config_flags *flags, struct config *config,
                         struct text *error)
{
    struct config_input *input;

    if (flags->unix_path_count + flags->tcp_address_count > 0) {
        free_inputs(config);
        return read_input_flags(flags, config, error);
    }
    if (config->input_count > 0) {
        return 0;
    }
    config->default_input = true;
    return add_input(config, "unix", CONFIG_DEFAULT_SOCKET, NULL, &input);
}

int config_load(struct config *config, const struct config_flags *flags, struct text *error)
{
    struct config loaded = {0};
    int result = apply_defaults(&loaded);

    if (result == 0 && flags->file != NULL) {
        result = load_file(flags, &loaded, error);
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
    free_inputs(config);
    free(config->web_address);
    *config = (struct config){0};
}

/* --- Changing it while the program runs
 * --------------------------------------------------------------- */

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
    return memcmp(x, y, setting->parse == parse_timeout ? sizeof(uint64_t) : sizeof(unsigned)) == 0;
}

void config_adopt(struct config *running, const struct config *fresh,
                  void (*needs_restart)(const char *key))
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!settings[i].live && !same_value(&settings[i], running, fresh)) {
            needs_restart(settings[i].key);
        }
    }
    running->connections_max = fresh->connections_max;
    running->handshake_timeout_ns = fresh->handshake_timeout_ns;
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
