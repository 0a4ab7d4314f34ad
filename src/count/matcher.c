/* SPDX-License-Identifier: Apache-2.0 */
#include "count/matcher.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define WAYS 7 /* with their tags and keys a set begins with one cache line */

struct entry {
    uint64_t arrived; /* ns, caller's clock */
    struct matcher_message message;
};

/* Laid out by how it is touched: what tells whether a key is here is one cache line. */
struct set {
    uint64_t tags;       /* a byte for each way: its state and six bits of its transaction */
    uint64_t keys[WAYS]; /* of the question */
    struct entry entries[WAYS];
    uint64_t unused[3]; /* up to four lines */
};

_Static_assert(sizeof(struct set) == 256, "a set begins with a cache line");

/* Sets of ways are numbers with bit 7 of the byte of each. */
#define EACH     UINT64_C(0x0101010101010101)
#define ALL_WAYS UINT64_C(0x0080808080808080)

/* The state of a way, in the two upper bits of its tag. */
enum { TAG_FREE = 0, TAG_QUEUED = 0x80, TAG_ANSWERED = 0xc0 };

static inline uint64_t tag_of(const struct transaction_key *key, uint64_t state)
{
    return state | (key->transaction >> 32 & 0x3f);
}

/* The places of a transaction, and its tag, come from the same bits: these are others. */
static inline uint32_t transaction_bits(const struct transaction_key *key)
{
    return (uint32_t)(key->transaction * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* A byte of the sum carries into bit 7 unless its seven other bits are zero. */
static inline uint64_t ways_with_tag(const struct set *set, uint64_t tag)
{
    uint64_t differs = set->tags ^ tag * EACH;

    return ~(((differs & 0x7f * EACH) + 0x7f * EACH) | differs) & ALL_WAYS;
}

static inline uint64_t free_ways(const struct set *set)
{
    return ~set->tags & ALL_WAYS;
}

static inline unsigned count_ways(uint64_t ways)
{
    return (unsigned)((ways >> 7) * EACH >> 56);
}

static inline unsigned first_way(uint64_t ways)
{
    return (unsigned)__builtin_ctzll(ways) / 8;
}

static inline uint64_t answered_ways(const struct set *set)
{
    return set->tags & set->tags << 1 & ALL_WAYS;
}

static inline bool is_answered(const struct set *set, unsigned way)
{
    return (set->tags >> 8 * way & TAG_ANSWERED) == TAG_ANSWERED;
}

static inline void put_tag(struct set *set, unsigned way, uint64_t tag)
{
    set->tags = (set->tags & ~(UINT64_C(0xff) << 8 * way)) | tag << 8 * way;
}

/* The addresses that the queries in a set ask; an IPv4 address is mapped (RFC 4291 section
 * 2.5.5.2). They are apart from the sets, because most messages are of clients. */
struct set_asked {
    uint8_t addresses[WAYS][MATCHER_ASKED_SIZE];
};

#define IPV4_LEN 4 /* bytes (RFC 791) */

static const uint8_t mapped_prefix[MATCHER_ASKED_SIZE - IPV4_LEN] = {[10] = 0xff, [11] = 0xff};

struct matcher {
    struct matcher_timeouts timeouts;
    size_t count;      /* of sets */
    size_t used;       /* ways in use */
    size_t swept;      /* next set to sweep */
    uint64_t sweep_ns; /* time of the last sweep; 0: none yet */
    struct set *sets;
    struct set_asked *asked; /* [count] */
};

static size_t sets_of(size_t capacity)
{
    return (capacity + capacity / 2) / WAYS + 1;
}

size_t matcher_memory(size_t capacity)
{
    return sizeof(struct matcher) +
           sets_of(capacity) * (sizeof(struct set) + sizeof(struct set_asked));
}

int matcher_create(struct matcher **out, size_t capacity, const struct matcher_timeouts *timeouts)
{
    size_t count = sets_of(capacity);
    struct matcher *table = calloc(1, sizeof *table);
    struct set *sets = aligned_alloc(64, count * sizeof *sets);
    struct set_asked *asked = calloc(count, sizeof *asked);

    if (table == NULL || sets == NULL || asked == NULL) {
        free(table);
        free(sets);
        free(asked);
        return -ENOMEM;
    }
    memset(sets, 0, count * sizeof *sets);
    table->timeouts = *timeouts;
    table->sets = sets;
    table->asked = asked;
    table->count = count;
    *out = table;
    return 0;
}

void matcher_free(struct matcher *table)
{
    if (table != NULL) {
        free(table->sets);
        free(table->asked);
        free(table);
    }
}

static inline void free_way(struct matcher *table, struct set *set, unsigned way)
{
    put_tag(set, way, TAG_FREE);
    table->used--;
}

/* --- The addresses that queries ask --- */

static bool has_asked(const struct matcher_message *message)
{
    return message->kind == KIND_QUERY && role_asks_upstream((enum role)message->role);
}

static uint8_t *asked_at(const struct matcher *table, const struct set *set, unsigned way)
{
    return table->asked[set - table->sets].addresses[way];
}

static void asked_write(uint8_t *place, struct bytes asked)
{
    if (asked.len == IPV4_LEN) {
        memcpy(place, mapped_prefix, sizeof mapped_prefix);
        memcpy(place + sizeof mapped_prefix, asked.data, IPV4_LEN);
    } else if (asked.len == MATCHER_ASKED_SIZE) {
        memcpy(place, asked.data, MATCHER_ASKED_SIZE);
    } else { /* none: the unspecified address */
        memset(place, 0, MATCHER_ASKED_SIZE);
    }
}

COLD static void matcher_remove(const struct matcher *table, const struct set *set, unsigned way,
                                struct matcher_removed *out)
{
    out->message = set->entries[way].message;
    out->asked_len = 0;
    if (has_asked(&out->message)) {
        const uint8_t *asked = asked_at(table, set, way);
        bool mapped = memcmp(asked, mapped_prefix, sizeof mapped_prefix) == 0;
        out->asked_len = mapped ? IPV4_LEN : MATCHER_ASKED_SIZE;
        memcpy(out->asked, asked + MATCHER_ASKED_SIZE - out->asked_len, out->asked_len);
    }
}

/* --- Time-outs and places --- */

static uint64_t timeout_ns(const struct matcher_timeouts *timeouts, const struct set *set,
                           unsigned way)
{
    if (is_answered(set, way)) {
        return timeouts->answered_ns;
    }
    return set->entries[way].message.kind == KIND_QUERY ? timeouts->query_ns
                                                        : timeouts->response_ns;
}

/* The clock of files may go back. A message that is far from now in either direction is of another
 * recording. An arrival at 0 is in a file that begins without time stamps: its age is not known. */
static bool has_timed_out(const struct matcher_timeouts *timeouts, const struct set *set,
                          unsigned way, uint64_t now_ns)
{
    uint64_t arrived = set->entries[way].arrived;
    uint64_t distance = now_ns > arrived ? now_ns - arrived : arrived - now_ns;

    return arrived != 0 && distance > timeout_ns(timeouts, set, way);
}

/* A place in one of the two sets of a key. */
struct place {
    struct set *set; /* NULL: none */
    unsigned way;
};

static bool is_in_use(struct place place)
{
    return (free_ways(place.set) >> 8 * place.way & 0x80) == 0;
}

/* How well two messages fit: the time from query to response; worse than any such where it is
 * negative. Times are below 2^63 (decode/event.h), so nothing wraps. */
static uint64_t matcher_misfit(const struct matcher_message *a, const struct matcher_message *b)
{
    uint64_t query_ns = a->kind == KIND_QUERY ? a->time_ns : b->time_ns;
    uint64_t response_ns = a->kind == KIND_QUERY ? b->time_ns : a->time_ns;
    uint64_t behind_all = UINT64_MAX / 2;

    return response_ns >= query_ns ? response_ns - query_ns : behind_all + (query_ns - response_ns);
}

/* How a message on the table goes with one that arrives; lower is better. */
enum fit {
    FIT_SAME_SERVER,
    FIT_OTHER_SERVER,         /* the response carries its query's time */
    FIT_EXCHANGE_SAME_SERVER, /* one of the two has no question */
    FIT_EXCHANGE_OTHER_SERVER,
    FIT_NONE,
};

static enum fit fit_of(const struct set *set, unsigned way, const struct transaction_key *key,
                       const struct matcher_message *message)
{
    const struct matcher_message *other = &set->entries[way].message;
    const struct matcher_message *response = message->kind == KIND_RESPONSE ? message : other;
    bool same_question = set->keys[way] == key->question;
    bool by_exchange = !(message->has_question && other->has_question) &&
                       other->transaction == transaction_bits(key);
    bool same_server = other->server == message->server && other->generation == message->generation;

    if (!(same_question || by_exchange) || !(same_server || response->has_query_time)) {
        return FIT_NONE;
    }
    if (same_question) {
        return same_server ? FIT_SAME_SERVER : FIT_OTHER_SERVER;
    }
    return same_server ? FIT_EXCHANGE_SAME_SERVER : FIT_EXCHANGE_OTHER_SERVER;
}

/* The message of the other kind that fits best and has not timed out. */
static struct place matcher_find_counterpart(const struct matcher *table, struct set *const sets[2],
                                             const struct transaction_key *key,
                                             const struct matcher_message *message, uint64_t now_ns)
{
    struct place found = {NULL, 0};
    const struct matcher_message *nearest = NULL;
    enum fit best = FIT_NONE;

    for (unsigned i = 0; i < 2; i++) {
        struct set *set = sets[i];
        for (uint64_t ways = ways_with_tag(set, tag_of(key, TAG_QUEUED)); ways != 0;
             ways &= ways - 1) {
            unsigned way = first_way(ways);
            const struct matcher_message *other = &set->entries[way].message;
            if (other->kind == message->kind) {
                continue;
            }
            enum fit fit = fit_of(set, way, key, message);
            if (fit == FIT_NONE || has_timed_out(&table->timeouts, set, way, now_ns)) {
                continue;
            }
            if (fit < best || (fit == best &&
                               matcher_misfit(message, other) < matcher_misfit(message, nearest))) {
                best = fit;
                nearest = other;
                found = (struct place){set, way};
            }
        }
    }
    return found;
}

/* The answered query that the response is a further one to. */
COLD static struct place matcher_find_answered(const struct matcher *table,
                                               struct set *const sets[2],
                                               const struct transaction_key *key,
                                               const struct matcher_message *response,
                                               uint64_t now_ns)
{
    for (unsigned i = 0; i < 2; i++) {
        struct set *set = sets[i];
        for (uint64_t ways = ways_with_tag(set, tag_of(key, TAG_ANSWERED)); ways != 0;
             ways &= ways - 1) {
            unsigned way = first_way(ways);
            if (fit_of(set, way, key, response) != FIT_NONE &&
                !has_timed_out(&table->timeouts, set, way, now_ns)) {
                return (struct place){set, way};
            }
        }
    }
    return (struct place){NULL, 0};
}

/* Keep the entry of a matched message as an answered query, of the server that gave the response.
 */
static void mark_answered(struct place place, const struct matcher_message *message,
                          uint64_t now_ns)
{
    struct entry *entry = &place.set->entries[place.way];

    if (message->kind == KIND_RESPONSE) {
        entry->message.server = message->server;
        entry->message.generation = message->generation;
    }
    entry->message.kind = KIND_QUERY;
    entry->message.has_query_time = false;
    entry->arrived = now_ns;
    place.set->tags |= (uint64_t)TAG_ANSWERED << 8 * place.way;
}

/* `message` matches the one in the place. If neither has a question, a further response cannot be
 * recognised, so that nothing is kept. */
static void match_in(struct matcher *table, struct place place,
                     const struct matcher_message *message, uint64_t now_ns)
{
    if (message->has_question || place.set->entries[place.way].message.has_question) {
        mark_answered(place, message, now_ns);
    } else {
        free_way(table, place.set, place.way);
    }
}

/* Whether no count depends on the message. */
static bool is_expendable(const struct matcher *table, struct place place, uint64_t now_ns)
{
    return place.set->entries[place.way].message.has_query_time ||
           has_timed_out(&table->timeouts, place.set, place.way, now_ns);
}

/* Whether to evict the message in `place` rather than the one in `other`. */
static bool goes_first(const struct matcher *table, struct place place, struct place other,
                       uint64_t now_ns)
{
    bool expendable = is_expendable(table, place, now_ns);

    if (expendable != is_expendable(table, other, now_ns)) {
        return expendable;
    }
    return place.set->entries[place.way].arrived < other.set->entries[other.way].arrived;
}

/* The place of an answered query, or else of the message to evict. */
COLD static struct place matcher_choose_used_place(const struct matcher *table,
                                                   struct set *const sets[2], uint64_t now_ns)
{
    struct place chosen = {sets[0], 0};

    for (unsigned i = 0; i < 2; i++) {
        if (answered_ways(sets[i]) != 0) {
            return (struct place){sets[i], first_way(answered_ways(sets[i]))};
        }
    }
    for (unsigned i = 1; i < 2 * WAYS; i++) {
        struct place place = {sets[i / WAYS], i % WAYS};
        if (goes_first(table, place, chosen, now_ns)) {
            chosen = place;
        }
    }
    return chosen;
}

/* A free place in the emptier set, or else a used one. */
static struct place matcher_choose_place(const struct matcher *table, struct set *const sets[2],
                                         uint64_t now_ns)
{
    uint64_t free[2] = {free_ways(sets[0]), free_ways(sets[1])};
    unsigned emptier = count_ways(free[0]) < count_ways(free[1]);

    if (free[emptier] != 0) {
        return (struct place){sets[emptier], first_way(free[emptier])};
    }
    return matcher_choose_used_place(table, sets, now_ns);
}

/* Whether the message in the place is the oldest of as many like `message` as have a place. */
static bool is_superseded(struct place place, const struct transaction_key *key,
                          const struct matcher_message *message)
{
    const struct matcher_message *oldest = &place.set->entries[place.way].message;

    return place.set->keys[place.way] == key->question && oldest->server == message->server &&
           message->has_question;
}

/* Put the message into the place. The result tells what happened to the message that was there. */
static enum matcher_result matcher_take_place(struct matcher *table, struct place place,
                                              const struct transaction_key *key,
                                              const struct matcher_message *message,
                                              const struct bytes *asked, uint64_t now_ns,
                                              struct matcher_removed *other)
{
    enum matcher_result result = MATCHER_QUEUED;
    struct entry *entry = &place.set->entries[place.way];
    bool in_use = is_in_use(place);

    if (in_use && !entry->message.has_query_time && !is_answered(place.set, place.way)) {
        bool late = has_timed_out(&table->timeouts, place.set, place.way, now_ns);
        result = late || is_superseded(place, key, message) ? MATCHER_TIMED_OUT : MATCHER_EVICTED;
        matcher_remove(table, place.set, place.way, other);
    }
    table->used += !in_use;
    put_tag(place.set, place.way, tag_of(key, TAG_QUEUED));
    place.set->keys[place.way] = key->question;
    *entry = (struct entry){.arrived = now_ns, .message = *message};
    entry->message.transaction = transaction_bits(key);
    if (role_asks_upstream((enum role)message->role)) { /* of a response it is not used */
        asked_write(asked_at(table, place.set, place.way), *asked);
    }
    return result;
}

static inline struct set *first_set(const struct matcher *table, const struct transaction_key *key)
{
    return &table->sets[((key->transaction & UINT32_MAX) * table->count) >> 32];
}

static inline struct set *second_set(const struct matcher *table, const struct transaction_key *key)
{
    return &table->sets[((key->transaction >> 32) * table->count) >> 32];
}

void matcher_prefetch(const struct matcher *table, const struct transaction_key *key)
{
    __builtin_prefetch(first_set(table, key), 1);
    __builtin_prefetch(second_set(table, key), 1);
}

/* A self-timed message takes no place of another message. */
static enum matcher_result matcher_insert(struct matcher *table, struct set *const sets[2],
                                          const struct transaction_key *key,
                                          const struct matcher_message *message,
                                          const struct bytes *asked, uint64_t now_ns,
                                          struct matcher_removed *other)
{
    struct place place = matcher_choose_place(table, sets, now_ns);

    if (message->has_query_time && is_in_use(place) && !is_answered(place.set, place.way)) {
        return MATCHER_QUEUED;
    }
    return matcher_take_place(table, place, key, message, asked, now_ns, other);
}

enum matcher_result matcher_enqueue(struct matcher *table, const struct transaction_key *key,
                                    const struct matcher_message *message,
                                    const struct bytes *asked, uint64_t now_ns,
                                    struct matcher_removed *other)
{
    struct set *const sets[2] = {first_set(table, key), second_set(table, key)};
    struct place place = matcher_find_counterpart(table, sets, key, message, now_ns);

    if (place.set != NULL) {
        other->message = place.set->entries[place.way].message;
        match_in(table, place, message, now_ns);
        return MATCHER_MATCHED;
    }
    if (message->kind == KIND_RESPONSE) {
        place = matcher_find_answered(table, sets, key, message, now_ns);
        if (place.set != NULL) {
            place.set->entries[place.way].arrived = now_ns;
            return MATCHER_DUPLICATE;
        }
    }
    return matcher_insert(table, sets, key, message, asked, now_ns, other);
}

COLD bool matcher_knows_query(const struct matcher *table, const struct transaction_key *key,
                              const struct matcher_message *response, uint64_t now_ns)
{
    struct set *const sets[2] = {first_set(table, key), second_set(table, key)};

    return matcher_find_counterpart(table, sets, key, response, now_ns).set != NULL ||
           matcher_find_answered(table, sets, key, response, now_ns).set != NULL;
}

/* Remove the entry. An answered query does not time out: it is only forgotten. */
static void time_out_way(struct matcher *table, struct set *set, unsigned way,
                         matcher_timeout_fn on_timeout, void *context)
{
    struct matcher_removed removed;
    bool answered = is_answered(set, way);

    free_way(table, set, way);
    if (!answered) {
        matcher_remove(table, set, way, &removed);
        on_timeout(context, &removed);
    }
}

static void matcher_sweep_set(struct matcher *table, struct set *set, uint64_t now_ns,
                              matcher_timeout_fn on_timeout, void *context)
{
    for (uint64_t ways = ~free_ways(set) & ALL_WAYS; ways != 0; ways &= ways - 1) {
        unsigned way = first_way(ways);
        if (has_timed_out(&table->timeouts, set, way, now_ns)) {
            time_out_way(table, set, way, on_timeout, context);
        }
    }
}

/* How many sets are due since the last sweep, so that each has its turn once a second. The first
 * sweep, and one at an earlier time than the last, only set the clock. */
static size_t matcher_sets_due(struct matcher *table, uint64_t now_ns)
{
    if (table->sweep_ns == 0 || now_ns < table->sweep_ns) {
        table->sweep_ns = now_ns;
        return 0;
    }
    uint64_t elapsed = now_ns - table->sweep_ns;
    if (elapsed >= NS_PER_SECOND) {
        table->sweep_ns = now_ns;
        return table->count;
    }
    size_t due = (size_t)(elapsed * table->count / NS_PER_SECOND);
    table->sweep_ns += due * NS_PER_SECOND /
                       table->count; /* what is not due yet counts next time */
    return due;
}

void matcher_sweep(struct matcher *table, uint64_t now_ns, size_t sets_max,
                   matcher_timeout_fn on_timeout, void *context)
{
    size_t due = matcher_sets_due(table, now_ns);

    due = due < sets_max ? due : sets_max;
    for (; due > 0 && table->used > 0; due--) {
        matcher_sweep_set(table, &table->sets[table->swept], now_ns, on_timeout, context);
        table->swept = (table->swept + 1) % table->count;
    }
}

void matcher_flush(struct matcher *table, matcher_timeout_fn on_timeout, void *context)
{
    for (size_t i = 0; i < table->count; i++) {
        struct set *set = &table->sets[i];
        for (uint64_t ways = ~free_ways(set) & ALL_WAYS; ways != 0; ways &= ways - 1) {
            time_out_way(table, set, first_way(ways), on_timeout, context);
        }
    }
}
