/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * vocabulary.h - what all shards share: the values of open labels, the states of streams, and the
 * secret of their hashes
 */

#include "base/attr.h"
#include "base/hash.h"
#include "count/code_set.h"
#include "count/server_set.h"
#include "count/stream_state.h"

/** Bounds of what peers can grow. */
struct metrics_limits {
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

struct vocabulary {
    struct server_set *servers;
    struct code_set *codes[CODE_KINDS];
    struct stream_states *streams;
    struct hash_key key;
};

/** Draw the key and make the sets. Returns 0 or a negative errno; on success the caller ends with
 *  vocabulary_deinit(). */
NONNULL MUST_USE int vocabulary_init(struct vocabulary *vocabulary,
                                     const struct metrics_limits *limits);

/** Free the sets; an all-zero vocabulary is fine. */
NONNULL void vocabulary_deinit(struct vocabulary *vocabulary);
