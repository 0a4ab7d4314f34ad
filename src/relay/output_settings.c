/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/output_settings.h"

#include <stdio.h>
#include <string.h>

const struct config_rows output_rows = CONFIG_ROWS(OUTPUT_ALL_KEYS, struct output_settings);

/* Reports about a key of an entry, or about all of it for "". */
static int output_refuse(const struct config_check *check, unsigned index, const char *key,
                         const char *why)
{
    char place[32];

    (void)snprintf(place, sizeof place, "outputs[%u]%s%s", index, key[0] != '\0' ? "." : "", key);
    return config_refuse(check, place, why);
}

static bool has_name(const struct output_settings *outputs, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(outputs[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_endpoint(const struct output_settings *outputs, unsigned count,
                         const struct endpoint *endpoint)
{
    for (unsigned i = 0; i < count; i++) {
        if (endpoint_equal(&outputs[i].endpoint, endpoint)) {
            return true;
        }
    }
    return false;
}

bool output_settings_takes(const struct output_settings *output, const char *input)
{
    bool takes = output->inputs.count == 0;

    for (unsigned i = 0; i < output->inputs.count; i++) {
        takes |= strcmp(output->inputs.items[i], input) == 0;
    }
    return takes;
}

static int check_inputs(const struct config_check *check, const struct output_settings *output,
                        unsigned index, const struct input_settings *inputs, unsigned input_count)
{
    for (unsigned i = 0; i < output->inputs.count; i++) {
        const char *name = output->inputs.items[i];
        unsigned input = 0;

        while (input < input_count && strcmp(inputs[input].name, name) != 0) {
            input++;
        }
        if (input == input_count) {
            char place[48];
            (void)snprintf(place, sizeof place, "outputs[%u].inputs[%u]", index, i);
            return config_refuse_value(check, place, "the name of an input", name);
        }
    }
    return 0;
}

static int check_tls(const struct config_check *check, struct output_settings *output,
                     unsigned index)
{
    enum tls_role role = output->endpoint.kind == ENDPOINT_TCP ? TLS_ROLE_CLIENT : TLS_ROLE_NONE;
    char entry[24];

    (void)snprintf(entry, sizeof entry, "outputs[%u]", index);
    return tls_settings_check_stream(check, entry, role, &output->tls);
}

int output_settings_check(const struct config_check *check, struct output_settings *outputs,
                          unsigned output_count, const struct input_settings *inputs,
                          unsigned input_count)
{
    int result = 0;

    for (unsigned i = 0; i < output_count && result == 0; i++) {
        struct output_settings *output = &outputs[i];

        if (output->name == NULL) {
            return output_refuse(check, i, "", "an output needs a name");
        }
        if (has_name(outputs, i, output->name)) {
            return output_refuse(check, i, "name", "another output has this name");
        }
        if (output->endpoint.kind == ENDPOINT_NONE) {
            return output_refuse(check, i, "", "an output needs one of the keys unix and tcp");
        }
        if (has_endpoint(outputs, i, &output->endpoint)) {
            return output_refuse(check, i, endpoint_key(&output->endpoint),
                                 "another output has this endpoint");
        }
        if (input_settings_has(inputs, input_count, &output->endpoint)) {
            return output_refuse(check, i, endpoint_key(&output->endpoint),
                                 "this is an input of this exporter"); /* frames would go round */
        }
        result = check_inputs(check, output, i, inputs, input_count);
        if (result == 0) {
            result = check_tls(check, output, i);
        }
    }
    return result;
}
