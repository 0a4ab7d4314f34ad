/* SPDX-License-Identifier: Apache-2.0 */
#include "record/shard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "count/matching.h"
#include "count/message_counter.h"

/* Time stamps further apart than this are of different recordings. */
#define OTHER_RECORDING_NS (3600 * NS_PER_SECOND)

/* A time stamp that is further ahead than this is an error, unless the next one is as well. */
#define AHEAD_NS (30 * NS_PER_SECOND)

/* How often the states of streams are brought up to date in files; live it is twice a second. */
#define STREAMS_NS (NS_PER_SECOND / 2)

/* Files: sets of waiting messages that a frame pays for. The table is swept once a second where
 * frames are dense, and the work follows the frames where they are not. */
#define SWEEP_SETS_PER_FRAME 4

/* Frames on their way: the memory that they touch is being fetched meanwhile. */
#define ARRIVALS_MAX 8

struct arrival {
    struct event event;
    struct dns_name_suffixes suffixes; /* of its name, if it has a question; what is asked of
                                          upstream servers is not looked up, and has none */
    uint64_t qname_hash;
    unsigned flags; /* of its stream */
    struct pending_message pending;
};

/* The servers seen last, by the hash of their identities: a stream may bring many in turn. */
#define IDENTITIES 256

struct identity {
    uint64_t sum; /* of its bytes (base/hash.h); 0: none */
    struct server_ref server;
};

struct shard {
    struct label_sets *labels;
    struct counters counters;
    struct matching matching;
    struct arrival arrivals[ARRIVALS_MAX];
    unsigned arrival_count;
    struct identity identities[IDENTITIES];
    struct stream_counts *streams; /* [servers * ROLE_COUNT], see stream_index() */
    bool *has_series;              /* [servers * ROLE_COUNT]: this shard counts into them */
    bool *heard;                   /* [servers]: since the states were brought up to date */
    unsigned servers_end;          /* server numbers seen here are below */
    struct part *part;             /* NULL: no lists, no detectors */
    struct client_event_rules rules;
    shard_tick tick; /* files: called when another second begins; NULL: nobody asks */
    void *tick_context;
    uint64_t second; /* files: number of the second that now_ns is in */
    enum shard_time time;
    uint64_t now_ns;      /* of this batch, for time-outs; in files the latest time stamp seen */
    uint64_t realtime_ns; /* of this batch; 0 in files */
    uint64_t far_ns;      /* files: the last time stamp, if it was far from now_ns; else 0 */
    bool begins;          /* files: a recording began, and no time stamp came yet */
    uint64_t streams_ns;  /* files: when the states of streams were brought up to date */
    uint64_t frames;      /* files: since the last sweep */
    /* `batch` is held while the counters change or are exchanged. A busy worker takes it again at
     * once, so `turn` lets a reader that waits be next. */
    pthread_mutex_t turn;
    pthread_mutex_t batch;
};

/* --- Upstream servers: what matching tells of them --- */

COLD static void count_upstream(struct shard *shard, enum top_list list,
                                const struct matcher_message *message, struct bytes address,
                                uint64_t weight)
{
    const struct hash_key *secret = &shard->labels->key;
    const struct upstream upstream = {
        .address = address,
        .hash = hash_finish_for_table(secret, hash_add_address(secret, HASH_START, address)),
        .server = server_key(message->server, message->generation),
    };

    if (shard->part != NULL) {
        part_count_upstream(shard->part, list, &upstream, weight);
    }
}

static void on_unanswered(void *context, const struct matcher_message *query, struct bytes upstream)
{
    count_upstream(context, TOP_UPSTREAM_UNANSWERED, query, upstream, 1);
}

static void on_response_time(void *context, const struct matcher_message *response,
                             struct bytes upstream, uint64_t response_time_ns)
{
    count_upstream(context, TOP_UPSTREAM_RESPONSE_SECONDS, response, upstream, response_time_ns);
}

/* --- Making it --- */

size_t shard_memory(const struct label_limits *limits)
{
    size_t streams = (limits->servers + (size_t)1) * ROLE_COUNT;

    return sizeof(struct shard) + streams * (sizeof(struct stream_counts) + 2 * sizeof(bool));
}

int shard_create(struct shard **out, struct label_sets *labels, const struct label_limits *limits,
                 unsigned input_count, enum shard_time time)
{
    struct shard *shard = calloc(1, sizeof *shard);

    if (shard == NULL) {
        return -ENOMEM;
    }
    shard->labels = labels;
    shard->time = time;
    (void)pthread_mutex_init(&shard->turn, NULL);
    (void)pthread_mutex_init(&shard->batch, NULL);
    shard->streams = calloc((limits->servers + (size_t)1) * ROLE_COUNT, sizeof *shard->streams);
    shard->has_series = calloc((limits->servers + (size_t)1) * ROLE_COUNT,
                               sizeof *shard->has_series);
    shard->heard = calloc(limits->servers + (size_t)1, sizeof *shard->heard);
    shard->matching = (struct matching){
        .labels = labels,
        .counters = &shard->counters,
        .streams = shard->streams,
        .upstreams = {on_unanswered, on_response_time, shard},
    };
    if (!shard->streams || !shard->has_series || !shard->heard ||
        counters_init(&shard->counters, limits->servers + 1, input_count, limits->answers) < 0 ||
        matching_init(&shard->matching, limits) < 0) {
        shard_free(shard);
        return -ENOMEM;
    }
    *out = shard;
    return 0;
}

void shard_free(struct shard *shard)
{
    if (shard != NULL) {
        part_free(shard->part);
        matching_deinit(&shard->matching);
        free(shard->streams);
        free(shard->has_series);
        free(shard->heard);
        counters_deinit(&shard->counters);
        (void)pthread_mutex_destroy(&shard->batch);
        (void)pthread_mutex_destroy(&shard->turn);
        free(shard);
    }
}

void shard_set_part(struct shard *shard, struct part *part, const struct client_event_rules *rules)
{
    shard->part = part;
    shard->rules = *rules;
}

void shard_set_tick(struct shard *shard, shard_tick tick, void *context)
{
    shard->tick = tick;
    shard->tick_context = context;
}

static void take_turn(struct shard *shard)
{
    (void)pthread_mutex_lock(&shard->turn);
    (void)pthread_mutex_lock(&shard->batch);
    (void)pthread_mutex_unlock(&shard->turn);
}

static void end_turn(struct shard *shard)
{
    (void)pthread_mutex_unlock(&shard->batch);
}

static void record_arrivals(struct shard *shard);

/* What arrived before the time that begins counts for the one that ends. */
static void shard_update_clock(struct shard *shard)
{
    uint64_t second = shard->now_ns / NS_PER_SECOND;

    if (shard->tick != NULL && second != shard->second) {
        record_arrivals(shard);
        shard->tick(shard->tick_context, shard->part, shard->now_ns);
        shard->second = second;
    }
}

int shard_open_source(struct shard *shard, struct source *source)
{
    return server_holder_open(shard->labels->servers, &source->holder);
}

void shard_close_source(struct shard *shard, struct source *source)
{
    server_holder_close(shard->labels->servers, &source->holder);
}

void shard_begin(struct shard *shard)
{
    take_turn(shard);
    counters_update_codes(&shard->counters, shard->labels);
    if (shard->time == SHARD_TIME_LIVE) {
        shard->now_ns = clock_monotonic_ns();
        shard->realtime_ns = clock_realtime_ns();
    }
}

void shard_set_suffixes(struct shard *shard, const struct suffix_table *suffixes)
{
    take_turn(shard);
    shard->rules.suffixes = suffixes;
    end_turn(shard);
}

void shard_set_block_list(struct shard *shard, unsigned index, const struct name_list *list)
{
    take_turn(shard);
    shard->rules.block_lists[index] = list;
    if (shard->rules.block_list_count <= index) {
        shard->rules.block_list_count = index + 1;
    }
    end_turn(shard);
}

void shard_exchange_part(struct shard *shard, struct part *part, bool detectors_due)
{
    take_turn(shard);
    part_exchange(shard->part, part, detectors_due);
    end_turn(shard);
}

int shard_sum_init(struct shard_sum *sum, const struct label_limits *limits, unsigned input_count)
{
    struct shard_sum made = {0};

    if (counters_init(&made.counters, limits->servers + 1, input_count, limits->answers) < 0 ||
        counters_init(&made.spare, limits->servers + 1, input_count, limits->answers) < 0) {
        shard_sum_deinit(&made);
        return -ENOMEM;
    }
    *sum = made;
    return 0;
}

void shard_sum_deinit(struct shard_sum *sum)
{
    counters_deinit(&sum->counters);
    counters_deinit(&sum->spare);
    *sum = (struct shard_sum){0};
}

/* The spare has no counts. If it is of another server than the shard's, its memory goes back. */
static void shard_update_generations(struct counters *spare, const uint32_t *generations)
{
    for (unsigned server = 0; server < spare->server_count; server++) {
        if (spare->generations[server] != generations[server]) {
            counters_replace_server(spare, server, generations[server]);
        }
    }
}

static void exchange_counters(struct shard *shard, struct shard_sum *sum)
{
    struct counters counted = shard->counters;

    shard_update_generations(&sum->spare, counted.generations);
    memcpy(sum->spare.code_versions, counted.code_versions, sizeof counted.code_versions);
    shard->counters = sum->spare;
    sum->spare = counted;
}

void shard_add_to(struct shard *shard, struct shard_sum *sum)
{
    take_turn(shard);
    counters_update_codes(&shard->counters, shard->labels);
    exchange_counters(shard, sum);
    end_turn(shard);
    counters_merge(&sum->counters, &sum->spare, shard->labels);
    counters_clear(&sum->spare);
}

void shard_record_accepted(struct shard *shard, unsigned input)
{
    shard->counters.inputs[input].accepted++;
}

void shard_record_closed(struct shard *shard, unsigned input, enum close_reason why)
{
    shard->counters.inputs[input].closed[why]++;
}

void shard_record_overflow(struct shard *shard, enum limit limit)
{
    shard->counters.global.overflows[limit]++;
}

void shard_record_oversize(struct shard *shard, const struct source *source)
{
    struct input_counters *input = &shard->counters.inputs[source->input];

    input->frames++;
    input->rejected[REJECTED_OVERSIZE]++;
}

/* --- The server --- */

static struct server_ref shard_look_up(struct shard *shard, struct source *source,
                                       struct bytes identity)
{
    struct server_set *servers = shard->labels->servers;
    const struct hash_key *secret = &shard->labels->key;

    if (identity.len == 0 || identity.len > SERVER_IDENTITY_MAX) {
        return server_set_find(servers, identity, source->server_name, &source->holder,
                               shard->now_ns);
    }
    uint64_t sum = hash_add_bytes(secret, HASH_START, identity);
    struct identity *place = &shard->identities[hash_finish(secret, sum) % IDENTITIES];
    if (place->sum == sum && server_set_hold(servers, place->server, &source->holder)) {
        return place->server;
    }
    struct server_ref server = server_set_find(servers, identity, source->server_name,
                                               &source->holder, shard->now_ns);
    /* What has no place may have one later. */
    *place = (struct identity){
        .sum = server.number != SERVER_OTHER ? sum : 0,
        .server = server,
    };
    return server;
}

/* The server's number is another one's from now on. */
COLD static void expire_server(struct shard *shard, struct server_ref server)
{
    size_t first = (size_t)server.number * ROLE_COUNT;

    counters_replace_server(&shard->counters, server.number, server.generation);
    memset(&shard->streams[first], 0, ROLE_COUNT * sizeof shard->streams[0]);
    memset(&shard->has_series[first], 0, ROLE_COUNT * sizeof shard->has_series[0]);
    stream_states_begin(shard->labels->streams, server);
}

static bool is_known(const struct shard *shard, const struct source *source, struct bytes identity)
{
    struct bytes known = {source->identity, source->identity_len};

    if (shard->now_ns >= source->valid_until_ns || !bytes_equal(identity, known)) {
        return false;
    }
    return server_set_is_current(shard->labels->servers, source->server);
}

/* How long a source counts under SERVER_OTHER before it looks for a place of its own again. */
#define OTHER_NS NS_PER_SECOND

static void remember_server(struct shard *shard, struct source *source, struct bytes identity)
{
    bool fits = identity.len <= SERVER_IDENTITY_MAX;
    bool has_place = source->server.number != SERVER_OTHER;

    source->valid_until_ns = !fits ? 0 : has_place ? UINT64_MAX : shard->now_ns + OTHER_NS;
    source->identity_len = fits ? (uint8_t)identity.len : 0;
    if (fits && identity.len > 0) {
        memcpy(source->identity, identity.data, identity.len);
    }
}

/* The frame's server; most frames of a source come from the same one. */
static struct server_ref shard_server_of(struct shard *shard, struct source *source,
                                         struct bytes identity)
{
    if (!is_known(shard, source, identity)) {
        source->server = shard_look_up(shard, source, identity);
        remember_server(shard, source, identity);
        if (source->server.generation != shard->counters.generations[source->server.number]) {
            expire_server(shard, source->server);
        }
        if (shard->servers_end <= source->server.number) {
            shard->servers_end = source->server.number + 1;
        }
    }
    if (source->server.number == SERVER_OTHER) {
        shard_record_overflow(shard, LIMIT_SERVERS);
    }
    return source->server;
}

/* A role of a server comes for the first time, or there is no place for its series. */
COLD static struct server_ref take_series(struct shard *shard, struct server_ref server,
                                          enum role role)
{
    static const struct server_ref other = {.number = SERVER_OTHER};

    if (!server_set_take_series(shard->labels->servers, server, role)) {
        shard_record_overflow(shard, LIMIT_SERIES);
        server = other;
    }
    shard->has_series[counters_index(server.number, role)] = true;
    return server;
}

/* The server under whose label the frame counts. */
static struct server_ref counted_server(struct shard *shard, struct server_ref server,
                                        enum role role)
{
    return shard->has_series[counters_index(server.number, role)]
               ? server
               : take_series(shard, server, role);
}

COLD static void count_search_domain(struct shard *shard, const struct matcher_message *message)
{
    struct server_counters *counters = matching_counters(&shard->matching, message);

    if (counters != NULL) {
        counters->search_list_queries++;
    }
}

_Static_assert(BLOCK_LISTS_MAX <= GLOBAL_LISTS_MAX, "each list has a counter");

COLD static void count_listed(struct shard *shard, uint32_t lists)
{
    for (unsigned list = 0; list < BLOCK_LISTS_MAX; list++) {
        shard->counters.global.block_list_hits[list] += lists >> list & 1;
    }
}

static void record_upstream(struct shard *shard, const struct arrival *arrival, uint32_t server)
{
    const struct hash_key *secret = &shard->labels->key;
    const struct upstream upstream = {
        .address = arrival->event.response_address,
        .hash = hash_finish_for_table(secret, arrival->pending.key.asked_sum),
        .server = server,
    };

    part_record_upstream(shard->part, &arrival->event, &upstream,
                         (arrival->flags & STREAM_RESPONSES_ONLY) != 0);
}

/* The part of a frame's counting that waits for memory. */
static void record_arrival(struct shard *shard, struct arrival *arrival)
{
    bool is_new = matching_add(&shard->matching, &arrival->event, &arrival->pending,
                               arrival->flags);

    uint32_t server = server_key(arrival->pending.message.server,
                                 arrival->pending.message.generation);

    if (shard->part != NULL && is_new && role_asks_upstream(arrival->event.role)) {
        record_upstream(shard, arrival, server);
    } else if (shard->part != NULL && is_new) {
        struct part_result result = part_record(shard->part, &shard->rules, &arrival->event,
                                                &arrival->suffixes, arrival->qname_hash, server,
                                                (arrival->flags & STREAM_RESPONSES_ONLY) != 0);
        if (result.has_search_domain) {
            count_search_domain(shard, &arrival->pending.message);
        }
        if (result.block_lists != 0) {
            count_listed(shard, result.block_lists);
        }
    } else if (shard->part != NULL) {
        part_record_duplicate(shard->part, &shard->rules, &arrival->event, server);
    }
}

FLATTEN static void record_arrivals(struct shard *shard)
{
    for (unsigned i = 0; i < shard->arrival_count; i++) {
        record_arrival(shard, &shard->arrivals[i]);
    }
    shard->arrival_count = 0;
}

/* --- The states of streams --- */

static void update_server(struct shard *shard, struct server_ref server)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (shard->has_series[counters_index(server.number, role)]) {
            stream_states_add(shard->labels->streams, server, role,
                              &shard->streams[stream_index(server.number, role)], shard->now_ns);
        }
    }
    if (shard->heard[server.number]) {
        server_set_touch(shard->labels->servers, server, shard->now_ns);
        shard->heard[server.number] = false;
    }
}

/* A server that left may have been replaced by one that sends to another shard. */
COLD static void update_streams(struct shard *shard)
{
    for (unsigned number = 0; number < shard->servers_end; number++) {
        struct server_ref server = {number, shard->counters.generations[number]};
        uint32_t current = server_set_generation(shard->labels->servers, number);

        if (current == server.generation) {
            update_server(shard, server);
        } else {
            expire_server(shard, (struct server_ref){number, current});
        }
    }
}

/* Returns the flags of the frame's stream, which this frame may have changed: of one that has
 * responses only, it is one. */
static unsigned shard_update_stream(struct shard *shard, const struct source *source,
                                    struct server_ref server, const struct event *event)
{
    struct stream_states *states = shard->labels->streams;
    size_t index = stream_index(server.number, event->role);
    bool query = event->kind == KIND_QUERY;
    unsigned ended = query ? STREAM_RESPONSES_ONLY : STREAM_QUERIES_ONLY;
    unsigned begun = query && event->dns.defect == DNS_DEFECT_MISSING ? STREAM_EMPTY_QUERIES : 0u;
    unsigned flags = stream_states_flags(states, index);

    shard->streams[index].messages[event->kind]++;
    if (source->sampled) {
        shard->streams[index].sampled = true;
    }
    if ((flags & ended) != 0) {
        stream_states_seen(states, index, event->kind);
    }
    if ((begun & ~flags) != 0) {
        stream_states_set(states, index, begun);
    }
    return (flags & ~ended) | begun;
}

/* --- A frame --- */

/* When the server saw the message; 0 where the frame does not say. */
static uint64_t event_time_ns(const struct event *event)
{
    bool query = event->kind == KIND_QUERY;
    uint64_t own = query ? event->query_time_ns : event->response_time_ns;
    uint64_t counterpart = query ? event->response_time_ns : event->query_time_ns;

    return own != 0 ? own : counterpart;
}

static uint64_t shard_distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Files: the clock is the latest time stamp of the recording. One that is far from it is an error,
 * or comes after a silence, or is of another recording that was joined without a START, which the
 * next one tells by being far as well and near to this one. Returns the frame's arrival. */
static uint64_t shard_update_frame_time(struct shard *shard, uint64_t event_ns)
{
    bool ahead = event_ns > shard->now_ns && event_ns - shard->now_ns > AHEAD_NS;
    bool behind = event_ns < shard->now_ns && shard->now_ns - event_ns > OTHER_RECORDING_NS;
    bool far = shard->now_ns != 0 && (ahead || behind);
    bool confirmed = shard->far_ns != 0 &&
                     shard_distance(event_ns, shard->far_ns) <= OTHER_RECORDING_NS;

    if (far && !confirmed && !shard->begins) {
        shard->far_ns = event_ns;
        return event_ns;
    }
    shard->far_ns = 0;
    if (far || shard->begins || event_ns > shard->now_ns) {
        shard->begins = false;
        shard->now_ns = event_ns;
        shard_update_clock(shard);
    }
    if (shard_distance(shard->now_ns, shard->streams_ns) >= STREAMS_NS) {
        shard->streams_ns = shard->now_ns;
        update_streams(shard);
    }
    return shard->now_ns;
}

/* Returns when the frame arrived, on the clock of the time-outs. */
static uint64_t shard_update_time(struct shard *shard, struct input_counters *input,
                                  const struct event *event)
{
    uint64_t event_ns = event_time_ns(event);

    if (event_ns == 0) {
        return shard->now_ns;
    }
    if (shard->time == SHARD_TIME_FRAMES) {
        return shard_update_frame_time(shard, event_ns);
    }
    /* Clocks of two machines differ: what seems to come from the future took no time. */
    uint64_t delay_ns = shard->realtime_ns > event_ns ? shard->realtime_ns - event_ns : 0;
    duration_observe(&input->ingest_delay, &ingest_delay_bounds, delay_ns);
    return shard->now_ns;
}

FLATTEN static void hash_name(const struct hash_key *secret, struct arrival *arrival)
{
    const struct dns_message *dns = &arrival->event.dns;

    arrival->qname_hash = 0;
    if (dns->has_question && role_asks_upstream(arrival->event.role)) {
        const struct bytes qname = {dns->qname, dns->qname_len};
        arrival->qname_hash = hash_finish(secret, hash_add_bytes(secret, HASH_START, qname));
    } else if (dns->has_question) {
        dns_name_sum(secret, (struct bytes){dns->qname, dns->qname_len}, &arrival->suffixes);
        arrival->qname_hash = hash_finish(secret, arrival->suffixes.sums[0]);
    }
}

static void record_event(struct shard *shard, struct source *source, struct arrival *arrival)
{
    struct event *event = &arrival->event;
    struct server_ref sender = shard_server_of(shard, source, event->identity);
    struct server_ref server = counted_server(shard, sender, event->role);
    const struct message_counter counter = {
        .labels = shard->labels,
        .server = counters_of_server(&shard->counters, server.number, event->role),
        .answers = counters_of_answers(&shard->counters, server.number, event->role),
        .global = &shard->counters.global,
        .now_ns = shard->now_ns,
    };

    shard->heard[sender.number] = true;
    arrival->flags = shard_update_stream(shard, source, server, event);
    message_counter_add(&counter, event);
    if ((arrival->flags & STREAM_RESPONSES_ONLY) != 0) {
        message_counter_add_query_of(&counter, event);
    }
    hash_name(&shard->labels->key, arrival);
    if (event->has_policy) {
        shard->counters.policies[server.number]
            .actions[event->policy_action][event->policy_match]++;
    }
    matching_prepare(&shard->matching, event, server, source->sampled, arrival->qname_hash,
                     &arrival->pending);
    if (++shard->arrival_count == ARRIVALS_MAX) {
        record_arrivals(shard);
    }
}

FLATTEN enum decode_status shard_record(struct shard *shard, struct source *source,
                                        struct bytes frame)
{
    static const enum reject_reason reject_reason_of[] = {
        [DECODE_PROTOBUF] = REJECTED_PROTOBUF,
        [DECODE_NOT_MESSAGE] = REJECTED_NOT_MESSAGE,
        [DECODE_MESSAGE_TYPE] = REJECTED_MESSAGE_TYPE,
    };
    struct input_counters *input = &shard->counters.inputs[source->input];
    struct arrival *arrival = &shard->arrivals[shard->arrival_count];
    enum decode_status status = event_read(frame, &arrival->event);

    shard->frames++;
    input->frames++;
    input->frame_bytes += frame.len;
    if (status == DECODE_OK) {
        arrival->pending.arrived_ns = shard_update_time(shard, input, &arrival->event);
        if (shard->arrival_count == 0 && arrival != shard->arrivals) { /* the others have left */
            shard->arrivals[0] = *arrival;
            arrival = shard->arrivals;
        }
        record_event(shard, source, arrival);
    } else {
        input->rejected[reject_reason_of[status]]++;
    }
    return status;
}

void shard_begin_recording(struct shard *shard)
{
    shard->begins = true;
}

void shard_end(struct shard *shard)
{
    record_arrivals(shard);
    end_turn(shard);
}

void shard_expire(struct shard *shard)
{
    bool live = shard->time == SHARD_TIME_LIVE;
    size_t sets_max = live ? SIZE_MAX : SWEEP_SETS_PER_FRAME * shard->frames;

    record_arrivals(shard);
    matching_expire(&shard->matching, shard->now_ns, sets_max);
    shard->frames = 0;
    if (live) {
        update_streams(shard);
    }
}

void shard_flush(struct shard *shard)
{
    record_arrivals(shard);
    matching_flush(&shard->matching);
}
