/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/input_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct config_rows input_rows = CONFIG_ROWS(INPUT_ALL_KEYS, struct input_settings);

bool input_settings_has(const struct input_settings *inputs, unsigned count,
                        const struct endpoint *endpoint)
{
    for (unsigned i = 0; i < count; i++) {
        if (endpoint_equal(&inputs[i].endpoint, endpoint)) {
            return true;
        }
    }
    return false;
}

static bool has_name(const struct input_settings *inputs, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(inputs[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* unix, unix2, unix3 and so on. */
static int name_after_kind(struct input_settings *inputs, unsigned index)
{
    enum endpoint_kind kind = inputs[index].endpoint.kind;
    unsigned number = 1;
    struct text name = {0};

    for (unsigned i = 0; i < index; i++) {
        number += inputs[i].endpoint.kind == kind;
    }
    text_append_string(&name, endpoint_key(&inputs[index].endpoint));
    if (number > 1) {
        text_append_u64(&name, number);
    }
    if (name.failed) {
        text_deinit(&name);
        return -ENOMEM;
    }
    inputs[index].name = name.data;
    return 0;
}

/* Reports about a key of an entry, or about all of it for "". */
static int input_refuse(const struct config_check *check, unsigned index, const char *key,
                        const char *why)
{
    char place[32];

    (void)snprintf(place, sizeof place, "inputs[%u]%s%s", index, key[0] != '\0' ? "." : "", key);
    return config_refuse(check, place, why);
}

static int check_tls(const struct config_check *check, struct input_settings *input, unsigned index)
{
    const struct endpoint *endpoint = &input->endpoint;
    enum tls_role role = endpoint->has_tls ? TLS_ROLE_CLIENT_ALWAYS
                         : endpoint->kind == ENDPOINT_TCP && !endpoint->is_dialled ? TLS_ROLE_SERVER
                                                                                   : TLS_ROLE_NONE;
    char entry[24];

    (void)snprintf(entry, sizeof entry, "inputs[%u]", index);
    int result = tls_settings_check_stream(check, entry, role, &input->tls);
    input->endpoint.has_tls = tls_settings_are_on(&input->tls);
    return result;
}

static int input_check(const struct config_check *check, struct input_settings *inputs,
                       unsigned index)
{
    struct input_settings *input = &inputs[index];

    if (input->name == NULL && config_is_from_flag(check, "inputs")) {
        int result = name_after_kind(inputs, index);
        if (result < 0) {
            return result;
        }
    }
    if (input->name == NULL) {
        return input_refuse(check, index, "", "an input needs a name");
    }
    if (has_name(inputs, index, input->name)) {
        return input_refuse(check, index, "name", "another input has this name");
    }
    if (input->endpoint.kind == ENDPOINT_NONE) {
        return input_refuse(check, index, "",
                            "an input needs one of the keys unix, tcp and connect");
    }
    if (input_settings_has(inputs, index, &input->endpoint)) {
        return input_refuse(check, index, endpoint_key(&input->endpoint),
                            "another input has this endpoint");
    }
    return check_tls(check, input, index);
}

int input_settings_check(const struct config_check *check, struct input_settings *inputs,
                         unsigned count)
{
    int result = 0;

    for (unsigned i = 0; i < count && result == 0; i++) {
        result = input_check(check, inputs, i);
    }
    return result;
}
