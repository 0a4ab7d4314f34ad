/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * stream_state.h - what the dnstap stream of a server lacks: queries, responses, or a part of both
 *
 * Servers may log one direction only or sample, and then some numbers mean nothing. For each server
 * and role this tells, over all shards:
 *   responses only   no query came for 15 s, but at least 10 responses; until the first query
 *   queries only     no response came for 60 s, but at least 10 queries; until the first response
 *   sampled          in the last full minute (longer where that had less than 10 of each) more
 *                    than half of the queries were unanswered and more than half of the responses
 *                    unmatched; or the configuration says so of the input
 * Client and auth are one stream: BIND logs some exchanges as AUTH_QUERY and CLIENT_RESPONSE. A
 * response that was matched shows that its query came, also where the two have different
 * identities.
 *
 * Shards collect counts and hand them in about twice a second. Any thread may call every function.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "decode/event.h"
#include "count/server_set.h"

/** Bits of a stream's state. */
enum stream_flag {
    STREAM_RESPONSES_ONLY = 1,
    STREAM_QUERIES_ONLY = 2,
    STREAM_SAMPLED = 4,        /* inferred from the counts */
    STREAM_SAMPLED_INPUT = 8,  /* configured */
    STREAM_EMPTY_QUERIES = 16, /* some query frames come without the query (Knot Resolver) */
};

/** In these states, and of messages by an input that is configured as sampled, it says nothing of
 * the server that a message has no counterpart. */
#define STREAM_INCOMPLETE (STREAM_RESPONSES_ONLY | STREAM_QUERIES_ONLY | STREAM_SAMPLED)

/** What a shard has seen since it last handed in. */
struct stream_counts {
    uint32_t messages[KIND_COUNT];
    uint32_t unanswered, unmatched;
    bool has_queries, has_responses; /* matched; also under another identity or long ago */
    bool sampled;                    /* some came by an input that is configured as sampled */
};

struct stream_states; /* opaque: src/count/stream_state.c */

/** Bytes that the states of so many server numbers take. */
size_t stream_states_memory(unsigned servers);

/** Make the states of `servers` server numbers; on success the caller frees *out. Returns 0 or
 *  -ENOMEM. */
NONNULL MUST_USE int stream_states_create(struct stream_states **out, unsigned servers);

void stream_states_free(struct stream_states *states);

/** Where the stream of a server and role stands among servers * ROLE_COUNT. */
static inline size_t stream_index(unsigned server, enum role role)
{
    return (size_t)server * ROLE_COUNT + (role == ROLE_AUTH ? ROLE_CLIENT : role);
}

/** The flags of the stream. Lock-free. */
NONNULL unsigned stream_states_flags(const struct stream_states *states, size_t index);

/** A server number has a new generation: begin its streams anew, if no other thread has yet. */
NONNULL void stream_states_begin(struct stream_states *states, struct server_ref server);

/** Set flags at once. */
NONNULL void stream_states_set(struct stream_states *states, size_t index, unsigned flags);

/** A message of this kind came: end the state that knows of none. */
NONNULL void stream_states_seen(struct stream_states *states, size_t index, enum kind kind);

/** Hand in what a shard has counted of a server's stream up to `now_ns` (on the clock of the
 *  time-outs), and set it to zero. Called about twice a second also without counts, since states
 *  change with time. Does nothing else where the server's number is another one's by now. */
NONNULL void stream_states_add(struct stream_states *states, struct server_ref server,
                               enum role role, struct stream_counts *counts, uint64_t now_ns);
