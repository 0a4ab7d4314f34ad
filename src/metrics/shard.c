/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/shard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "metrics/pair_key.h"
#include "metrics/pairing.h"

/* Frames of one server come up to a second out of order (design: SERVERS), so a response waits
 * twice that for its query. */
#define RESPONSE_PATIENCE_NS (2 * NS_PER_SECOND)

/* Time stamps further apart than this are of different recordings. */
#define OTHER_RECORDING_NS (3600 * NS_PER_SECOND)

/* A time stamp that is further ahead than this is an error, unless the next one is as well. */
#define AHEAD_NS (30 * NS_PER_SECOND)

/* Longer times are clock errors; what they add to a histogram's sum must not drown the rest. */
#define DURATION_MAX_NS (3600 * NS_PER_SECOND)

/* Messages on their way to the pairing: what they touch there is being fetched meanwhile. */
#define ARRIVALS_MAX 8

struct arrival {
    uint64_t key;
    uint64_t arrived_ns;
    struct pairing_message message;
};

/* The servers seen last, by the hash of their identities: a stream may bring many in turn. */
#define IDENTITIES 256

struct identity {
    uint64_t sum; /* of its bytes (base/hash.h); 0: none */
    unsigned server;
};

struct shard {
    struct vocabulary *vocabulary;
    struct tally tally;
    struct pairing *pairing;
    struct arrival arrivals[ARRIVALS_MAX];
    unsigned arrival_count;
    struct identity identities[IDENTITIES];
    struct feed *feed; /* NULL: no lists, no detectors */
    enum shard_time time;
    uint64_t now_ns;      /* of this batch, for time-outs; in files the latest time stamp seen */
    uint64_t realtime_ns; /* of this batch; 0 in files */
    uint64_t far_ns;      /* files: the last time stamp, if it was far from now_ns; else 0 */
    /* `batch` is held while the tally changes or is read. A busy worker takes it again at once, so
     * `turn` lets a reader that waits be next. */
    pthread_mutex_t turn;
    pthread_mutex_t batch;
};

int shard_create(struct shard **out, struct vocabulary *vocabulary,
                 const struct metrics_limits *limits, unsigned input_count, enum shard_time time)
{
    const struct pairing_patience patience = {
        .query_ns = limits->pairing_timeout_ns,
        .response_ns = RESPONSE_PATIENCE_NS,
    };
    struct shard *shard = calloc(1, sizeof *shard);

    if (shard == NULL) {
        return -ENOMEM;
    }
    shard->vocabulary = vocabulary;
    shard->time = time;
    (void)pthread_mutex_init(&shard->turn, NULL);
    (void)pthread_mutex_init(&shard->batch, NULL);
    if (tally_init(&shard->tally, limits->servers + 1, input_count) < 0 ||
        pairing_create(&shard->pairing, limits->pairing_capacity, &patience) < 0) {
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
        pairing_free(shard->pairing);
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

static void follow_clock(struct shard *shard)
{
    if (shard->feed != NULL) {
        feed_follow(shard->feed, shard->now_ns);
    }
}

void shard_begin(struct shard *shard)
{
    take_turn(shard);
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
    struct common_tally *common = &sum->tally.common;

    feed_add_to(feed, sum->pane, &sum->step);
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        common->top_evictions[list] += feed_evictions(feed, list);
    }
    common->overflows[LIMIT_DETECTION_CLIENTS] += feed_evidence_evictions(
        feed, DETECTOR_NXDOMAIN_BURST_CLIENT);
    common->overflows[LIMIT_DETECTION_DOMAINS] += feed_evidence_evictions(
        feed, DETECTOR_NXDOMAIN_BURST_DOMAIN);
}

void shard_add_to(struct shard *shard, struct shard_sum *sum)
{
    take_turn(shard);
    tally_add(&sum->tally, &shard->tally);
    if (shard->feed != NULL) {
        add_feed(shard->feed, sum);
    }
    end_turn(shard);
}

void shard_record_accepted(struct shard *shard, unsigned input)
{
    shard->tally.inputs[input].accepted++;
}

void shard_record_closed(struct shard *shard, unsigned input, enum closing why)
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

static unsigned number_of(struct shard *shard, const struct source *source, struct bytes identity)
{
    struct server_set *servers = shard->vocabulary->servers;
    const struct hash_key *secret = &shard->vocabulary->key;

    if (identity.len == 0 || identity.len > SERVER_IDENTITY_MAX) {
        return server_set_number(servers, identity, source->input_name);
    }
    uint64_t sum = hash_add_bytes(secret, HASH_START, identity);
    struct identity *place = &shard->identities[hash_finish(secret, sum) % IDENTITIES];
    if (place->sum != sum) {
        *place = (struct identity){
            .sum = sum,
            .server = server_set_number(servers, identity, source->input_name),
        };
    }
    return place->server;
}

/* The number of the frame's server; most frames of a source come from the same one. */
static unsigned server_of(struct shard *shard, struct source *source, struct bytes identity)
{
    struct bytes known = {source->identity, source->identity_len};

    if (!source->has_server || !bytes_equal(identity, known)) {
        source->server = number_of(shard, source, identity);
        source->has_server = identity.len <= SERVER_IDENTITY_MAX;
        if (source->has_server && identity.len > 0) {
            memcpy(source->identity, identity.data, identity.len);
        }
        source->identity_len = source->has_server ? (uint8_t)identity.len : 0;
    }
    if (source->server == SERVER_OTHER) {
        shard_record_overflow(shard, LIMIT_SERVERS);
    }
    return source->server;
}

static unsigned slot_of(struct shard *shard, struct code_set *set, uint16_t code, enum limit limit)
{
    unsigned slot = code_set_slot(set, code);

    if (slot == CODE_SLOT_OTHER) {
        shard_record_overflow(shard, limit);
    }
    return slot;
}

static uint64_t at_most(uint64_t value, uint64_t bound)
{
    return value < bound ? value : bound;
}

/* --- What a frame counts besides its pairing --- */

static void record_edns_options(struct cell *cell, enum kind kind, uint8_t options)
{
    for (unsigned option = 0; options >> option != 0; option++) {
        cell->edns_options[kind][option] += (unsigned)options >> option & 1u;
    }
}

static unsigned qtype_slot(struct shard *shard, const struct dns_message *dns)
{
    if (dns->has_question) {
        return slot_of(shard, shard->vocabulary->qtypes, dns->qtype, LIMIT_QTYPES);
    }
    return dns->has_header && !dns->question_promised ? CODE_SLOT_NONE : CODE_SLOT_MALFORMED;
}

static void record_query(struct shard *shard, struct cell *cell, const struct dns_message *dns)
{
    cell->qtypes[qtype_slot(shard, dns)]++;
    if (dns->has_question) {
        histogram_add(&cell->qname_size, &qname_size_bounds, dns->qname_len);
    }
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
    cell->rcodes[slot_of(shard, shard->vocabulary->rcodes, dns->rcode, LIMIT_RCODES)]++;
    cell->outcomes[dns->outcome]++;
    cell->response_flags[RESPONSE_FLAG_AA] += (dns->flags & DNS_FLAG_AA) != 0;
    cell->response_flags[RESPONSE_FLAG_TC] += (dns->flags & DNS_FLAG_TC) != 0;
    cell->response_flags[RESPONSE_FLAG_RA] += (dns->flags & DNS_FLAG_RA) != 0;
    cell->response_flags[RESPONSE_FLAG_AD] += (dns->flags & DNS_FLAG_AD) != 0;
    for (unsigned i = 0; i < dns->edns.info_code_len; i++) {
        uint16_t code = dns->edns.info_codes[i];
        cell->info_codes[slot_of(shard, shard->vocabulary->info_codes, code, LIMIT_INFO_CODES)]++;
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
    } else {
        record_response(shard, cell, &seen->dns);
    }
}

/* --- Pairing --- */

static void give_up(void *context, const struct pairing_message *message)
{
    struct shard *shard = context;
    struct cell *cell = tally_cell(&shard->tally, message->server, (enum role)message->role);

    if (message->kind == KIND_QUERY) {
        cell->unanswered_queries++;
    } else if (!message->settled) {
        cell->unmatched_responses++;
    }
}

static void push_out(struct shard *shard, const struct pairing_message *message)
{
    shard->tally.common.pairing_evictions++;
    if (message->kind == KIND_RESPONSE) { /* a query pushed out may yet be answered */
        give_up(shard, message);
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

static void meet(struct shard *shard, const struct pairing_message *query,
                 const struct pairing_message *response)
{
    struct cell *cell = tally_cell(&shard->tally, response->server, (enum role)response->role);

    if (response->settled) {
        return;
    }
    if (query->time_ns == 0) {
        cell->unmatched_responses++;
    } else {
        record_response_time(cell, query->time_ns, response->time_ns);
    }
}

/* What a response frame says of the response time by itself. True where that settles it, and only
 * its query has still to be taken off the table. */
static bool settle_alone(struct cell *cell, const struct observation *seen)
{
    if (!seen->has_response_time) {
        cell->unmatched_responses++;
        return true;
    }
    if (seen->has_query_time) {
        record_response_time(cell, seen->query_time_ns, seen->response_time_ns);
        return true;
    }
    if (!seen->dns.has_header) { /* nothing to know its query by */
        cell->unmatched_responses++;
        return true;
    }
    return false;
}

static void pair(struct shard *shard, const struct arrival *arrival)
{
    const struct pairing_message *message = &arrival->message;
    bool query = message->kind == KIND_QUERY;
    struct pairing_message other;

    switch (pairing_arrive(shard->pairing, arrival->key, message, arrival->arrived_ns, &other)) {
    case PAIRING_MET:
        meet(shard, query ? message : &other, query ? &other : message);
        break;
    case PAIRING_EXPIRED:
        give_up(shard, &other);
        break;
    case PAIRING_PUSHED:
        push_out(shard, &other);
        break;
    case PAIRING_WAITS:
        break;
    }
}

static void pair_arrivals(struct shard *shard)
{
    for (unsigned i = 0; i < shard->arrival_count; i++) {
        pair(shard, &shard->arrivals[i]);
    }
    shard->arrival_count = 0;
}

static void let_arrive(struct shard *shard, struct cell *cell, unsigned server,
                       const struct observation *seen, uint64_t qname_hash, uint64_t arrived_ns)
{
    bool query = seen->kind == KIND_QUERY;
    bool settled = !query && settle_alone(cell, seen);

    if (!seen->dns.has_header) {
        return;
    }
    uint64_t key = pair_key_hash(&shard->vocabulary->key, server, seen, qname_hash);
    pairing_prefetch(shard->pairing, key);
    shard->arrivals[shard->arrival_count++] = (struct arrival){
        .key = key,
        .arrived_ns = arrived_ns,
        .message =
            {
                .time_ns = query ? seen->query_time_ns : seen->response_time_ns,
                .server = (uint16_t)server,
                .role = (uint8_t)seen->role,
                .kind = seen->kind & 1u,
                .settled = settled,
            },
    };
    if (shard->arrival_count == ARRIVALS_MAX) {
        pair_arrivals(shard);
    }
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

/* Files: the clock is the latest time stamp. One that is far from it is an error, or comes after a
 * silence, or begins another recording, earlier or later, which the next one tells by being far as
 * well and near to this one. Returns the frame's arrival. */
static uint64_t follow_frames(struct shard *shard, uint64_t event_ns)
{
    bool ahead = event_ns > shard->now_ns && event_ns - shard->now_ns > AHEAD_NS;
    bool behind = event_ns < shard->now_ns && shard->now_ns - event_ns > OTHER_RECORDING_NS;
    bool far = shard->now_ns != 0 && (ahead || behind);
    bool confirmed = shard->far_ns != 0 && distance(event_ns, shard->far_ns) <= OTHER_RECORDING_NS;

    if (far && !confirmed) {
        shard->far_ns = event_ns;
        return event_ns;
    }
    shard->far_ns = 0;
    if (far || event_ns > shard->now_ns) {
        shard->now_ns = event_ns;
        follow_clock(shard);
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

static void record_observation(struct shard *shard, struct source *source,
                               const struct observation *seen)
{
    unsigned server = server_of(shard, source, seen->identity);
    struct cell *cell = tally_cell(&shard->tally, server, seen->role);
    uint64_t arrived_ns = follow_time(shard, &shard->tally.inputs[source->input], seen);
    struct dns_name_suffixes suffixes;
    uint64_t qname_hash = 0;

    if (seen->dns.has_question) {
        dns_name_sum(&shard->vocabulary->key, (struct bytes){seen->dns.qname, seen->dns.qname_len},
                     &suffixes);
        qname_hash = hash_finish(&shard->vocabulary->key, suffixes.sums[0]);
    }
    record_message(shard, cell, seen);
    if (seen->has_policy) {
        shard->tally.policies[server].actions[seen->policy_action][seen->policy_match]++;
    }
    if (shard->feed != NULL) {
        feed_record(shard->feed, seen, &suffixes, qname_hash);
    }
    let_arrive(shard, cell, server, seen, qname_hash, arrived_ns);
}

enum verdict shard_record(struct shard *shard, struct source *source, struct bytes frame)
{
    static const enum rejection rejection_of[] = {
        [VERDICT_PROTOBUF] = REJECTED_PROTOBUF,
        [VERDICT_NOT_MESSAGE] = REJECTED_NOT_MESSAGE,
        [VERDICT_MESSAGE_TYPE] = REJECTED_MESSAGE_TYPE,
    };
    struct input_tally *input = &shard->tally.inputs[source->input];
    struct observation seen;
    enum verdict verdict = observation_read(frame, &seen);

    input->frames++;
    input->frame_bytes += frame.len;
    if (verdict == VERDICT_OK) {
        record_observation(shard, source, &seen);
    } else {
        input->rejected[rejection_of[verdict]]++;
    }
    return verdict;
}

void shard_end(struct shard *shard)
{
    pair_arrivals(shard);
    end_turn(shard);
}

void shard_expire(struct shard *shard)
{
    pair_arrivals(shard);
    pairing_sweep(shard->pairing, shard->now_ns, give_up, shard);
    if (shard->feed != NULL) {
        feed_judge(shard->feed, shard->now_ns);
    }
}

void shard_settle(struct shard *shard)
{
    pair_arrivals(shard);
    pairing_settle(shard->pairing, give_up, shard);
}
