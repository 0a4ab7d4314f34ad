/* SPDX-License-Identifier: Apache-2.0 */
#include "config_web_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "config_entry_internal.h"
#include "yaml_print_internal.h"

#define DEFAULT_ADDRESS ":9353"

static int config_web_add(struct config *config, const char *address)
{
    config->web_addresses[config->web_address_count] = strdup(address);
    if (config->web_addresses[config->web_address_count] == NULL) {
        return -ENOMEM;
    }
    config->web_address_count++;
    return 0;
}

int config_web_from_file(struct config *config, const struct yaml_file *file, struct text *error)
{
    const struct yaml_web *web = &file->settings->web;
    struct address parts;
    int result = 0;

    for (unsigned i = 0; i < web->listen_addresses_count && result == 0; i++) {
        if (!address_split(web->listen_addresses[i], &parts)) {
            const struct config_entry entry = {&file->source, "web.listen_addresses", i, error};
            return config_entry_refuse(&entry, "", EXPECTED_ADDRESS, web->listen_addresses[i]);
        }
        result = config_web_add(config, web->listen_addresses[i]);
    }
    return result;
}

int config_web_choose(struct config *config, const struct config_flags *flags, struct text *error)
{
    struct address parts;
    int result = 0;

    if (flags->web_address_count > 0) {
        config_web_free(config);
    }
    for (unsigned i = 0; i < flags->web_address_count && result == 0; i++) {
        if (!address_split(flags->web_addresses[i], &parts)) {
            return config_flag_refuse(error, "--web.listen-address", EXPECTED_ADDRESS,
                                      flags->web_addresses[i]);
        }
        result = config_web_add(config, flags->web_addresses[i]);
    }
    if (result == 0 && config->web_address_count == 0) {
        result = config_web_add(config, DEFAULT_ADDRESS);
    }
    return result;
}

void config_web_print(const struct config *config, struct text *out)
{
    text_append_string(out, "  listen_addresses:\n");
    for (unsigned i = 0; i < config->web_address_count; i++) {
        text_append_string(out, "    - ");
        yaml_print_string(config->web_addresses[i], out);
        text_append_char(out, '\n');
    }
}

void config_web_free(struct config *config)
{
    for (unsigned i = 0; i < config->web_address_count; i++) {
        free(config->web_addresses[i]);
    }
    config->web_address_count = 0;
}
