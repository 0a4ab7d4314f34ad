/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "count/matcher.h"
#include "support/random.h"

#define WAYS              7
#define SPREAD            UINT64_C(0x9e3779b97f4a7c15) /* numbers in turn fill all sets evenly */
#define QUERY_PATIENCE    (10 * NS_PER_SECOND)
#define RESPONSE_PATIENCE (2 * NS_PER_SECOND)
#define ANSWERED_PATIENCE (3 * NS_PER_SECOND)

static const struct matcher_timeouts timeouts = {QUERY_PATIENCE, RESPONSE_PATIENCE,
                                                 ANSWERED_PATIENCE};

static struct matcher *new_table(size_t capacity)
{
    struct matcher *table = NULL;

    assert_int_equal(matcher_create(&table, capacity, &timeouts), 0);
    return table;
}

static const struct bytes nobody; /* the address of no upstream server */

static struct matcher_message message_of(enum kind kind, uint64_t time_ns)
{
    return (struct matcher_message){.time_ns = time_ns,
                                    .server = 513,
                                    .generation = 7,
                                    .role = ROLE_CLIENT,
                                    .kind = kind & 1u,
                                    .has_question = 1};
}

static struct transaction_key key_of(uint64_t key)
{
    return (struct transaction_key){.transaction = key * SPREAD, .question = key * SPREAD};
}

static enum matcher_result arrive_as(struct matcher *table, uint64_t key,
                                     const struct matcher_message *message, uint64_t now_ns,
                                     struct matcher_removed *other)
{
    struct transaction_key keys = key_of(key);

    return matcher_enqueue(table, &keys, message, &nobody, now_ns, other);
}

static enum matcher_result arrive(struct matcher *table, uint64_t key, enum kind kind,
                                  uint64_t time_ns, uint64_t now_ns, struct matcher_removed *other)
{
    struct matcher_message message = message_of(kind, time_ns);

    return arrive_as(table, key, &message, now_ns, other);
}

static void same_message(const struct matcher_message *got, enum kind kind, uint64_t time_ns)
{
    struct matcher_message expected = message_of(kind, time_ns);

    assert_int_equal(got->time_ns, expected.time_ns);
    assert_int_equal(got->server, expected.server);
    assert_int_equal(got->generation, expected.generation);
    assert_int_equal(got->role, expected.role);
    assert_int_equal(got->kind, expected.kind);
    assert_int_equal(got->has_query_time, expected.has_query_time);
}

/* What a sweep gave up on. */
struct expired {
    struct matcher_message messages[4096];
    size_t count;
    struct matcher_removed last;
};

static void note_expired(void *context, const struct matcher_removed *removed)
{
    struct expired *expired = context;

    assert_true(expired->count < sizeof expired->messages / sizeof expired->messages[0]);
    expired->messages[expired->count++] = removed->message;
    expired->last = *removed;
}

static struct expired expired; /* too large for the stack of a test */

static size_t sweep(struct matcher *table, uint64_t now_ns)
{
    expired.count = 0;
    matcher_sweep(table, now_ns, SIZE_MAX, note_expired, &expired);
    return expired.count;
}

static void test_query_then_response(void **state)
{
    struct matcher *table = new_table(64);
    struct matcher_removed other;

    (void)state;
    assert_int_equal(arrive(table, 42, KIND_QUERY, 1, 100, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 42, KIND_RESPONSE, 5, 200, &other), MATCHER_MATCHED);
    same_message(&other.message, KIND_QUERY, 1);
    /* It waits no longer: a second response is a further one. */
    assert_int_equal(arrive(table, 42, KIND_RESPONSE, 6, 300, &other), MATCHER_DUPLICATE);
    matcher_free(table);
}

static void test_response_first(void **state)
{
    struct matcher *table = new_table(64);
    struct matcher_message response = message_of(KIND_RESPONSE, 5);
    struct matcher_removed other;

    (void)state;
    response.has_query_time = 1;
    assert_int_equal(arrive_as(table, 42, &response, 100, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 42, KIND_QUERY, 1, 200, &other), MATCHER_MATCHED);
    assert_int_equal(other.message.time_ns, 5);
    assert_int_equal(other.message.kind, KIND_RESPONSE);
    assert_int_equal(other.message.has_query_time, 1);
    matcher_free(table);
}

static void test_other_keys_do_not_meet(void **state)
{
    /* The second pair differs where only the set number tells them apart. */
    static const uint64_t keys[][2] = {{2, 4}, {2, 3}, {UINT64_MAX, 1}, {1, UINT64_C(1) << 63}};

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct matcher *table = new_table(1024);
        struct matcher_removed other;

        assert_int_equal(arrive(table, keys[i][0], KIND_QUERY, 1, 1, &other), MATCHER_QUEUED);
        assert_int_equal(arrive(table, keys[i][1], KIND_RESPONSE, 2, 2, &other), MATCHER_QUEUED);
        matcher_free(table);
    }
}

static void test_key_zero(void **state)
{
    struct matcher *table = new_table(8);
    struct matcher_removed other;

    (void)state;
    assert_int_equal(arrive(table, 0, KIND_QUERY, 1, 1, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 0, KIND_RESPONSE, 2, 2, &other), MATCHER_MATCHED);
    matcher_free(table);
}

/* After a retransmission the response is most likely to the latest query; where both are answered,
 * the times add up to the same. */
static void test_of_equal_keys_the_nearest_meets(void **state)
{
    static const uint64_t expected[] = {5, 2, 1};
    struct matcher *table = new_table(8);
    struct matcher_removed other;

    (void)state;
    for (uint64_t time = 1; time <= 4; time++) {
        assert_int_equal(arrive(table, 9, KIND_QUERY, time, time, &other), MATCHER_QUEUED);
    }
    for (uint64_t time = 4; time >= 3; time--) {
        assert_int_equal(arrive(table, 9, KIND_RESPONSE, 100, 10, &other), MATCHER_MATCHED);
        same_message(&other.message, KIND_QUERY, time);
    }
    assert_int_equal(arrive(table, 9, KIND_QUERY, 5, 11, &other), MATCHER_QUEUED);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(arrive(table, 9, KIND_RESPONSE, 100, 12, &other), MATCHER_MATCHED);
        same_message(&other.message, KIND_QUERY, expected[i]);
    }
    matcher_free(table);
}

/* Frames may arrive out of order: what counts is when the server saw them. */
static void test_no_query_after_its_response(void **state)
{
    struct matcher *table = new_table(8);
    struct matcher_removed other;

    (void)state;
    assert_int_equal(arrive(table, 9, KIND_QUERY, 20, 1, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 9, KIND_QUERY, 10, 2, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 9, KIND_RESPONSE, 15, 3, &other), MATCHER_MATCHED);
    same_message(&other.message, KIND_QUERY, 10);
    /* Only where there is no other: the shard counts it as a negative time. */
    assert_int_equal(arrive(table, 9, KIND_RESPONSE, 19, 4, &other), MATCHER_MATCHED);
    same_message(&other.message, KIND_QUERY, 20);
    matcher_free(table);
}

/* A has_query_time response makes room for others without being missed, and takes nobody's. */
static void test_settled_responses_make_room(void **state)
{
    struct matcher *table = new_table(1); /* one set */
    struct matcher_message has_query_time = message_of(KIND_RESPONSE, 5);
    struct matcher_removed other;

    (void)state;
    has_query_time.has_query_time = 1;
    for (uint64_t i = 0; i < WAYS; i++) {
        assert_int_equal(arrive(table, 2 + 2 * i, KIND_QUERY, 1, 100 + i, &other), MATCHER_QUEUED);
    }
    assert_int_equal(arrive_as(table, 50, &has_query_time, 200, &other), MATCHER_QUEUED);
    for (uint64_t i = 0; i < WAYS; i++) { /* all queries are there still */
        assert_int_equal(arrive(table, 2 + 2 * i, KIND_RESPONSE, 2, 201, &other), MATCHER_MATCHED);
    }
    for (uint64_t i = 0; i < WAYS; i++) {
        assert_int_equal(arrive_as(table, 50 + 2 * i, &has_query_time, 300, &other),
                         MATCHER_QUEUED);
    }
    for (uint64_t i = 0; i < WAYS; i++) {
        assert_int_equal(arrive(table, 2 + 2 * i, KIND_QUERY, 1, 301 + i, &other), MATCHER_QUEUED);
    }
    assert_int_equal(arrive(table, 90, KIND_QUERY, 1, 400, &other), MATCHER_EVICTED);
    matcher_free(table);
}

/* Who has waited too long goes first, and does not count as pushed out. */
static void test_expired_make_room(void **state)
{
    struct matcher *table = new_table(1); /* one set */
    struct matcher_removed other;

    (void)state;
    for (uint64_t i = 0; i < WAYS; i++) {
        enum kind kind = i == 5 ? KIND_RESPONSE : KIND_QUERY; /* which waits less long */
        assert_int_equal(arrive(table, 2 + 2 * i, kind, i + 1, 100, &other), MATCHER_QUEUED);
    }
    uint64_t later = 100 + RESPONSE_PATIENCE + 1;
    assert_int_equal(arrive(table, 90, KIND_QUERY, 9, later, &other), MATCHER_TIMED_OUT);
    same_message(&other.message, KIND_RESPONSE, 6);
    assert_int_equal(arrive(table, 92, KIND_QUERY, 9, later, &other), MATCHER_EVICTED);
    same_message(&other.message, KIND_QUERY, 1);
    matcher_free(table);
}

/* What the header promises: nobody is pushed out before as many wait as there is capacity for. */
static void test_fills_before_it_pushes_out(void **state)
{
    const size_t capacity = 65536;
    struct matcher *table = new_table(capacity);
    struct matcher_removed other;
    uint64_t random = 2026;
    size_t waiting = 0;

    (void)state;
    while (arrive(table, random_next(&random), KIND_QUERY, 1, 1 + waiting, &other) ==
           MATCHER_QUEUED) {
        waiting++;
    }
    assert_in_range(waiting, capacity, capacity + capacity / 2);
    matcher_free(table);
}

/* How long each kind waits: up to its timeouts and no longer, swept or not. */
static void test_patience_at_match(void **state)
{
    static const struct {
        enum kind waits;
        uint64_t after_ns;
        enum matcher_result result;
    } cases[] = {
        {KIND_QUERY, QUERY_PATIENCE, MATCHER_MATCHED},
        {KIND_QUERY, QUERY_PATIENCE + 1, MATCHER_QUEUED},
        {KIND_RESPONSE, RESPONSE_PATIENCE, MATCHER_MATCHED},
        {KIND_RESPONSE, RESPONSE_PATIENCE + 1, MATCHER_QUEUED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct matcher *table = new_table(8);
        struct matcher_removed other;
        enum kind second = cases[i].waits == KIND_QUERY ? KIND_RESPONSE : KIND_QUERY;

        assert_int_equal(arrive(table, 9, cases[i].waits, 1, 1000, &other), MATCHER_QUEUED);
        assert_int_equal(arrive(table, 9, second, 2, 1000 + cases[i].after_ns, &other),
                         cases[i].result);
        matcher_free(table);
    }
}

static void test_full_set_pushes_out_the_longest_waiting(void **state)
{
    struct matcher *table = new_table(1); /* rounded up to one set */
    struct matcher_removed other;

    (void)state;
    for (uint64_t i = 0; i < WAYS; i++) {
        assert_int_equal(arrive(table, 2 + 2 * i, KIND_QUERY, 50 - i, 100 + i, &other),
                         MATCHER_QUEUED);
    }
    /* By arrival and not by the server's time, which goes backwards here. */
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(arrive(table, 100 + 2 * i, KIND_QUERY, 60, 200 + i, &other),
                         MATCHER_EVICTED);
        same_message(&other.message, KIND_QUERY, 50 - i);
    }
    assert_int_equal(arrive(table, 2, KIND_RESPONSE, 70, 300, &other), MATCHER_EVICTED);
    assert_int_equal(arrive(table, 100, KIND_RESPONSE, 70, 300, &other), MATCHER_MATCHED);
    matcher_free(table);
}

/* More queries alike than there are places for one key: the table is not full. */
static void test_queries_alike(void **state)
{
    struct matcher *table = new_table(65536);
    struct matcher_removed other;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        enum matcher_result result = arrive(table, 7, KIND_QUERY, 100 + i, 100 + i, &other);
        assert_int_equal(result, i < 2 * WAYS ? MATCHER_QUEUED : MATCHER_TIMED_OUT);
        if (result == MATCHER_TIMED_OUT) {
            same_message(&other.message, KIND_QUERY, 100 + i - 2 * WAYS);
        }
    }
    matcher_free(table);
}

static void test_capacity(void **state)
{
    static const size_t capacities[] = {1, 8, 9, 64, 100, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        struct matcher *table = new_table(capacities[i]);
        struct matcher_removed other;

        for (size_t key = 0; key < capacities[i]; key++) {
            assert_int_equal(arrive(table, key, KIND_QUERY, 1, 1, &other), MATCHER_QUEUED);
        }
        matcher_free(table);
    }
}

static void test_settle(void **state)
{
    struct matcher *table = new_table(256);
    struct matcher_removed other;

    (void)state;
    for (uint64_t i = 1; i <= 100; i++) {
        (void)arrive(table, i * 3, i % 2 ? KIND_QUERY : KIND_RESPONSE, i, i, &other);
    }
    expired.count = 0;
    matcher_flush(table, note_expired, &expired);
    assert_int_equal(expired.count, 100);
    uint64_t sum = 0;
    for (size_t i = 0; i < expired.count; i++) {
        sum += expired.messages[i].time_ns;
    }
    assert_int_equal(sum, 100 * 101 / 2);
    matcher_flush(table, note_expired, &expired);
    assert_int_equal(expired.count, 100); /* nothing is left */
    matcher_free(table);
}

/* Whatever the rhythm of the calls, a second passes over the whole table. */
static void test_sweep_passes_over_the_table_each_second(void **state)
{
    static const uint64_t steps_ms[] = {1, 7, 100, 333, 1000, 5000};
    const uint64_t sets = 128;

    (void)state;
    for (size_t i = 0; i < sizeof steps_ms / sizeof steps_ms[0]; i++) {
        struct matcher *table = new_table(sets * WAYS);
        struct matcher_removed other;
        uint64_t now = 5 * NS_PER_SECOND;
        size_t found = 0;

        assert_int_equal(sweep(table, now), 0);
        for (uint64_t set = 0; set < sets; set++) {
            assert_int_equal(arrive(table, set, KIND_QUERY, set + 1, now, &other), MATCHER_QUEUED);
        }
        uint64_t too_long = now + QUERY_PATIENCE;
        for (; now <= too_long; now += steps_ms[i] * NS_PER_MS) {
            found += sweep(table, now);
            assert_int_equal(found, 0);
        }
        uint64_t end = now + NS_PER_SECOND + 2 * steps_ms[i] * NS_PER_MS;
        for (; now <= end; now += steps_ms[i] * NS_PER_MS) {
            found += sweep(table, now);
        }
        assert_int_equal(found, sets);
        expired.count = 0;
        matcher_flush(table, note_expired, &expired);
        assert_int_equal(expired.count, 0);
        matcher_free(table);
    }
}

/* A sweep does a part of the work proportional to the time since the last one. */
static void test_sweep_is_bounded(void **state)
{
    const uint64_t sets = 128; /* of a table for 594 messages, half as many places more */
    struct matcher *table = new_table(594);
    struct matcher_message message = message_of(KIND_RESPONSE, 1);
    struct matcher_removed other;
    uint64_t later = 60 * NS_PER_SECOND;

    (void)state;
    for (uint64_t set = 0; set < sets; set++) {
        const struct transaction_key key = {.transaction = set << 25 |
                                                           set << 57}; /* both lead to this one */
        (void)matcher_enqueue(table, &key, &message, &nobody, 1, &other);
    }
    assert_int_equal(sweep(table, later), 0); /* the first call only sets the clock */
    assert_int_equal(sweep(table, later + NS_PER_SECOND / 4), sets / 4);
    assert_int_equal(sweep(table, later), 0); /* a clock that goes back is followed */
    assert_int_equal(sweep(table, later + NS_PER_SECOND / 2), sets / 2);
    assert_int_equal(sweep(table, later + 10 * NS_PER_SECOND), sets / 4);
    matcher_free(table);
}

/* --- The addresses that queries ask --- */

static const uint8_t ipv4[4] = {192, 0, 2, 53};
static const uint8_t ipv6[16] = {0x20, 1, 0xd, 0xb8, [15] = 53};
static const uint8_t unspecified[16];

static void ask(struct matcher *table, uint64_t key, enum role role, struct bytes asked,
                struct matcher_removed *other)
{
    struct transaction_key keys = key_of(key);
    struct matcher_message query = message_of(KIND_QUERY, 1);

    query.role = role & 0xfu;
    (void)matcher_enqueue(table, &keys, &query, role_asks_upstream(role) ? &asked : &nobody, 1,
                          other);
}

/* Whom a query asked is known when it times out, and of the roles that ask upstream servers only.
 */
static void test_asked(void **state)
{
    static const struct {
        enum role role;
        struct bytes asked, expected;
    } cases[] = {
        {ROLE_RESOLVER, {ipv4, sizeof ipv4}, {ipv4, sizeof ipv4}},
        {ROLE_FORWARDER, {ipv6, sizeof ipv6}, {ipv6, sizeof ipv6}},
        {ROLE_STUB, {ipv4, sizeof ipv4}, {ipv4, sizeof ipv4}},
        {ROLE_RESOLVER, {0}, {unspecified, sizeof unspecified}},
        {ROLE_CLIENT, {ipv4, sizeof ipv4}, {0}},
        {ROLE_AUTH, {ipv6, sizeof ipv6}, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct matcher *table = new_table(64);
        struct matcher_removed other;

        ask(table, 42, cases[i].role, cases[i].asked, &other);
        expired.count = 0;
        matcher_flush(table, note_expired, &expired);
        assert_int_equal(expired.count, 1);
        assert_int_equal(expired.last.asked_len, cases[i].expected.len);
        if (cases[i].expected.len > 0) {
            assert_memory_equal(expired.last.asked, cases[i].expected.data, cases[i].expected.len);
        }
        matcher_free(table);
    }
}

/* A query that takes the place of another one gives back whom the other one asked. */
static void test_asked_of_another_in_the_place(void **state)
{
    struct matcher *table = new_table(1); /* one set */
    struct matcher_removed other = {0};

    (void)state;
    for (uint64_t i = 0; i < WAYS + 1; i++) {
        bool first = i == 0;
        ask(table, 2 + 2 * i, ROLE_RESOLVER,
            first ? (struct bytes){ipv4, sizeof ipv4} : (struct bytes){ipv6, sizeof ipv6}, &other);
    }
    assert_int_equal(other.asked_len, sizeof ipv4);
    assert_memory_equal(other.asked, ipv4, sizeof ipv4);
    matcher_free(table);
}

/* --- Against a model --- */

struct waiting {
    uint64_t key, arrived;
    enum kind kind;
    uint64_t time_ns;
};

/* One set: a list in order of arrival. */
struct model {
    struct waiting waiting[WAYS];
    size_t count;
};

static void model_remove(struct model *model, size_t at)
{
    model->count--;
    memmove(&model->waiting[at], &model->waiting[at + 1],
            (model->count - at) * sizeof model->waiting[0]);
}

static bool model_is_late(const struct waiting *waiting, uint64_t now)
{
    uint64_t allowed = waiting->kind == KIND_QUERY ? QUERY_PATIENCE : RESPONSE_PATIENCE;

    return now - waiting->arrived > allowed;
}

static enum matcher_result model_arrive(struct model *model, const struct waiting *arrived,
                                        struct waiting *other)
{
    for (size_t i = model->count; i-- > 0;) { /* the latest is the nearest in time */
        const struct waiting *w = &model->waiting[i];
        if (w->key == arrived->key && w->kind != arrived->kind &&
            !model_is_late(w, arrived->arrived)) {
            *other = *w;
            model_remove(model, i);
            return MATCHER_MATCHED;
        }
    }
    enum matcher_result result = MATCHER_QUEUED;
    if (model->count == WAYS) {
        size_t goes = 0;
        while (goes < WAYS && !model_is_late(&model->waiting[goes], arrived->arrived)) {
            goes++;
        }
        bool late = goes < WAYS;
        goes = late ? goes : 0;
        result = late || model->waiting[goes].key == arrived->key ? MATCHER_TIMED_OUT
                                                                  : MATCHER_EVICTED;
        *other = model->waiting[goes];
        model_remove(model, goes);
    }
    model->waiting[model->count++] = *arrived;
    return result;
}

static void model_sweep(struct model *model, struct matcher *table, uint64_t now)
{
    size_t late = 0;

    (void)sweep(table, now);
    for (size_t i = 0; i < model->count;) {
        if (!model_is_late(&model->waiting[i], now)) {
            i++;
            continue;
        }
        bool found = false;
        for (size_t j = 0; j < expired.count; j++) {
            found |= expired.messages[j].time_ns == model->waiting[i].time_ns;
        }
        assert_true(found);
        model_remove(model, i);
        late++;
    }
    assert_int_equal(expired.count, late);
}

/* Queries that were answered are forgotten at once here: then they are free places. */
static void test_against_a_model(void **state)
{
    const struct matcher_timeouts forgetful = {QUERY_PATIENCE, RESPONSE_PATIENCE, 0};
    struct matcher *table = NULL;
    struct model model = {.count = 0};
    uint64_t results[MATCHER_TIMED_OUT + 1] = {0};
    uint64_t random = 2026;
    uint64_t now = 1;

    (void)state;
    assert_int_equal(matcher_create(&table, 1, &forgetful), 0); /* one set */
    (void)sweep(table, now);
    for (uint64_t i = 1; i <= 200000; i++) {
        struct waiting arrived = {.key = 1 + 2 * random_below(&random, 8), .time_ns = i};
        struct waiting other = {0};
        struct matcher_removed got;

        if (random_below(&random, 20) == 0) {
            now += NS_PER_SECOND + random_below(&random, 3 * NS_PER_SECOND);
            model_sweep(&model, table, now);
        }
        now += 1 + random_below(&random, 500 * NS_PER_MS);
        arrived.arrived = now;
        arrived.kind = random_below(&random, 3) > 0 ? KIND_QUERY : KIND_RESPONSE;
        enum matcher_result expected = model_arrive(&model, &arrived, &other);
        enum matcher_result result = arrive(table, arrived.key, arrived.kind, i, now, &got);
        assert_int_equal(result, expected);
        if (result != MATCHER_QUEUED) {
            same_message(&got.message, other.kind, other.time_ns);
        }
        results[result]++;
    }
    for (size_t i = 0; i <= MATCHER_TIMED_OUT; i++) {
        assert_true(i == MATCHER_DUPLICATE || results[i] > 1000); /* the run meets every case */
    }
    matcher_free(table);
}

/* A query that was answered is known for a while, by both orders of arrival. */
static void test_answered(void **state)
{
    static const enum kind orders[][2] = {{KIND_QUERY, KIND_RESPONSE}, {KIND_RESPONSE, KIND_QUERY}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct matcher *table = new_table(64);
        struct matcher_removed other;

        assert_int_equal(arrive(table, 7, orders[i][0], 10, 1000, &other), MATCHER_QUEUED);
        assert_int_equal(arrive(table, 7, orders[i][1], 20, 2000, &other), MATCHER_MATCHED);
        uint64_t last = 2000 + ANSWERED_PATIENCE;
        assert_int_equal(arrive(table, 8, KIND_RESPONSE, 30, 3000, &other), MATCHER_QUEUED);
        assert_int_equal(arrive(table, 7, KIND_RESPONSE, 30, last, &other), MATCHER_DUPLICATE);
        last += ANSWERED_PATIENCE; /* each further response renews it */
        assert_int_equal(arrive(table, 7, KIND_RESPONSE, 30, last, &other), MATCHER_DUPLICATE);
        last += ANSWERED_PATIENCE;
        assert_int_equal(arrive(table, 7, KIND_RESPONSE, 30, last + 1, &other), MATCHER_QUEUED);
        matcher_free(table);
    }
}

/* The query asked again after its answer has a response of its own. */
static void test_answered_and_asked_again(void **state)
{
    struct matcher *table = new_table(64);
    struct matcher_removed other;

    (void)state;
    (void)arrive(table, 7, KIND_QUERY, 10, 1000, &other);
    assert_int_equal(arrive(table, 7, KIND_RESPONSE, 20, 1001, &other), MATCHER_MATCHED);
    assert_int_equal(arrive(table, 7, KIND_QUERY, 30, 1002, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 7, KIND_RESPONSE, 40, 1003, &other), MATCHER_MATCHED);
    same_message(&other.message, KIND_QUERY, 30);
    assert_int_equal(arrive(table, 7, KIND_RESPONSE, 50, 1004, &other), MATCHER_DUPLICATE);
    matcher_free(table);
}

/* Answered queries make room for whatever waits, and go without a word. */
static void test_answered_make_room(void **state)
{
    struct matcher *table = new_table(1); /* one set */
    struct matcher_removed other;

    (void)state;
    (void)sweep(table, 100);
    for (uint64_t i = 0; i < WAYS; i++) {
        (void)arrive(table, 2 + 2 * i, KIND_QUERY, 1, 100, &other);
        assert_int_equal(arrive(table, 2 + 2 * i, KIND_RESPONSE, 2, 100, &other), MATCHER_MATCHED);
    }
    for (uint64_t i = 0; i < WAYS - 1; i++) {
        assert_int_equal(arrive(table, 50 + 2 * i, KIND_QUERY, 3, 101, &other), MATCHER_QUEUED);
    }
    assert_int_equal(sweep(table, 100 + ANSWERED_PATIENCE + 1), 0);
    assert_int_equal(arrive(table, 90, KIND_QUERY, 3, 102, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 92, KIND_QUERY, 3, 103, &other), MATCHER_EVICTED);
    expired.count = 0;
    matcher_flush(table, note_expired, &expired);
    assert_int_equal(expired.count, WAYS);
    matcher_free(table);
}

/* A has_query_time response takes nobody's place but an answered query's. */
static void test_settled_in_place_of_answered(void **state)
{
    struct matcher *table = new_table(1); /* one set */
    struct matcher_message has_query_time = message_of(KIND_RESPONSE, 20);
    struct matcher_removed other;

    (void)state;
    has_query_time.has_query_time = 1;
    for (uint64_t i = 0; i < WAYS; i++) {
        (void)arrive(table, 2 + 2 * i, KIND_QUERY, 1, 100, &other);
        (void)arrive(table, 2 + 2 * i, KIND_RESPONSE, 2, 100, &other);
    }
    assert_int_equal(arrive_as(table, 50, &has_query_time, 101, &other), MATCHER_QUEUED);
    assert_int_equal(arrive(table, 50, KIND_QUERY, 10, 102, &other), MATCHER_MATCHED);
    matcher_free(table);
}

/* Two messages without a question may be of any exchange: a further response is none of theirs. */
static void test_without_questions_nothing_is_remembered(void **state)
{
    struct matcher *table = new_table(64);
    struct matcher_message query = message_of(KIND_QUERY, 10);
    struct matcher_message response = message_of(KIND_RESPONSE, 20);
    struct matcher_removed other;

    (void)state;
    query.has_question = response.has_question = 0;
    (void)arrive_as(table, 7, &query, 1000, &other);
    assert_int_equal(arrive_as(table, 7, &response, 1001, &other), MATCHER_MATCHED);
    assert_int_equal(arrive_as(table, 7, &response, 1002, &other), MATCHER_QUEUED);
    assert_int_equal(arrive_as(table, 7, &query, 1003, &other), MATCHER_MATCHED);
    matcher_free(table);
}

/* Only a response that carries its query's time takes a query of another identity. */
static void test_other_server(void **state)
{
    struct matcher *table = new_table(64);
    struct matcher_message response = message_of(KIND_RESPONSE, 20);
    struct matcher_removed other;

    (void)state;
    (void)arrive(table, 7, KIND_QUERY, 10, 1000, &other);
    response.server++;
    assert_int_equal(arrive_as(table, 7, &response, 1001, &other), MATCHER_QUEUED);
    response.server--;
    response.generation++;
    assert_int_equal(arrive_as(table, 7, &response, 1001, &other), MATCHER_QUEUED);
    response.has_query_time = 1;
    assert_int_equal(arrive_as(table, 7, &response, 1002, &other), MATCHER_MATCHED);
    same_message(&other.message, KIND_QUERY, 10);
    /* Remembered for the one that answered. */
    response.has_query_time = 0;
    assert_int_equal(arrive_as(table, 7, &response, 1003, &other), MATCHER_DUPLICATE);
    assert_int_equal(arrive(table, 7, KIND_RESPONSE, 30, 1003, &other), MATCHER_QUEUED);
    matcher_free(table);
}

static void test_own_server_first(void **state)
{
    struct matcher *table = new_table(64);
    struct matcher_message query = message_of(KIND_QUERY, 10);
    struct matcher_message response = message_of(KIND_RESPONSE, 100);
    struct matcher_removed other;

    (void)state;
    (void)arrive_as(table, 7, &query, 1000, &other);
    query.server = 9;
    query.time_ns = 90; /* nearer */
    (void)arrive_as(table, 7, &query, 1000, &other);
    response.has_query_time = 1;
    assert_int_equal(arrive_as(table, 7, &response, 1001, &other), MATCHER_MATCHED);
    assert_int_equal(other.message.time_ns, 10);
    assert_int_equal(arrive_as(table, 7, &response, 1002, &other), MATCHER_MATCHED);
    assert_int_equal(other.message.time_ns, 90);
    matcher_free(table);
}

/* Where one of the two has no question the exchange tells, but a full key goes first. */
static void test_without_question(void **state)
{
    const struct transaction_key asked = {5 * SPREAD, 77, 0};
    const struct transaction_key alike = {5 * SPREAD, 88, 0};
    const struct transaction_key none = {5 * SPREAD, 99, 0};
    const struct transaction_key elsewhere = {6 * SPREAD, 99, 0};
    struct matcher_message query = message_of(KIND_QUERY, 10);
    struct matcher_message response = message_of(KIND_RESPONSE, 20);
    struct matcher_removed other;

    (void)state;
    for (unsigned first = 0; first < 2; first++) { /* the query or the response */
        struct matcher *table = new_table(64);
        const struct matcher_message *messages[] = {&query, &response};
        const struct transaction_key *keys[] = {&asked, &none};

        response.has_question = 0;
        assert_int_equal(matcher_enqueue(table, keys[first], messages[first], &nobody, 1, &other),
                         MATCHER_QUEUED);
        assert_int_equal(
            matcher_enqueue(table, &elsewhere, messages[1 - first], &nobody, 1, &other),
            MATCHER_QUEUED);
        assert_int_equal(
            matcher_enqueue(table, keys[1 - first], messages[1 - first], &nobody, 1, &other),
            MATCHER_MATCHED);
        matcher_free(table);
    }
    struct matcher *table = new_table(64);
    query.has_question = 0;
    query.time_ns = 19; /* nearer */
    (void)matcher_enqueue(table, &none, &query, &nobody, 1, &other);
    query.has_question = 1;
    query.time_ns = 10;
    (void)matcher_enqueue(table, &asked, &query, &nobody, 1, &other);
    response.has_question = 1;
    assert_int_equal(matcher_enqueue(table, &asked, &response, &nobody, 2, &other),
                     MATCHER_MATCHED);
    assert_int_equal(other.message.time_ns, 10);
    assert_int_equal(matcher_enqueue(table, &alike, &response, &nobody, 2, &other),
                     MATCHER_MATCHED);
    assert_int_equal(other.message.time_ns, 19);
    matcher_free(table);
}

static void test_knows_query(void **state)
{
    struct matcher *table = new_table(64);
    struct matcher_message response = message_of(KIND_RESPONSE, 20);
    const struct transaction_key key = key_of(7);
    const struct transaction_key another = key_of(8);
    struct matcher_removed other;

    (void)state;
    (void)arrive(table, 7, KIND_QUERY, 10, 1, &other);
    assert_true(matcher_knows_query(table, &key, &response, 2));
    assert_false(matcher_knows_query(table, &another, &response, 2));
    assert_true(matcher_knows_query(table, &key, &response, 2)); /* it waits still */
    assert_int_equal(arrive(table, 7, KIND_RESPONSE, 20, 3, &other), MATCHER_MATCHED);
    assert_true(matcher_knows_query(table, &key, &response, 4));
    assert_false(matcher_knows_query(table, &key, &response, 4 + ANSWERED_PATIENCE));
    matcher_free(table);
}

/* The work of a sweep can be bounded; what is left has its turn later. */
static void test_sweep_of_a_few_sets(void **state)
{
    struct matcher *table = new_table(65536);
    struct matcher_removed other;
    size_t found = 0;
    size_t calls = 0;

    (void)state;
    (void)sweep(table, 1);
    for (uint64_t key = 0; key < 1000; key++) {
        (void)arrive(table, key, KIND_QUERY, 1, 1, &other);
    }
    for (uint64_t now = 60 * NS_PER_SECOND; found < 1000; now += NS_PER_SECOND) {
        expired.count = 0;
        matcher_sweep(table, now, 1000, note_expired, &expired);
        found += expired.count;
        calls++;
    }
    assert_in_range(calls, 14, 16); /* of 14,044 sets */
    matcher_free(table);
}

/* Two keys of one set whose tags are the same as well. */
static void test_tags_are_not_keys(void **state)
{
    struct matcher *table = new_table(1); /* one set */
    struct matcher_message query = message_of(KIND_QUERY, 10);
    struct matcher_message response = message_of(KIND_RESPONSE, 20);
    struct matcher_removed other;

    (void)state;
    static const struct transaction_key keys[] = {
        {1, 1, 0}, {1, 2, 0}, {1 | UINT64_C(1) << 63, 3, 0}};
    assert_int_equal(matcher_enqueue(table, &keys[0], &query, &nobody, 1, &other), MATCHER_QUEUED);
    assert_int_equal(matcher_enqueue(table, &keys[1], &response, &nobody, 2, &other),
                     MATCHER_QUEUED);
    assert_int_equal(matcher_enqueue(table, &keys[2], &response, &nobody, 3, &other),
                     MATCHER_QUEUED);
    assert_int_equal(matcher_enqueue(table, &keys[0], &response, &nobody, 4, &other),
                     MATCHER_MATCHED);
    same_message(&other.message, KIND_QUERY, 10);
    matcher_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_then_response),
        cmocka_unit_test(test_response_first),
        cmocka_unit_test(test_other_keys_do_not_meet),
        cmocka_unit_test(test_key_zero),
        cmocka_unit_test(test_of_equal_keys_the_nearest_meets),
        cmocka_unit_test(test_no_query_after_its_response),
        cmocka_unit_test(test_settled_responses_make_room),
        cmocka_unit_test(test_expired_make_room),
        cmocka_unit_test(test_fills_before_it_pushes_out),
        cmocka_unit_test(test_patience_at_match),
        cmocka_unit_test(test_full_set_pushes_out_the_longest_waiting),
        cmocka_unit_test(test_queries_alike),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_sweep_passes_over_the_table_each_second),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_asked_of_another_in_the_place),
        cmocka_unit_test(test_sweep_is_bounded),
        cmocka_unit_test(test_answered),
        cmocka_unit_test(test_answered_and_asked_again),
        cmocka_unit_test(test_answered_make_room),
        cmocka_unit_test(test_settled_in_place_of_answered),
        cmocka_unit_test(test_without_questions_nothing_is_remembered),
        cmocka_unit_test(test_other_server),
        cmocka_unit_test(test_own_server_first),
        cmocka_unit_test(test_without_question),
        cmocka_unit_test(test_knows_query),
        cmocka_unit_test(test_sweep_of_a_few_sets),
        cmocka_unit_test(test_tags_are_not_keys),
        cmocka_unit_test(test_against_a_model),
    };

    matcher_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
