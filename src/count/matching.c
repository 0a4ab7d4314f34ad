/* SPDX-License-Identifier: Apache-2.0 */
#include "count/matching.h"

#include "base/clock.h"

/* Frames of one server come up to a second out of order (measured on Unbound and BIND). A response
 * waits twice as long for its query. */
#define RESPONSE_TIMEOUT_NS (2 * NS_PER_SECOND)

/* How long an answered query is remembered, to know duplicates of its response: Unbound, which
 * answers with an expired record first, sends the second one within this time (serve-expired). */
#define ANSWERED_TIMEOUT_NS (2 * NS_PER_SECOND)

int matching_init(struct matching *matching, const struct label_limits *limits)
{
    const struct matcher_timeouts timeouts = {
        .query_ns = limits->matching_timeout_ns,
        .response_ns = RESPONSE_TIMEOUT_NS,
        .answered_ns = ANSWERED_TIMEOUT_NS,
    };

    return matcher_create(&matching->matcher, limits->matching_capacity, &timeouts);
}

void matching_deinit(struct matching *matching)
{
    matcher_free(matching->matcher);
    matching->matcher = NULL;
}

static bool has_key(const struct event *event)
{
    if (event->dns.has_header) {
        return true;
    }
    return event->kind == KIND_QUERY && event->dns.defect == DNS_DEFECT_MISSING &&
           event->query_address.len > 0;
}

void matching_prepare(const struct matching *matching, const struct event *event,
                      struct server_ref server, bool sampled, uint64_t qname_hash,
                      struct pending_message *out)
{
    const struct hash_key *secret = &matching->labels->key;
    bool query = event->kind == KIND_QUERY;

    out->has_key = has_key(event);
    out->key = event->dns.has_header ? transaction_key_make(secret, event, qname_hash)
                                     : transaction_key_of_addresses(secret, event);
    if (out->has_key) {
        matcher_prefetch(matching->matcher, &out->key);
    }
    out->message = (struct matcher_message){
        .time_ns = query ? event->query_time_ns : event->response_time_ns,
        .server = (uint16_t)server.number,
        .generation = (uint8_t)server.generation,
        .role = event->role & 0xfu,
        .kind = event->kind & 1u,
        .has_question = event->dns.has_question,
        .has_query_time = !query && (event->query_time_ns != 0 || event->response_time_ns == 0),
        .sampled = sampled,
    };
}

static size_t stream_of(const struct matcher_message *message)
{
    return stream_index(message->server, (enum role)message->role);
}

/* What has no counterpart is counted only where one was to be expected; a stream that lacks them is
 * known by the counts beside. */
static bool expects_counterparts(const struct matching *matching,
                                 const struct matcher_message *message)
{
    unsigned flags = stream_states_flags(matching->labels->streams, stream_of(message));

    return !message->sampled && (flags & STREAM_INCOMPLETE) == 0;
}

static void count_unmatched(struct matching *matching, struct server_counters *counts,
                            const struct matcher_message *response)
{
    matching->streams[stream_of(response)].unmatched++;
    counts->unmatched_responses += expects_counterparts(matching, response);
}

static void count_unanswered(struct matching *matching, struct server_counters *counts,
                             const struct matcher_removed *query)
{
    const struct upstream_listener *upstreams = &matching->upstreams;

    matching->streams[stream_of(&query->message)].unanswered++;
    if (expects_counterparts(matching, &query->message)) {
        counts->unanswered_queries++;
        if (query->asked_len > 0) {
            upstreams->on_unanswered(upstreams->context, &query->message,
                                     (struct bytes){query->asked, query->asked_len});
        }
    }
}

static void on_timeout(void *context, const struct matcher_removed *removed)
{
    struct matching *matching = context;
    const struct matcher_message *message = &removed->message;
    struct server_counters *counts = matching_counters(matching, message);

    if (counts == NULL) {
        return;
    }
    if (message->kind == KIND_QUERY) {
        count_unanswered(matching, counts, removed);
    } else if (message->has_query_time) { /* it had its response time without its query */
        matching->streams[stream_of(message)].unmatched++;
    } else {
        count_unmatched(matching, counts, message);
    }
}

COLD static void on_evict(struct matching *matching, const struct matcher_removed *removed)
{
    matching->counters->global.matching_evictions++;
    if (removed->message.kind == KIND_RESPONSE) { /* a query pushed out may yet be answered */
        on_timeout(matching, removed);
    }
}

/* Returns whether it is one: a negative time is none. */
static bool count_response_time(struct server_counters *counts, uint64_t query_ns,
                                uint64_t response_ns)
{
    if (response_ns < query_ns) {
        counts->negative_response_times++;
        return false;
    }
    duration_observe(&counts->response_time, &response_time_bounds, response_ns - query_ns);
    return true;
}

/* A query met its response, which does not carry the query's time. `event` is the one of the two
 * that came last: both have the address that was asked. */
static void on_match(struct matching *matching, const struct event *event,
                     const struct matcher_message *query, const struct matcher_message *response)
{
    const struct upstream_listener *upstreams = &matching->upstreams;
    struct server_counters *counts = matching_counters(matching, response);

    if (counts == NULL) {
        return;
    }
    if (query->time_ns == 0) {
        count_unmatched(matching, counts, response);
    } else if (count_response_time(counts, query->time_ns, response->time_ns) &&
               role_asks_upstream(event->role)) {
        upstreams->on_response_time(upstreams->context, response, event->response_address,
                                    response->time_ns - query->time_ns);
    }
}

/* The response's stream does not lack queries, however long ago this one was and whatever its
 * identity; nor does the query's lack responses. */
static void note_both_directions(struct matching *matching, const struct matcher_message *query,
                                 const struct matcher_message *response)
{
    matching->streams[stream_of(response)].has_queries = true;
    if (query->server != response->server) {
        matching->streams[stream_of(query)].has_responses = true;
    }
}

/* Some queries of the server come without their messages: the response may belong to one of these,
 * which are known by their addresses only. */
COLD static void match_by_addresses(struct matching *matching, const struct event *event,
                                    struct pending_message *pending)
{
    struct transaction_key key = transaction_key_of_addresses(&matching->labels->key, event);
    struct matcher_message response = pending->message;

    response.has_question = false;
    if (!matcher_knows_query(matching->matcher, &pending->key, &pending->message,
                             pending->arrived_ns) &&
        matcher_knows_query(matching->matcher, &key, &response, pending->arrived_ns)) {
        pending->key = key;
        pending->message = response;
    }
}

/* What a response frame says of the response time by itself. */
static void count_self_timed(struct matching *matching, const struct event *event,
                             const struct matcher_message *response)
{
    struct server_counters *counts = matching_counters(matching, response);

    if (counts == NULL) {
        return;
    }
    if (event->query_time_ns != 0 && event->response_time_ns != 0) {
        (void)count_response_time(counts, event->query_time_ns, event->response_time_ns);
    } else { /* no time stamp, or nothing to know its query by */
        count_unmatched(matching, counts, response);
    }
}

COLD static void count_duplicate(struct matching *matching, const struct matcher_message *response)
{
    struct server_counters *counts = matching_counters(matching, response);

    if (counts != NULL) {
        counts->duplicate_responses++;
        matching->streams[stream_of(response)].has_queries = true;
    }
}

static void on_counterpart(struct matching *matching, const struct event *event,
                           const struct matcher_message *message,
                           const struct matcher_message *other)
{
    bool is_query = message->kind == KIND_QUERY;
    const struct matcher_message *query = is_query ? message : other;
    const struct matcher_message *response = is_query ? other : message;

    note_both_directions(matching, query, response);
    if (!response->has_query_time) {
        on_match(matching, event, query, response);
    }
}

/* Returns false where it is a further response to a query that was answered. */
static bool matching_enqueue(struct matching *matching, const struct event *event,
                             const struct pending_message *pending)
{
    struct matcher_removed other;

    switch (matcher_enqueue(matching->matcher, &pending->key, &pending->message,
                            &event->response_address, pending->arrived_ns, &other)) {
    case MATCHER_MATCHED:
        on_counterpart(matching, event, &pending->message, &other.message);
        break;
    case MATCHER_DUPLICATE:
        return false;
    case MATCHER_TIMED_OUT:
        on_timeout(matching, &other);
        break;
    case MATCHER_EVICTED:
        on_evict(matching, &other);
        break;
    case MATCHER_QUEUED:
        break;
    }
    return true;
}

bool matching_add(struct matching *matching, const struct event *event,
                  struct pending_message *pending, unsigned flags)
{
    const struct matcher_message *message = &pending->message;
    bool is_response = message->kind == KIND_RESPONSE;

    if (is_response && (flags & STREAM_EMPTY_QUERIES) != 0 && pending->has_key) {
        match_by_addresses(matching, event, pending);
    }
    bool is_new = !pending->has_key || matching_enqueue(matching, event, pending);
    if (!is_new) {
        count_duplicate(matching, message);
    } else if (message->has_query_time || (is_response && !pending->has_key)) {
        count_self_timed(matching, event, message);
    }
    return is_new;
}

void matching_expire(struct matching *matching, uint64_t now_ns, size_t sets_max)
{
    matcher_sweep(matching->matcher, now_ns, sets_max, on_timeout, matching);
}

void matching_flush(struct matching *matching)
{
    matcher_flush(matching->matcher, on_timeout, matching);
}
