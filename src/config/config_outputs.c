/* SPDX-License-Identifier: Apache-2.0 */
#include "config_outputs_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "config/config_value.h"
#include "config_entry_internal.h"
#include "yaml_print_internal.h"

#define QUEUE_DEFAULT (4U << 20) /* bytes; chosen: some 40,000 frames of 100 bytes */
#define QUEUE_MIN     (2U << 20) /* more than limits.frame_size can be */
#define QUEUE_MAX     (1U << 30) /* bytes; chosen */
/* A name would be looked up, perhaps by the very server that is watched. */
#define EXPECTED_RECEIVER "ADDRESS:PORT without a name, an IPv6 address in brackets"
#define EXPECTED_QUEUE    "bytes from 2097152 to 1073741824"

static bool is_name_taken(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->output_count; i++) {
        if (strcmp(config->outputs[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What goes out would come in again. */
static bool is_own_input(const struct config *config, const struct yaml_output *output)
{
    for (unsigned i = 0; i < config->input_count; i++) {
        const struct config_input *input = &config->inputs[i];
        if (config_alike(input->path, output->unix_path) ||
            config_alike(input->address, output->tcp)) {
            return true;
        }
    }
    return false;
}

static int check_place(const struct config_entry *entry, const struct config *config,
                       const struct yaml_output *output)
{
    struct address address;

    if (output->unix_path != NULL && output->tcp != NULL) {
        return config_entry_report(entry, "tcp", "this output has unix already");
    }
    if (output->unix_path == NULL && output->tcp == NULL) {
        return config_entry_report(entry, "", "an output needs one of the keys unix and tcp");
    }
    if (output->unix_path != NULL && !config_is_socket_path(output->unix_path)) {
        return config_entry_refuse(entry, "unix", EXPECTED_SOCKET_PATH, output->unix_path);
    }
    if (output->tcp != NULL &&
        (!address_split(output->tcp, &address) || !address_is_numeric(&address))) {
        return config_entry_refuse(entry, "tcp", EXPECTED_RECEIVER, output->tcp);
    }
    if (is_own_input(config, output)) {
        return config_entry_report(entry, output->tcp != NULL ? "tcp" : "unix",
                                   "this is an input of this exporter");
    }
    return 0;
}

static int check_name(const struct config_entry *entry, const struct config *config,
                      const struct yaml_output *output)
{
    if (output->name == NULL) {
        return config_entry_report(entry, "", "an output needs a name");
    }
    if (!config_is_name(output->name)) {
        return config_entry_refuse(entry, "name", EXPECTED_NAME, output->name);
    }
    if (is_name_taken(config, output->name)) {
        return config_entry_refuse(entry, "name", "a name that no other output has", output->name);
    }
    return 0;
}

static int read_queue(const struct config_entry *entry, const char *value, unsigned *queue)
{
    uint64_t bytes = QUEUE_DEFAULT;

    if (value != NULL &&
        (!config_parse_number(value, &bytes) || bytes < QUEUE_MIN || bytes > QUEUE_MAX)) {
        return config_entry_refuse(entry, "queue", EXPECTED_QUEUE, value);
    }
    *queue = (unsigned)bytes;
    return 0;
}

/* All of them where none is named. */
static int read_inputs(const struct config_entry *entry, const struct config *config,
                       const struct yaml_output *output, uint64_t *inputs)
{
    *inputs = output->inputs_count == 0 ? UINT64_MAX : 0;
    for (unsigned i = 0; i < output->inputs_count; i++) {
        unsigned input = 0;
        while (input < config->input_count &&
               strcmp(config->inputs[input].name, output->inputs[i]) != 0) {
            input++;
        }
        if (input == config->input_count) {
            return config_entry_refuse(entry, "inputs", "names of inputs", output->inputs[i]);
        }
        *inputs |= UINT64_C(1) << input;
    }
    return 0;
}

static char *config_outputs_copy(const char *string, bool *failed)
{
    char *made = string != NULL ? strdup(string) : NULL;

    *failed |= string != NULL && made == NULL;
    return made;
}

static int config_outputs_add(struct config *config, const struct yaml_output *from, unsigned queue,
                              uint64_t inputs)
{
    bool failed = false;

    config->outputs[config->output_count++] = (struct config_output){
        .name = config_outputs_copy(from->name, &failed),
        .path = config_outputs_copy(from->unix_path, &failed),
        .address = config_outputs_copy(from->tcp, &failed),
        .inputs = inputs,
        .queue = queue,
    };
    return failed ? -ENOMEM : 0;
}

int config_outputs_from_file(struct config *config, const struct yaml_file *file,
                             struct text *error)
{
    int result = 0;

    for (unsigned i = 0; i < file->settings->outputs_count && result == 0; i++) {
        const struct config_entry entry = {&file->source, "outputs", i, error};
        const struct yaml_output *from = &file->settings->outputs[i];
        unsigned queue = 0;
        uint64_t inputs = 0;

        result = check_name(&entry, config, from);
        if (result == 0) {
            result = check_place(&entry, config, from);
        }
        if (result == 0) {
            result = read_queue(&entry, from->queue, &queue);
        }
        if (result == 0) {
            result = read_inputs(&entry, config, from, &inputs);
        }
        if (result == 0) {
            result = config_outputs_add(config, from, queue, inputs);
        }
    }
    return result;
}

static void print_inputs(const struct config *config, const struct config_output *output,
                         struct text *out)
{
    text_append_string(out, "    inputs:\n");
    for (unsigned i = 0; i < config->input_count; i++) {
        if ((output->inputs >> i & 1) != 0) {
            text_append_string(out, "      - ");
            yaml_print_string(config->inputs[i].name, out);
            text_append_char(out, '\n');
        }
    }
}

void config_outputs_print(const struct config *config, struct text *out)
{
    text_append_string(out, config->output_count > 0 ? "outputs:\n" : "");
    for (unsigned i = 0; i < config->output_count; i++) {
        const struct config_output *output = &config->outputs[i];

        text_append_string(out, "  -\n    name: ");
        yaml_print_string(output->name, out);
        text_append_string(out, output->path != NULL ? "\n    unix: " : "\n    tcp: ");
        yaml_print_string(output->path != NULL ? output->path : output->address, out);
        text_append_format(out, "\n    queue: %u\n", output->queue);
        print_inputs(config, output, out);
    }
}

void config_outputs_free(struct config *config)
{
    for (unsigned i = 0; i < config->output_count; i++) {
        free(config->outputs[i].name);
        free(config->outputs[i].path);
        free(config->outputs[i].address);
    }
    config->output_count = 0;
}
