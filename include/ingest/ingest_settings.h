/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ingest_settings.h - workers, and what bounds the connections of DNS servers
 */

#include "base/clock.h"
#include "config/config_row.h"

/* clang-format off */
#define WORKER_KEYS(KEY, S)                                                                        \
    KEY(S, number, workers, "workers", "0", .least = 0, .most = 64,                                \
        .expected = "a number from 0 (one for each CPU, at most 2) to 64",                         \
        .help = "Threads that read and count. 0: one for each CPU that the process may use (affinity, "    \
                "cgroup), at most 2.")

#define CONNECTION_KEYS(KEY, S)                                                                    \
    KEY(S, number, connections_max, "limits.connections", "128", .live = true,                     \
        .least = 1, .most = 10000,                                                                 \
        .help = "Connections from DNS servers at the same time on each input. For a further one "  \
                "the connection that has been silent longest is closed, one that never sent a "    \
                "frame first.")                                                                    \
    KEY(S, bytes, frame_size_max, "limits.frame_size", "131072", .least = 512, .most = 1048576,    \
        .help = "Bytes of the largest frame. A larger one is skipped and counted as rejected.")    \
    KEY(S, duration, handshake_timeout_ns, "limits.handshake_timeout", "5s", .live = true,         \
        .least = NS_PER_SECOND, .most = 3600 * NS_PER_SECOND,                                      \
        .help = "How long a server may take to begin its stream.")
/* clang-format on */

struct ingest_settings {
    WORKER_KEYS(CONFIG_MEMBER, )
    CONNECTION_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows worker_rows, connection_rows; /* of a struct ingest_settings */
