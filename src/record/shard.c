/* SPDX-License-Identifier: Apache-2.0 */
#include "record/shard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "count/matcher.h"
#include "count/transaction_key.h"

/* Frames of one server come up to a second out of order (measured on Unbound and BIND). A response
 * waits twice as long for its query. */
#define RESPONSE_TIMEOUT_NS (2 * NS_PER_SECOND)

/* Time stamps further apart than this are of different recordings. */
#define OTHER_RECORDING_NS (3600 * NS_PER_SECOND)

/* A time stamp that is further ahead than this is an error, unless the next one is as well. */
#define AHEAD_NS (30 * NS_PER_SECOND)

/* Longer times are clock errors; what they add to a histogram's sum must not drown the rest. */
#define DURATION_MAX_NS (3600 * NS_PER_SECOND)

/* How long an answered query is remembered, to know duplicates of its response: Unbound, which
 * answers with an expired record first, sends the second one within this time (serve-expired). */
#define ANSWERED_TIMEOUT_NS (2 * NS_PER_SECOND)

/* How often the states of streams are brought up to date in files; live it is twice a second. */
#define STREAMS_NS (NS_PER_SECOND / 2)

/* Files: sets of waiting messages that a frame pays for. The table is swept once a second where
 * frames are dense, and the work follows the frames where they are not. */
#define SWEEP_SETS_PER_FRAME 4

/* Frames on their way: the memory that they touch is being fetched meanwhile. */
#define ARRIVALS_MAX 8

struct arrival {
    struct observation seen;
    struct dns_name_suffixes suffixes; /* of its name, if it has a question */
    uint64_t qname_hash;
    uint64_t arrived_ns;
    unsigned flags; /* of its stream */
    bool has_key;   /* it can have a counterpart */
    struct transaction_key key;
    struct matcher_message message;
};

/* The servers seen last, by the hash of their identities: a stream may bring many in turn. */
#define IDENTITIES 256

struct identity {
    uint64_t sum; /* of its bytes (base/hash.h); 0: none */
    struct server_ref server;
};

struct shard {
    struct vocabulary *vocabulary;
    struct tally tally;
    struct matcher *matcher;
    struct arrival arrivals[ARRIVALS_MAX];
    unsigned arrival_count;
    struct identity identities[IDENTITIES];
    struct stream_counts *streams;      /* [servers * ROLE_COUNT], see stream_index() */
    bool *has_series;                   /* [servers * ROLE_COUNT]: this shard counts into them */
    bool *heard;                        /* [servers]: since the states were brought up to date */
    unsigned servers_end;               /* server numbers seen here are below */
    uint32_t code_versions[CODE_KINDS]; /* that the tally is of */
    struct feed *feed;                  /* NULL: no lists, no detectors */
    enum shard_time time;
    uint64_t now_ns;      /* of this batch, for time-outs; in files the latest time stamp seen */
    uint64_t realtime_ns; /* of this batch; 0 in files */
    uint64_t far_ns;      /* files: the last time stamp, if it was far from now_ns; else 0 */
    bool begins;          /* files: a recording began, and no time stamp came yet */
    uint64_t streams_ns;  /* files: when the states of streams were brought up to date */
    uint64_t frames;      /* files: since the last sweep */
    /* `batch` is held while the tally changes or is read. A busy worker takes it again at once, so
     * `turn` lets a reader that waits be next. */
    pthread_mutex_t turn;
    pthread_mutex_t batch;
};

size_t shard_memory(const struct metrics_limits *limits)
{
    size_t streams = (limits->servers + (size_t)1) * ROLE_COUNT;

    return sizeof(struct shard) + streams * (sizeof(struct stream_counts) + 2 * sizeof(bool));
}

int shard_create(struct shard **out, struct vocabulary *vocabulary,
                 const struct metrics_limits *limits, unsigned input_count, enum shard_time time)
{
    const struct matcher_timeouts timeouts = {
        .query_ns = limits->matching_timeout_ns,
        .response_ns = RESPONSE_TIMEOUT_NS,
        .answered_ns = ANSWERED_TIMEOUT_NS,
    };
    struct shard *shard = calloc(1, sizeof *shard);

    if (shard == NULL) {
        return -ENOMEM;
    }
    shard->vocabulary = vocabulary;
    shard->time = time;
    (void)pthread_mutex_init(&shard->turn, NULL);
    (void)pthread_mutex_init(&shard->batch, NULL);
    shard->streams = calloc((limits->servers + (size_t)1) * ROLE_COUNT, sizeof *shard->streams);
    shard->has_series = calloc((limits->servers + (size_t)1) * ROLE_COUNT,
                               sizeof *shard->has_series);
    shard->heard = calloc(limits->servers + (size_t)1, sizeof *shard->heard);
    if (!shard->streams || !shard->has_series || !shard->heard ||
        tally_init(&shard->tally, limits->servers + 1, input_count) < 0 ||
        matcher_create(&shard->matcher, limits->matching_capacity, &timeouts) < 0) {
        shard_free(shard);
        return -ENOMEM;
    }
    *out = shard;
    return 0;
}

void shard_free(struct shard *shard)
{
    if (shard != NULL) {
        feed_free(shard->feed);
        matcher_free(shard->matcher);
        free(shard->streams);
        free(shard->has_series);
        free(shard->heard);
        tally_deinit(&shard->tally);
        (void)pthread_mutex_destroy(&shard->batch);
        (void)pthread_mutex_destroy(&shard->turn);
        free(shard);
    }
}

void shard_set_feed(struct shard *shard, struct feed *feed)
{
    shard->feed = feed;
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
static void follow_clock(struct shard *shard)
{
    if (shard->feed != NULL && feed_is_due(shard->feed, shard->now_ns)) {
        record_arrivals(shard);
        feed_follow(shard->feed, shard->now_ns);
    }
}

int shard_open_source(struct shard *shard, struct source *source)
{
    return server_holder_open(shard->vocabulary->servers, &source->holder);
}

void shard_close_source(struct shard *shard, struct source *source)
{
    server_holder_close(shard->vocabulary->servers, &source->holder);
}

/* --- Codes whose slots changed hands --- */

static uint64_t *code_counts(struct cell *cell, enum code_kind kind)
{
    uint64_t *const counts[CODE_KINDS] = {
        [CODE_QTYPE] = cell->qtypes,
        [CODE_RCODE] = cell->rcodes,
        [CODE_INFO_CODE] = cell->info_codes,
    };

    return counts[kind];
}

/* Counts of numbers that have lost their slots since `version` go where numbers without one are
 * counted, and so does what the slot's new number has counted since the last batch. */
COLD static void move_codes(struct tally *tally, const struct code_set *codes, enum code_kind kind,
                            uint32_t version)
{
    size_t cells = (size_t)tally->server_count * ROLE_COUNT;

    for (size_t i = 0; i < cells; i++) {
        if (tally->seen[i]) {
            code_set_moves(codes, version, code_counts(&tally->cells[i], kind));
        }
    }
}

/* Bring a tally that is of *version up to `now`. */
static inline void follow_codes(struct tally *tally, const struct code_set *codes,
                                enum code_kind kind, uint32_t *version, uint32_t now)
{
    if (*version != now) {
        move_codes(tally, codes, kind, *version);
        *version = now;
    }
}

static void follow_all_codes(struct shard *shard)
{
    for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
        const struct code_set *codes = shard->vocabulary->codes[kind];
        follow_codes(&shard->tally, codes, kind, &shard->code_versions[kind],
                     code_set_version(codes));
    }
}

void shard_begin(struct shard *shard)
{
    take_turn(shard);
    follow_all_codes(shard);
    if (shard->time == SHARD_TIME_LIVE) {
        shard->now_ns = clock_monotonic_ns();
        shard->realtime_ns = clock_realtime_ns();
        follow_clock(shard);
    }
}

void shard_set_suffixes(struct shard *shard, const struct suffix_table *suffixes)
{
    take_turn(shard);
    if (shard->feed != NULL) {
        feed_set_suffixes(shard->feed, suffixes);
    }
    end_turn(shard);
}

static void add_feed(const struct feed *feed, struct shard_sum *sum)
{
    struct common_tally *traffic = &sum->traffic;

    feed_add_to(feed, sum->pane, &sum->step);
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        sum->top_evictions[list] += feed_evictions(feed, list);
    }
    traffic->overflows[LIMIT_DETECTION_CLIENTS] += feed_evidence_evictions(
        feed, DETECTOR_NXDOMAIN_CLIENT);
    traffic->overflows[LIMIT_DETECTION_DOMAINS] += feed_evidence_evictions(
        feed, DETECTOR_NXDOMAIN_DOMAIN);
}

int shard_sum_init(struct shard_sum *sum, const struct metrics_limits *limits, unsigned input_count)
{
    struct shard_sum made = {.pane = NULL};

    if (tally_init(&made.tally, limits->servers + 1, input_count) < 0 ||
        tally_init(&made.spare, limits->servers + 1, input_count) < 0) {
        shard_sum_deinit(&made);
        return -ENOMEM;
    }
    *sum = made;
    return 0;
}

void shard_sum_deinit(struct shard_sum *sum)
{
    tally_deinit(&sum->tally);
    tally_deinit(&sum->spare);
    pane_free(sum->pane);
    *sum = (struct shard_sum){0};
}

void shard_sum_begin(struct shard_sum *sum)
{
    sum->traffic = (struct common_tally){0};
    memset(sum->top_evictions, 0, sizeof sum->top_evictions);
    sum->step = 0;
    if (sum->pane != NULL) {
        pane_clear(sum->pane);
    }
}

/* The spare has no counts. Where it is of another server than the shard's, its memory goes back. */
static void follow_generations(struct tally *spare, const uint32_t *generations)
{
    for (unsigned server = 0; server < spare->server_count; server++) {
        if (spare->generations[server] != generations[server]) {
            tally_expire(spare, server, generations[server]);
        }
    }
}

static void exchange_tallies(struct shard *shard, struct shard_sum *sum)
{
    struct tally counted = shard->tally;

    follow_generations(&sum->spare, counted.generations);
    shard->tally = sum->spare;
    sum->spare = counted;
}

/* Of the sum's tally and the shard's, the latter is of later versions, or of the same. */
static void add_spare(struct shard_sum *sum, const struct vocabulary *vocabulary,
                      const uint32_t versions[CODE_KINDS])
{
    for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
        follow_codes(&sum->tally, vocabulary->codes[kind], kind, &sum->code_versions[kind],
                     versions[kind]);
    }
    tally_add(&sum->tally, &sum->spare);
    tally_clear(&sum->spare);
}

void shard_add_to(struct shard *shard, struct shard_sum *sum)
{
    uint32_t versions[CODE_KINDS];

    take_turn(shard);
    follow_all_codes(shard);
    memcpy(versions, shard->code_versions, sizeof versions);
    exchange_tallies(shard, sum);
    if (shard->feed != NULL) {
        add_feed(shard->feed, sum);
    }
    end_turn(shard);
    add_spare(sum, shard->vocabulary, versions);
}

void shard_sum_follow_codes(struct shard_sum *sum, const struct vocabulary *vocabulary)
{
    for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
        const struct code_set *codes = vocabulary->codes[kind];
        follow_codes(&sum->tally, codes, kind, &sum->code_versions[kind], code_set_version(codes));
    }
}

void shard_record_accepted(struct shard *shard, unsigned input)
{
    shard->tally.inputs[input].accepted++;
}

void shard_record_closed(struct shard *shard, unsigned input, enum close_reason why)
{
    shard->tally.inputs[input].closed[why]++;
}

void shard_record_overflow(struct shard *shard, enum limit limit)
{
    shard->tally.common.overflows[limit]++;
}

void shard_record_oversize(struct shard *shard, const struct source *source)
{
    struct input_tally *input = &shard->tally.inputs[source->input];

    input->frames++;
    input->rejected[REJECTED_OVERSIZE]++;
}

/* --- The server --- */

static struct server_ref look_up(struct shard *shard, struct source *source, struct bytes identity)
{
    struct server_set *servers = shard->vocabulary->servers;
    const struct hash_key *secret = &shard->vocabulary->key;

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

    tally_expire(&shard->tally, server.number, server.generation);
    memset(&shard->streams[first], 0, ROLE_COUNT * sizeof shard->streams[0]);
    memset(&shard->has_series[first], 0, ROLE_COUNT * sizeof shard->has_series[0]);
    stream_states_begin(shard->vocabulary->streams, server);
}

static bool is_known(const struct shard *shard, const struct source *source, struct bytes identity)
{
    struct bytes known = {source->identity, source->identity_len};

    if (shard->now_ns >= source->valid_until_ns || !bytes_equal(identity, known)) {
        return false;
    }
    return server_set_is_current(shard->vocabulary->servers, source->server);
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
static struct server_ref server_of(struct shard *shard, struct source *source,
                                   struct bytes identity)
{
    if (!is_known(shard, source, identity)) {
        source->server = look_up(shard, source, identity);
        remember_server(shard, source, identity);
        if (source->server.generation != shard->tally.generations[source->server.number]) {
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

    if (!server_set_take_series(shard->vocabulary->servers, server, role)) {
        shard_record_overflow(shard, LIMIT_SERIES);
        server = other;
    }
    shard->has_series[tally_index(server.number, role)] = true;
    return server;
}

/* The server under whose label the frame counts. */
static struct server_ref counted_server(struct shard *shard, struct server_ref server,
                                        enum role role)
{
    return shard->has_series[tally_index(server.number, role)] ? server
                                                               : take_series(shard, server, role);
}

static unsigned slot_of(struct shard *shard, enum code_kind kind, uint16_t code, enum limit limit)
{
    unsigned slot = code_set_slot(shard->vocabulary->codes[kind], code, shard->now_ns);

    if (slot == CODE_SLOT_OTHER) {
        shard_record_overflow(shard, limit);
    }
    return slot;
}

static uint64_t at_most(uint64_t value, uint64_t bound)
{
    return value < bound ? value : bound;
}

/* --- Counters of a frame, without matching --- */

static void record_edns_options(struct cell *cell, enum kind kind, uint8_t options)
{
    for (unsigned option = 0; options >> option != 0; option++) {
        cell->edns_options[kind][option] += (unsigned)options >> option & 1u;
    }
}

static unsigned qtype_slot(struct shard *shard, const struct dns_message *dns)
{
    if (dns->has_question) {
        return slot_of(shard, CODE_QTYPE, dns->qtype, LIMIT_QTYPES);
    }
    bool none = dns->defect == DNS_DEFECT_MISSING || (dns->has_header && !dns->question_promised);
    return none ? CODE_SLOT_NONE : CODE_SLOT_MALFORMED;
}

/* RFC 1035 section 3.2.4 and RFC 2136 section 2.4. */
static enum query_class class_of(uint16_t qclass)
{
    switch (qclass) {
    case 1:
        return QUERY_CLASS_IN;
    case 3:
        return QUERY_CLASS_CH;
    case 4:
        return QUERY_CLASS_HS;
    case 254:
        return QUERY_CLASS_NONE;
    case 255:
        return QUERY_CLASS_ANY;
    default:
        return QUERY_CLASS_OTHER;
    }
}

static void record_question(struct shard *shard, struct cell *cell, const struct dns_message *dns)
{
    cell->qtypes[qtype_slot(shard, dns)]++;
    if (dns->has_question) {
        histogram_add(&cell->qname_size, &qname_size_bounds, dns->qname_len);
        cell->classes[class_of(dns->qclass)]++;
    }
}

static void record_query(struct shard *shard, struct cell *cell, const struct dns_message *dns)
{
    record_question(shard, cell, dns);
    if (!dns->has_header) {
        return;
    }
    cell->opcodes[dns->opcode]++;
    cell->query_flags[QUERY_FLAG_RD] += (dns->flags & DNS_FLAG_RD) != 0;
    cell->query_flags[QUERY_FLAG_CD] += (dns->flags & DNS_FLAG_CD) != 0;
    cell->query_flags[QUERY_FLAG_AD] += (dns->flags & DNS_FLAG_AD) != 0;
    cell->query_flags[QUERY_FLAG_DO] += dns->edns.dnssec_ok;
    cell->query_flags[QUERY_FLAG_EDNS] += dns->edns.present;
}

static void record_response(struct shard *shard, struct cell *cell, const struct dns_message *dns)
{
    if (!dns->has_header) {
        cell->rcodes[CODE_SLOT_MALFORMED]++;
        cell->outcomes[DNS_OUTCOME_OTHER]++;
        return;
    }
    cell->rcodes[slot_of(shard, CODE_RCODE, dns->rcode, LIMIT_RCODES)]++;
    cell->outcomes[dns->outcome]++;
    cell->response_flags[RESPONSE_FLAG_AA] += (dns->flags & DNS_FLAG_AA) != 0;
    cell->response_flags[RESPONSE_FLAG_TC] += (dns->flags & DNS_FLAG_TC) != 0;
    cell->response_flags[RESPONSE_FLAG_RA] += (dns->flags & DNS_FLAG_RA) != 0;
    cell->response_flags[RESPONSE_FLAG_AD] += (dns->flags & DNS_FLAG_AD) != 0;
    for (unsigned i = 0; i < dns->edns.info_code_len; i++) {
        uint16_t code = dns->edns.info_codes[i];
        cell->info_codes[slot_of(shard, CODE_INFO_CODE, code, LIMIT_INFO_CODES)]++;
    }
}

static void record_message(struct shard *shard, struct cell *cell, const struct observation *seen)
{
    const struct histogram_bounds *sizes = seen->kind == KIND_QUERY ? &query_size_bounds
                                                                    : &response_size_bounds;

    cell->messages[seen->kind][seen->family][seen->transport]++;
    cell->malformed[seen->kind][seen->dns.defect]++;
    record_edns_options(cell, seen->kind, seen->dns.edns.options);
    if (seen->dns.defect != DNS_DEFECT_MISSING) {
        histogram_add(&cell->message_size[seen->kind][seen->transport], sizes, seen->message_size);
    }
    if (seen->kind == KIND_QUERY) {
        record_query(shard, cell, &seen->dns);
        cell->doh_queries[seen->http_version] += seen->transport == TRANSPORT_DOH;
    } else {
        record_response(shard, cell, &seen->dns);
    }
}

/* --- Responses without queries --- */

/* A response tells its question where it has none from the query that comes with it. */
static void adopt_question(struct dns_message *response, const struct dns_message *query)
{
    response->has_question = true;
    response->qtype = query->qtype;
    response->qclass = query->qclass;
    response->qname_len = query->qname_len;
    memcpy(response->qname, query->qname, query->qname_len);
}

/* Where a server sends responses only, what queries tell is taken from them: from the query's
 * message if the frame carries it, else from the question. */
COLD static void record_query_of_response(struct shard *shard, struct cell *cell,
                                          struct observation *seen)
{
    struct dns_message query;

    if (seen->query.len == 0) {
        record_question(shard, cell, &seen->dns);
        return;
    }
    dns_message_read(seen->query, &query);
    record_query(shard, cell, &query);
    if (query.has_question && !seen->dns.has_question) {
        adopt_question(&seen->dns, &query);
    }
}

/* --- Matching queries and responses --- */

/* The cell of a message; NULL where its server has left since. */
static struct cell *cell_of(struct shard *shard, const struct matcher_message *message)
{
    struct tally *tally = &shard->tally;

    if (message->generation != (uint8_t)tally->generations[message->server]) {
        return NULL;
    }
    return tally_cell(tally, message->server, (enum role)message->role);
}

static size_t stream_of(const struct matcher_message *message)
{
    return stream_index(message->server, (enum role)message->role);
}

/* What has no counterpart is counted only where one was to be expected; a stream that lacks them is
 * known by the counts beside. */
static bool expects_counterparts(const struct shard *shard, const struct matcher_message *message)
{
    unsigned flags = stream_states_flags(shard->vocabulary->streams, stream_of(message));

    return !message->sampled && (flags & STREAM_INCOMPLETE) == 0;
}

static void count_unmatched(struct shard *shard, struct cell *cell,
                            const struct matcher_message *response)
{
    shard->streams[stream_of(response)].unmatched++;
    cell->unmatched_responses += expects_counterparts(shard, response);
}

static void on_timeout(void *context, const struct matcher_message *message)
{
    struct shard *shard = context;
    struct cell *cell = cell_of(shard, message);

    if (cell == NULL) {
        return;
    }
    if (message->kind == KIND_QUERY) {
        shard->streams[stream_of(message)].unanswered++;
        cell->unanswered_queries += expects_counterparts(shard, message);
    } else if (message->self_timed) { /* it had its response time without its query */
        shard->streams[stream_of(message)].unmatched++;
    } else {
        count_unmatched(shard, cell, message);
    }
}

COLD static void on_evict(struct shard *shard, const struct matcher_message *message)
{
    shard->tally.common.matching_evictions++;
    if (message->kind == KIND_RESPONSE) { /* a query pushed out may yet be answered */
        on_timeout(shard, message);
    }
}

static void record_response_time(struct cell *cell, uint64_t query_ns, uint64_t response_ns)
{
    if (response_ns < query_ns) {
        cell->negative_response_times++;
        return;
    }
    histogram_add(&cell->response_time, &response_time_bounds,
                  at_most(response_ns - query_ns, DURATION_MAX_NS));
}

/* A query and its response that is not self_timed. */
static void on_match(struct shard *shard, const struct matcher_message *query,
                     const struct matcher_message *response)
{
    struct cell *cell = cell_of(shard, response);

    if (cell == NULL) {
        return;
    }
    if (query->time_ns == 0) {
        count_unmatched(shard, cell, response);
    } else {
        record_response_time(cell, query->time_ns, response->time_ns);
    }
}

/* The response's stream does not lack queries, however long ago this one was and whatever its
 * identity; nor does the query's lack responses. */
static void note_both_directions(struct shard *shard, const struct matcher_message *query,
                                 const struct matcher_message *response)
{
    shard->streams[stream_of(response)].has_queries = true;
    if (query->server != response->server) {
        shard->streams[stream_of(query)].has_responses = true;
    }
}

/* Some queries of the server come without their messages: the response may belong to one of these,
 * which are known by their addresses only. */
COLD static void match_by_addresses(struct shard *shard, struct arrival *arrival)
{
    struct transaction_key key = transaction_key_of_addresses(&shard->vocabulary->key,
                                                              &arrival->seen);
    struct matcher_message response = arrival->message;

    response.has_question = false;
    if (!matcher_knows_query(shard->matcher, &arrival->key, &arrival->message,
                             arrival->arrived_ns) &&
        matcher_knows_query(shard->matcher, &key, &response, arrival->arrived_ns)) {
        arrival->key = key;
        arrival->message = response;
    }
}

/* What a response frame says of the response time by itself. */
static void record_self_timed(struct shard *shard, const struct arrival *arrival)
{
    const struct observation *seen = &arrival->seen;
    struct cell *cell = cell_of(shard, &arrival->message);

    if (cell == NULL) {
        return;
    }
    if (seen->query_time_ns != 0 && seen->response_time_ns != 0) {
        record_response_time(cell, seen->query_time_ns, seen->response_time_ns);
    } else { /* no time stamp, or nothing to know its query by */
        count_unmatched(shard, cell, &arrival->message);
    }
}

COLD static void record_duplicate(struct shard *shard, const struct matcher_message *response)
{
    struct cell *cell = cell_of(shard, response);

    if (cell != NULL) {
        cell->duplicate_responses++;
        shard->streams[stream_of(response)].has_queries = true;
    }
}

static void on_counterpart(struct shard *shard, const struct matcher_message *message,
                           const struct matcher_message *other)
{
    bool is_query = message->kind == KIND_QUERY;
    const struct matcher_message *query = is_query ? message : other;
    const struct matcher_message *response = is_query ? other : message;

    note_both_directions(shard, query, response);
    if (!response->self_timed) {
        on_match(shard, query, response);
    }
}

/* Returns false where it is a further response to a query that was answered. */
static bool match(struct shard *shard, const struct arrival *arrival)
{
    struct matcher_message other;

    switch (matcher_enqueue(shard->matcher, &arrival->key, &arrival->message, arrival->arrived_ns,
                            &other)) {
    case MATCHER_MATCHED:
        on_counterpart(shard, &arrival->message, &other);
        break;
    case MATCHER_DUPLICATE:
        return false;
    case MATCHER_TIMED_OUT:
        on_timeout(shard, &other);
        break;
    case MATCHER_EVICTED:
        on_evict(shard, &other);
        break;
    case MATCHER_QUEUED:
        break;
    }
    return true;
}

/* The part of a frame's counting that waits for memory. */
static void record_arrival(struct shard *shard, struct arrival *arrival)
{
    const struct matcher_message *message = &arrival->message;
    bool is_response = message->kind == KIND_RESPONSE;

    if (is_response && (arrival->flags & STREAM_EMPTY_QUERIES) != 0 && arrival->has_key) {
        match_by_addresses(shard, arrival);
    }
    bool is_new = !arrival->has_key || match(shard, arrival);
    if (!is_new) {
        record_duplicate(shard, message);
    } else if (message->self_timed || (is_response && !arrival->has_key)) {
        record_self_timed(shard, arrival);
    }
    if (shard->feed != NULL && is_new) {
        feed_record(shard->feed, &arrival->seen, &arrival->suffixes, arrival->qname_hash,
                    (arrival->flags & STREAM_RESPONSES_ONLY) != 0);
    } else if (shard->feed != NULL) {
        feed_record_duplicate(shard->feed, &arrival->seen);
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
        if (shard->has_series[tally_index(server.number, role)]) {
            stream_states_add(shard->vocabulary->streams, server, role,
                              &shard->streams[stream_index(server.number, role)], shard->now_ns);
        }
    }
    if (shard->heard[server.number]) {
        server_set_touch(shard->vocabulary->servers, server, shard->now_ns);
        shard->heard[server.number] = false;
    }
}

/* A server that left may have been replaced by one that sends to another shard. */
COLD static void update_streams(struct shard *shard)
{
    for (unsigned number = 0; number < shard->servers_end; number++) {
        struct server_ref server = {number, shard->tally.generations[number]};
        uint32_t current = server_set_generation(shard->vocabulary->servers, number);

        if (current == server.generation) {
            update_server(shard, server);
        } else {
            expire_server(shard, (struct server_ref){number, current});
        }
    }
}

/* Returns the flags of the frame's stream, which this frame may have changed: of one that has
 * responses only, it is one. */
static unsigned follow_stream(struct shard *shard, const struct source *source,
                              struct server_ref server, const struct observation *seen)
{
    struct stream_states *states = shard->vocabulary->streams;
    size_t index = stream_index(server.number, seen->role);
    bool query = seen->kind == KIND_QUERY;
    unsigned ended = query ? STREAM_RESPONSES_ONLY : STREAM_QUERIES_ONLY;
    unsigned begun = query && seen->dns.defect == DNS_DEFECT_MISSING ? STREAM_EMPTY_QUERIES : 0u;
    unsigned flags = stream_states_flags(states, index);

    shard->streams[index].messages[seen->kind]++;
    if (source->sampled) {
        shard->streams[index].sampled = true;
    }
    if ((flags & ended) != 0) {
        stream_states_seen(states, index, seen->kind);
    }
    if ((begun & ~flags) != 0) {
        stream_states_set(states, index, begun);
    }
    return (flags & ~ended) | begun;
}

/* --- A frame --- */

/* When the server saw the message; 0 where the frame does not say. */
static uint64_t event_time_ns(const struct observation *seen)
{
    bool query = seen->kind == KIND_QUERY;
    uint64_t own = query ? seen->query_time_ns : seen->response_time_ns;
    uint64_t counterpart = query ? seen->response_time_ns : seen->query_time_ns;

    return own != 0 ? own : counterpart;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Files: the clock is the latest time stamp of the recording. One that is far from it is an error,
 * or comes after a silence, or is of another recording that was joined without a START, which the
 * next one tells by being far as well and near to this one. Returns the frame's arrival. */
static uint64_t follow_frames(struct shard *shard, uint64_t event_ns)
{
    bool ahead = event_ns > shard->now_ns && event_ns - shard->now_ns > AHEAD_NS;
    bool behind = event_ns < shard->now_ns && shard->now_ns - event_ns > OTHER_RECORDING_NS;
    bool far = shard->now_ns != 0 && (ahead || behind);
    bool confirmed = shard->far_ns != 0 && distance(event_ns, shard->far_ns) <= OTHER_RECORDING_NS;

    if (far && !confirmed && !shard->begins) {
        shard->far_ns = event_ns;
        return event_ns;
    }
    shard->far_ns = 0;
    if (far || shard->begins || event_ns > shard->now_ns) {
        shard->begins = false;
        shard->now_ns = event_ns;
        follow_clock(shard);
    }
    if (distance(shard->now_ns, shard->streams_ns) >= STREAMS_NS) {
        shard->streams_ns = shard->now_ns;
        update_streams(shard);
    }
    return shard->now_ns;
}

/* Returns when the frame arrived, on the clock of the time-outs. */
static uint64_t follow_time(struct shard *shard, struct input_tally *input,
                            const struct observation *seen)
{
    uint64_t event_ns = event_time_ns(seen);

    if (event_ns == 0) {
        return shard->now_ns;
    }
    if (shard->time == SHARD_TIME_FRAMES) {
        return follow_frames(shard, event_ns);
    }
    /* Clocks of two machines differ: what seems to come from the future took no time. */
    uint64_t delay_ns = shard->realtime_ns > event_ns ? shard->realtime_ns - event_ns : 0;
    histogram_add(&input->ingest_delay, &ingest_delay_bounds, at_most(delay_ns, DURATION_MAX_NS));
    return shard->now_ns;
}

static bool has_key(const struct observation *seen)
{
    if (seen->dns.has_header) {
        return true;
    }
    return seen->kind == KIND_QUERY && seen->dns.defect == DNS_DEFECT_MISSING &&
           seen->query_address.len > 0;
}

/* By what the frame's counterpart is found, and what it needs to know of it. */
static void prepare_matching(struct shard *shard, const struct source *source,
                             struct server_ref server, struct arrival *arrival)
{
    const struct observation *seen = &arrival->seen;
    const struct hash_key *secret = &shard->vocabulary->key;
    bool query = seen->kind == KIND_QUERY;

    arrival->has_key = has_key(seen);
    if (arrival->has_key) {
        arrival->key = seen->dns.has_header
                           ? transaction_key_make(secret, seen, arrival->qname_hash)
                           : transaction_key_of_addresses(secret, seen);
        matcher_prefetch(shard->matcher, &arrival->key);
    }
    arrival->message = (struct matcher_message){
        .time_ns = query ? seen->query_time_ns : seen->response_time_ns,
        .server = (uint16_t)server.number,
        .generation = (uint8_t)server.generation,
        .role = seen->role & 0xfu,
        .kind = seen->kind & 1u,
        .has_question = seen->dns.has_question,
        .self_timed = !query && (seen->query_time_ns != 0 || seen->response_time_ns == 0),
        .sampled = source->sampled,
    };
}

FLATTEN static void hash_name(const struct hash_key *secret, struct arrival *arrival)
{
    const struct dns_message *dns = &arrival->seen.dns;

    arrival->qname_hash = 0;
    if (dns->has_question) {
        dns_name_sum(secret, (struct bytes){dns->qname, dns->qname_len}, &arrival->suffixes);
        arrival->qname_hash = hash_finish(secret, arrival->suffixes.sums[0]);
    }
}

static void record_observation(struct shard *shard, struct source *source, struct arrival *arrival)
{
    struct observation *seen = &arrival->seen;
    struct server_ref sender = server_of(shard, source, seen->identity);
    struct server_ref server = counted_server(shard, sender, seen->role);
    struct cell *cell = tally_cell(&shard->tally, server.number, seen->role);

    shard->heard[sender.number] = true;
    arrival->flags = follow_stream(shard, source, server, seen);
    record_message(shard, cell, seen);
    if ((arrival->flags & STREAM_RESPONSES_ONLY) != 0) {
        record_query_of_response(shard, cell, seen);
    }
    hash_name(&shard->vocabulary->key, arrival);
    if (seen->has_policy) {
        shard->tally.policies[server.number].actions[seen->policy_action][seen->policy_match]++;
    }
    prepare_matching(shard, source, server, arrival);
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
    struct input_tally *input = &shard->tally.inputs[source->input];
    struct arrival *arrival = &shard->arrivals[shard->arrival_count];
    enum decode_status status = observation_read(frame, &arrival->seen);

    shard->frames++;
    input->frames++;
    input->frame_bytes += frame.len;
    if (status == DECODE_OK) {
        arrival->arrived_ns = follow_time(shard, input, &arrival->seen);
        if (shard->arrival_count == 0 && arrival != shard->arrivals) { /* the others have left */
            shard->arrivals[0] = *arrival;
            arrival = shard->arrivals;
        }
        record_observation(shard, source, arrival);
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
    matcher_sweep(shard->matcher, shard->now_ns, sets_max, on_timeout, shard);
    shard->frames = 0;
    if (live) {
        update_streams(shard);
    }
    if (shard->feed != NULL) {
        feed_judge(shard->feed, shard->now_ns);
    }
}

void shard_flush(struct shard *shard)
{
    record_arrivals(shard);
    matcher_flush(shard->matcher, on_timeout, shard);
}
