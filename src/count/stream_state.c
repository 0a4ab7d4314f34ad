/* SPDX-License-Identifier: Apache-2.0 */
#include "count/stream_state.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

#define RESPONSES_ONLY_NS                                                                          \
    (15 * NS_PER_SECOND) /* chosen: idle servers send what they have within two seconds */
#define QUERIES_ONLY_NS                                                                            \
    (60 * NS_PER_SECOND)                  /* chosen: four times the default of matching.timeout */
#define SAMPLED_NS   (60 * NS_PER_SECOND) /* chosen */
#define MESSAGES_MIN 10                   /* fewer are no sign of anything */

/* Messages of one kind since the last one of the other. */
struct run {
    uint64_t count;
    uint64_t since_ns; /* when the first of them was handed in */
};

/* A minute or more: until there are enough messages to tell. */
struct minute {
    uint64_t since_ns; /* 0: not yet */
    uint64_t messages[KIND_COUNT];
    uint64_t unanswered, unmatched;
};

struct stream {
    /* Relaxed: changes are under the lock, and nothing else depends on it. */
    _Atomic unsigned flags;
    /* Under the lock. */
    struct run responses, queries;
    struct minute minute;
};

struct stream_states {
    unsigned servers;
    pthread_mutex_t lock;
    uint32_t *generations;  /* [servers] */
    struct stream *streams; /* [servers * ROLE_COUNT] */
};

size_t stream_states_memory(unsigned servers)
{
    return sizeof(struct stream_states) +
           servers * (sizeof(uint32_t) + ROLE_COUNT * sizeof(struct stream));
}

int stream_states_create(struct stream_states **out, unsigned servers)
{
    struct stream_states *states = calloc(1, sizeof *states);

    if (states == NULL) {
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&states->lock, NULL);
    states->servers = servers;
    states->generations = calloc(servers, sizeof *states->generations);
    states->streams = calloc((size_t)servers * ROLE_COUNT, sizeof *states->streams);
    if (states->generations == NULL || states->streams == NULL) {
        stream_states_free(states);
        return -ENOMEM;
    }
    *out = states;
    return 0;
}

void stream_states_free(struct stream_states *states)
{
    if (states != NULL) {
        (void)pthread_mutex_destroy(&states->lock);
        free(states->generations);
        free(states->streams);
        free(states);
    }
}

unsigned stream_states_flags(const struct stream_states *states, size_t index)
{
    return atomic_load_explicit(&states->streams[index].flags, memory_order_relaxed);
}

static void change_flags(struct stream *stream, unsigned set, unsigned cleared)
{
    unsigned flags = atomic_load_explicit(&stream->flags, memory_order_relaxed);

    atomic_store_explicit(&stream->flags, (flags & ~cleared) | set, memory_order_relaxed);
}

void stream_states_begin(struct stream_states *states, struct server_ref server)
{
    (void)pthread_mutex_lock(&states->lock);
    if (states->generations[server.number] < server.generation) {
        states->generations[server.number] = server.generation;
        for (enum role role = 0; role < ROLE_COUNT; role++) {
            struct stream *stream = &states->streams[stream_index(server.number, role)];
            change_flags(stream, 0, UINT32_MAX);
            stream->responses = stream->queries = (struct run){0};
            stream->minute = (struct minute){0};
        }
    }
    (void)pthread_mutex_unlock(&states->lock);
}

void stream_states_set(struct stream_states *states, size_t index, unsigned flags)
{
    (void)pthread_mutex_lock(&states->lock);
    change_flags(&states->streams[index], flags, 0);
    (void)pthread_mutex_unlock(&states->lock);
}

static void end_run(struct stream *stream, enum kind seen)
{
    if (seen == KIND_QUERY) {
        stream->responses = (struct run){0};
        change_flags(stream, 0, STREAM_RESPONSES_ONLY);
    } else {
        stream->queries = (struct run){0};
        change_flags(stream, 0, STREAM_QUERIES_ONLY);
    }
}

void stream_states_seen(struct stream_states *states, size_t index, enum kind kind)
{
    (void)pthread_mutex_lock(&states->lock);
    end_run(&states->streams[index], kind);
    (void)pthread_mutex_unlock(&states->lock);
}

static void extend_run(struct run *run, uint32_t count, uint64_t now_ns)
{
    /* The clock of files may go back. */
    if ((run->count == 0 && count > 0) || now_ns < run->since_ns) {
        run->since_ns = now_ns;
    }
    run->count += count;
}

static bool is_over(uint64_t since_ns, uint64_t duration_ns, uint64_t now_ns)
{
    return now_ns >= since_ns && now_ns - since_ns >= duration_ns;
}

static bool is_long(const struct run *run, uint64_t duration_ns, uint64_t now_ns)
{
    return run->count >= MESSAGES_MIN && is_over(run->since_ns, duration_ns, now_ns);
}

static void stream_update_directions(struct stream *stream, const struct stream_counts *counts,
                                     uint64_t now_ns)
{
    extend_run(&stream->responses, counts->messages[KIND_RESPONSE], now_ns);
    extend_run(&stream->queries, counts->messages[KIND_QUERY], now_ns);
    if (counts->messages[KIND_QUERY] > 0 || counts->has_queries) {
        end_run(stream, KIND_QUERY);
    }
    if (counts->messages[KIND_RESPONSE] > 0 || counts->has_responses) {
        end_run(stream, KIND_RESPONSE);
    }
    if (is_long(&stream->responses, RESPONSES_ONLY_NS, now_ns)) {
        change_flags(stream, STREAM_RESPONSES_ONLY, 0);
    }
    if (is_long(&stream->queries, QUERIES_ONLY_NS, now_ns)) {
        change_flags(stream, STREAM_QUERIES_ONLY, 0);
    }
}

static void set_flag(struct stream *stream, enum stream_flag flag, bool on)
{
    change_flags(stream, on ? flag : 0, on ? 0 : flag);
}

static void stream_update_minute(struct stream *stream, const struct stream_counts *counts,
                                 uint64_t now_ns)
{
    struct minute *minute = &stream->minute;

    minute->messages[KIND_QUERY] += counts->messages[KIND_QUERY];
    minute->messages[KIND_RESPONSE] += counts->messages[KIND_RESPONSE];
    minute->unanswered += counts->unanswered;
    minute->unmatched += counts->unmatched;
    if (minute->since_ns == 0 || now_ns < minute->since_ns) {
        minute->since_ns = now_ns;
    }
    if (is_over(minute->since_ns, SAMPLED_NS, now_ns) &&
        minute->messages[KIND_QUERY] >= MESSAGES_MIN &&
        minute->messages[KIND_RESPONSE] >= MESSAGES_MIN) {
        set_flag(stream, STREAM_SAMPLED,
                 2 * minute->unanswered > minute->messages[KIND_QUERY] &&
                     2 * minute->unmatched > minute->messages[KIND_RESPONSE]);
        *minute = (struct minute){.since_ns = now_ns};
    }
}

static void stream_update_input(struct stream *stream, const struct stream_counts *counts)
{
    if (counts->messages[KIND_QUERY] + counts->messages[KIND_RESPONSE] > 0) {
        set_flag(stream, STREAM_SAMPLED_INPUT, counts->sampled);
    }
}

void stream_states_add(struct stream_states *states, struct server_ref server, enum role role,
                       struct stream_counts *counts, uint64_t now_ns)
{
    struct stream *stream = &states->streams[stream_index(server.number, role)];

    (void)pthread_mutex_lock(&states->lock);
    if (states->generations[server.number] == server.generation) {
        stream_update_directions(stream, counts, now_ns);
        stream_update_minute(stream, counts, now_ns);
        if (server.number != SERVER_OTHER) { /* these may come by several inputs */
            stream_update_input(stream, counts);
        }
    }
    (void)pthread_mutex_unlock(&states->lock);
    *counts = (struct stream_counts){0};
}
