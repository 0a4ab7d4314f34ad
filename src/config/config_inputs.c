/* SPDX-License-Identifier: Apache-2.0 */
#include "config_inputs_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "config/config_value.h"
#include "config_entry_internal.h"
#include "yaml_print_internal.h"

#define SAMPLING_MAX         1000000 /* chosen */
#define EXPECTED_NEW_PATH    "a path that no other input has"
#define EXPECTED_NEW_ADDRESS "an address that no other input has"

/* Whether one of the inputs so far has this name, path or address. */
static bool is_taken(const struct config *config, const char *name, const char *path,
                     const char *address)
{
    for (unsigned i = 0; i < config->input_count; i++) {
        const struct config_input *other = &config->inputs[i];
        if (config_alike(other->name, name) || config_alike(other->path, path) ||
            config_alike(other->address, address)) {
            return true;
        }
    }
    return false;
}

int config_inputs_add(struct config *config, const char *name, const char *path,
                      const char *address, struct config_input **out)
{
    struct config_input *input = &config->inputs[config->input_count++];

    input->name = strdup(name);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): config_deinit() frees them */
    input->path = path != NULL ? strdup(path) : NULL;
    input->address = address != NULL ? strdup(address) : NULL;
    input->mode = 0660;
    input->sampling = 1;
    input->uid = CONFIG_ID_KEEP;
    input->gid = CONFIG_ID_KEEP;
    if (input->name == NULL || (path && !input->path) || (address && !input->address)) {
        return -ENOMEM;
    }
    *out = input;
    return 0;
}

static int check_path(const struct config_entry *entry, const struct config *config,
                      const char *path)
{
    if (!config_is_socket_path(path)) {
        return config_entry_refuse(entry, "unix", EXPECTED_SOCKET_PATH, path);
    }
    if (is_taken(config, NULL, path, NULL)) {
        return config_entry_refuse(entry, "unix", EXPECTED_NEW_PATH, path);
    }
    return 0;
}

static int check_address(const struct config_entry *entry, const struct config *config,
                         const char *text)
{
    struct address address;

    if (!address_split(text, &address)) {
        return config_entry_refuse(entry, "tcp", EXPECTED_ADDRESS, text);
    }
    if (is_taken(config, NULL, NULL, text)) {
        return config_entry_refuse(entry, "tcp", EXPECTED_NEW_ADDRESS, text);
    }
    return 0;
}

static int check_entry(const struct config_entry *entry, const struct config *config,
                       const struct yaml_input *input)
{
    if (input->name == NULL) {
        return config_entry_report(entry, "", "an input needs a name");
    }
    if (!config_is_name(input->name)) {
        return config_entry_refuse(entry, "name", EXPECTED_NAME, input->name);
    }
    if (is_taken(config, input->name, NULL, NULL)) {
        return config_entry_refuse(entry, "name", "a name that no other input has", input->name);
    }
    if (input->unix_path != NULL && input->tcp != NULL) {
        return config_entry_report(entry, "tcp", "this input has unix already");
    }
    if (input->unix_path != NULL) {
        return check_path(entry, config, input->unix_path);
    }
    if (input->tcp != NULL) {
        return check_address(entry, config, input->tcp);
    }
    return config_entry_report(entry, "", "an input needs one of the keys unix and tcp");
}

static int read_permissions(const struct config_entry *entry, const struct yaml_input *input,
                            struct config_input *out)
{
    bool any = input->mode != NULL || input->owner != NULL || input->group != NULL;

    if (any && input->unix_path == NULL) {
        return config_entry_report(entry, "tcp", "mode, owner and group go with unix only");
    }
    if (input->mode != NULL && !config_parse_mode(input->mode, &out->mode)) {
        return config_entry_refuse(entry, "mode", "permission bits in octal, such as \"0660\"",
                                   input->mode);
    }
    if (input->owner != NULL && !config_parse_user(input->owner, &out->uid)) {
        return config_entry_refuse(entry, "owner", "a user that exists", input->owner);
    }
    if (input->group != NULL && !config_parse_group(input->group, &out->gid)) {
        return config_entry_refuse(entry, "group", "a group that exists", input->group);
    }
    return 0;
}

static int read_sampling(const struct config_entry *entry, const char *text, unsigned *out)
{
    uint64_t number;

    if (text == NULL) {
        return 0;
    }
    if (!config_parse_number(text, &number) || number < 1 || number > SAMPLING_MAX) {
        return config_entry_refuse(entry, "sampling", "a number from 1 (all messages) to 1000000",
                                   text);
    }
    *out = (unsigned)number;
    return 0;
}

int config_inputs_from_file(struct config *config, const struct yaml_file *file, struct text *error)
{
    for (unsigned i = 0; i < file->settings->inputs_count; i++) {
        const struct config_entry entry = {&file->source, "inputs", i, error};
        const struct yaml_input *from = &file->settings->inputs[i];
        struct config_input *input;
        int result = check_entry(&entry, config, from);

        if (result == 0) {
            result = config_inputs_add(config, from->name, from->unix_path, from->tcp, &input);
        }
        if (result == 0) {
            result = read_permissions(&entry, from, input);
        }
        if (result == 0) {
            result = read_sampling(&entry, from->sampling, &input->sampling);
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
    return config_inputs_add(config, name, path, address, &input);
}

int config_inputs_from_flags(struct config *config, const struct config_flags *flags,
                             struct text *error)
{
    struct address parts;
    int result = 0;

    for (unsigned i = 0; i < flags->unix_path_count && result == 0; i++) {
        const char *path = flags->unix_paths[i];
        if (!config_is_socket_path(path)) {
            return config_flag_refuse(error, "--input.unix", EXPECTED_SOCKET_PATH, path);
        }
        if (is_taken(config, NULL, path, NULL)) {
            return config_flag_refuse(error, "--input.unix", EXPECTED_NEW_PATH, path);
        }
        result = add_input_of_flag(config, "unix", i, path, NULL);
    }
    for (unsigned i = 0; i < flags->tcp_address_count && result == 0; i++) {
        const char *address = flags->tcp_addresses[i];
        if (!address_split(address, &parts)) {
            return config_flag_refuse(error, "--input.tcp", EXPECTED_ADDRESS, address);
        }
        if (is_taken(config, NULL, NULL, address)) {
            return config_flag_refuse(error, "--input.tcp", EXPECTED_NEW_ADDRESS, address);
        }
        result = add_input_of_flag(config, "tcp", i, NULL, address);
    }
    return result;
}

static void print_key(const char *key, const char *value, struct text *out)
{
    text_append_format(out, "    %s: ", key);
    yaml_print_string(value, out);
    text_append_char(out, '\n');
}

static void print_id(const char *key, uint32_t id, struct text *out)
{
    if (id != CONFIG_ID_KEEP) {
        text_append_format(out, "    %s: %u\n", key, id);
    }
}

void config_inputs_print(const struct config *config, struct text *out)
{
    text_append_string(out, "inputs:\n");
    for (unsigned i = 0; i < config->input_count; i++) {
        const struct config_input *input = &config->inputs[i];

        text_append_string(out, "  -\n");
        print_key("name", input->name, out);
        print_key(input->path != NULL ? "unix" : "tcp",
                  input->path != NULL ? input->path : input->address, out);
        if (input->path != NULL) {
            text_append_format(out, "    mode: \"%04o\"\n", input->mode);
            print_id("owner", input->uid, out);
            print_id("group", input->gid, out);
        }
        text_append_format(out, "    sampling: %u\n", input->sampling);
    }
}

void config_inputs_free(struct config *config)
{
    for (unsigned i = 0; i < config->input_count; i++) {
        free(config->inputs[i].name);
        free(config->inputs[i].path);
        free(config->inputs[i].address);
    }
    config->input_count = 0;
}
