/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * label_sets.h - what all shards share: the sets of servers and codes, which are label values and
 * grow, the states of the servers' streams, and the key of all hashes. The sets lock themselves.
 */

#include "base/attr.h"
#include "base/hash.h"
#include "count/code_labels.h"
#include "count/server_set.h"
#include "count/stream_state.h"

/** Bounds of what peers can grow. */
struct label_limits {
    unsigned servers;           /* label values of `server`, `other` not counted */
    unsigned series;            /* pairs of a server and a role that have series of their own */
    unsigned qtypes;            /* query types that IANA has not assigned and that get a series of
                                   their own */
    uint64_t expiry_ns;         /* how long a server or an unassigned number has to be silent before
                                   another one may have its place */
    unsigned matching_capacity; /* messages waiting for their counterpart, per shard */
    uint64_t matching_timeout_ns; /* how long a query waits for its response */
};

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
