/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * label_sets.h - what all shards share: the sets of servers and codes, which are label values and
 * grow, the states of the servers' streams, and the key of all hashes. The sets lock themselves.
 */

#include "base/attr.h"
#include "base/clock.h"
#include "base/hash.h"
#include "config/config_row.h"
#include "count/code_labels.h"
#include "count/server_set.h"
#include "count/stream_state.h"

/** Bounds of what peers can grow. */
/* clang-format off */
#define LABEL_LIMIT_KEYS(KEY, S)                                                                   \
    KEY(S, number, servers, "limits.servers", "64", .least = 1, .most = 1000,                      \
        .help = "Values of the label `server`; further servers count under \"other\".")            \
    KEY(S, number, series, "limits.series", "64", .least = 1, .most = 7000,                        \
        .help = "Pairs of a server and a role that have series of their own. Further pairs count " \
                "under server \"other\", so that no sum is wrong. With 64 a page of metrics has 8 " \
                "MB at the most, whatever servers send, and 10 MB with answers.")                  \
    KEY(S, duration, expiry_ns, "limits.server_expiry", "1h",                                      \
        .least = 300 * NS_PER_SECOND, .most = 720 * (3600 * NS_PER_SECOND),                        \
        .help = "If limits.servers are there, a new server takes the place of one whose "          \
                "connections are all closed, or of one that has sent nothing for this long. The "  \
                "series of the server that left end. At most half of the places go to servers "    \
                "that came by one connection. An unassigned query type makes room after this "     \
                "time, too.")                                                                      \
    KEY(S, number, qtypes, "limits.unassigned_qtypes", "32", .least = 0, .most = 48,               \
        .help = "Query types, and types of records in answers, that IANA has not assigned and "    \
                "that get a series of their own. The rest count under \"other\".")

#define MATCHING_KEYS(KEY, S)                                                                      \
    KEY(S, number, matching_capacity, "matching.capacity", "65536", .least = 8, .most = 16777216,  \
        .help = "Messages that may wait, for each worker (79 bytes each).")                        \
    KEY(S, duration, matching_timeout_ns, "matching.timeout", "15s",                               \
        .least = NS_PER_SECOND, .most = 600 * NS_PER_SECOND,                                       \
        .help = "How long a query waits before it counts as unanswered. BIND gives up on a name "  \
                "after 10 s and answers SERVFAIL then.")

#define ANSWER_KEYS(KEY, S)                                                                        \
    KEY(S, boolean, answers, "answers", "false",                                                   \
        .help = "Count what the answer sections of responses have: records by type, the least TTL " \
                "of each response, private addresses.")
/* clang-format on */

/** What limits the labels, and the matching of queries and responses; and whether answers are
 * counted. */
struct label_limits {
    LABEL_LIMIT_KEYS(CONFIG_MEMBER, )
    MATCHING_KEYS(CONFIG_MEMBER, )
    ANSWER_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows label_limit_rows, answer_rows,
    matching_rows; /* of a struct label_limits */

/** The sets of codes. */
enum code_kind { CODE_QTYPE, CODE_RCODE, CODE_INFO_CODE, CODE_KINDS };

struct label_sets {
    struct server_set *servers;
    struct code_labels *codes[CODE_KINDS];
    struct stream_states *streams;
    struct hash_key key;
};

/** Draw the key and make the sets. Returns 0 or a negative errno; on success the caller ends with
 *  label_sets_deinit(). */
NONNULL MUST_USE int label_sets_init(struct label_sets *labels, const struct label_limits *limits);

/** Free the sets; all-zero ones are fine. */
NONNULL void label_sets_deinit(struct label_sets *labels);
