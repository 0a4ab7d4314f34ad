/* SPDX-License-Identifier: Apache-2.0 */
#include "top/top_settings.h"

/* Clients of both families are one word, and the first two of the counts. */
static const char *const distinct_names[] = {"clients", "qnames", "nxdomain_qnames", "domains",
                                             NULL};

const struct config_rows window_rows = CONFIG_ROWS(WINDOW_KEYS, struct top_settings);

const struct config_rows top_rows = CONFIG_ROWS(TOP_KEYS, struct top_settings);

struct pane_shape top_settings_shape(const struct top_settings *settings)
{
    unsigned words = (unsigned)settings->distincts;

    return (struct pane_shape){
        .lists = (unsigned)settings->lists,
        .distincts = words << 1 | (words & 1),
        .capacity = settings->capacity,
        .by_server = settings->by_server,
    };
}
