/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <stdio.h>
#include <string.h>

void program_fail(const struct text *error, int result)
{
    const char *what = error->len > 0 && !error->failed ? error->data : strerror(-result);

    (void)fprintf(stderr, "dnstap_exporter: %s\n", what);
}

int program_create_registry(struct registry **out, const struct config *config,
                            const struct registry_setup *inputs)
{
    struct registry_setup setup = *inputs;

    setup.limits = (struct metrics_limits){
        .servers = config->servers_max,
        .qtypes = config->qtypes_max,
        .pairing_capacity = config->pairing_capacity,
        .pairing_timeout_ns = config->pairing_timeout_ns,
    };
    return registry_create(out, &setup);
}
