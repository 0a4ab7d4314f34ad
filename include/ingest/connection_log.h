/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * connection_log.h - log lines about connections: one a minute for each peer and reason
 *
 * A server that connects and is refused, or leaves, in a loop would fill disks. Repeats within a
 * minute are counted, and the next line of the same kind has their number. One worker owns it. Of
 * fixed size: events of more peers than it remembers share one line a minute. At level debug each
 * event has a line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"

#define CONNECTION_LOG_PEERS     32                    /* chosen */
#define CONNECTION_LOG_MINUTE_NS UINT64_C(60000000000) /* one minute */

/** Room for who is on the other side, as text. */
#define CONNECTION_PEER_SIZE 80

/** Who is on the other side. The first bytes of the text say who it is, the rest, a port or a user,
 * differs between connections of the same peer. */
struct connection_peer {
    char text[CONNECTION_PEER_SIZE];
    size_t id_len;
};

/** Something that happens to a connection. Strings but the peer's outlive the log. */
struct connection_event {
    enum log_level level;
    const char *message;
    const char *input;
    const char *reason; /* NULL: none */
    struct connection_peer peer;
};

struct connection_log {
    struct {
        struct connection_event event; /* message NULL: the place is free */
        uint64_t begin_ns;             /* monotonic: when its line was written */
        uint64_t repeats;              /* since then */
    } places[CONNECTION_LOG_PEERS];
    uint64_t others_begin_ns; /* when events of further peers had a line; 0: never */
    uint64_t others;          /* since then */
};

/** Write the event's line, or count it. */
NONNULL void connection_log_write(struct connection_log *log, const struct connection_event *event,
                                  uint64_t now_ns);

/** Write the repeats of the minutes that have ended. */
NONNULL void connection_log_advance(struct connection_log *log, uint64_t now_ns);

/** Write all repeats that have no line yet. */
NONNULL void connection_log_end(struct connection_log *log, uint64_t now_ns);
