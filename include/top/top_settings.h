/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * top_settings.h - which lists and distinct counts there are, over which time
 */

#include "base/clock.h"
#include "config/config_row.h"
#include "top/pane.h"

/* clang-format off */
#define WINDOW_KEYS(KEY, S)                                                                        \
    KEY(S, duration, window_ns, "window", "5m",                                                    \
        .least = 10 * NS_PER_SECOND, .most = 3600 * NS_PER_SECOND,                                 \
        .help = "The lists and the distinct counts are over a window of this length, which moves " \
                "on in ten steps. What clients ask counts, the roles client and auth; in lists of " \
                "upstream servers what servers ask others, the roles resolver, forwarder and stub.")

#define TOP_KEYS(KEY, S)                                                                           \
    KEY(S, number, max_series, "top.max_series", "10", .least = 1, .most = 1000,                   \
        .help = "Series of each list.")                                                            \
    KEY(S, number, capacity, "top.capacity", "1000", .least = 10, .most = 40000,                   \
        .help = "A key with more than 1/capacity of the window is in the list's table, and no "    \
                "value is too high by more than that. Each list takes 65 bytes a key and the key " \
                "itself, in each of ten steps and for each worker. Lists of upstream servers have " \
                "half of the capacity.")                                                           \
    KEY(S, boolean, by_server, "top.by_server", "false",                                           \
        .help = "Keep the lists by server, with the label `server`: max_series of each server. The " \
                "memory is the same; multiply capacity by the number of servers to keep the error.") \
    KEY(S, set, lists, "top.lists", NULL, .words = top_list_names,                                 \
        .help = "The lists that are kept: of clients, query names, registered domains and the "    \
                "upstream servers that servers ask. []: none.")                                    \
    KEY(S, set, distincts, "distinct.counts", NULL, .words = distinct_names,                       \
        .help = "What is counted without repeats in the window: clients, query names, query names " \
                "with an NXDOMAIN response, registered domains. []: nothing.")
/* clang-format on */

struct top_settings {
    WINDOW_KEYS(CONFIG_MEMBER, )
    TOP_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows window_rows, top_rows; /* of a struct top_settings */

/** The lists and counts that the settings select. */
NONNULL struct pane_shape top_settings_shape(const struct top_settings *settings);
