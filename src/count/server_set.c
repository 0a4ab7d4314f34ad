/* SPDX-License-Identifier: Apache-2.0 */
#include "count/server_set.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* How long a connection that found no place waits before it looks again. A server that leaves
 * within that time is noticed late, and a flood of made-up identities takes the lock once a
 * second. */
#define RETRY_NS NS_PER_SECOND

struct server {
    /* Of its label, 0 while that changes. Loads and stores of these three are ordered so that a
     * hash read between two equal generations is of that generation. */
    _Atomic uint64_t label_hash;
    _Atomic uint32_t generation;    /* 0: not in use */
    _Atomic uint64_t identity_hash; /* of the identity that it came by; as label_hash */
    _Atomic uint64_t seen_ns;       /* relaxed: a number for itself */
    atomic_uint roles;              /* a bit for each that has series; set under the lock */
    /* Under the lock. */
    unsigned connections; /* that hold it */
    uint64_t creator;     /* the connection that it came by */
    uint64_t created_ns;
    char label[LABEL_SIZE];
};

struct server_set {
    unsigned capacity;
    struct server_set_bounds bounds;
    struct hash_key key;
    atomic_uint series; /* pairs of server and role that have series; changed under the lock */
    _Atomic uint64_t next_holder; /* relaxed: only unique */
    pthread_mutex_t lock;
    atomic_uint size;        /* numbers in use are below it; grows only */
    struct server servers[]; /* capacity + 1; [SERVER_OTHER] is the rest */
};

size_t server_set_memory(unsigned servers)
{
    return sizeof(struct server_set) + (servers + (size_t)1) * sizeof(struct server);
}

int server_set_create(struct server_set **out, const struct server_set_bounds *bounds,
                      const struct hash_key *key)
{
    unsigned capacity = bounds->servers;
    struct server_set *set = calloc(1,
                                    sizeof *set + (capacity + (size_t)1) * sizeof set->servers[0]);

    if (set == NULL) {
        return -ENOMEM;
    }
    set->capacity = capacity;
    set->bounds = *bounds;
    set->key = *key;
    atomic_init(&set->next_holder, 1);
    (void)pthread_mutex_init(&set->lock, NULL);
    (void)snprintf(set->servers[SERVER_OTHER].label, LABEL_SIZE, "other");
    atomic_init(&set->size, SERVER_OTHER + 1);
    *out = set;
    return 0;
}

void server_set_free(struct server_set *set)
{
    if (set != NULL) {
        (void)pthread_mutex_destroy(&set->lock);
        free(set);
    }
}

/* --- Connections --- */

int server_holder_open(struct server_set *set, struct server_holder *holder)
{
    uint32_t *held = calloc(set->capacity + (size_t)1, sizeof *held);

    if (held == NULL) {
        return -ENOMEM;
    }
    *holder = (struct server_holder){
        .id = atomic_fetch_add_explicit(&set->next_holder, 1, memory_order_relaxed),
        .held = held,
    };
    return 0;
}

static uint32_t generation_of(const struct server *server)
{
    return atomic_load_explicit(&server->generation, memory_order_acquire);
}

void server_holder_close(struct server_set *set, struct server_holder *holder)
{
    if (holder->held == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&set->lock);
    for (unsigned number = SERVER_OTHER + 1; number <= set->capacity; number++) {
        struct server *server = &set->servers[number];
        if (holder->held[number] != 0 && holder->held[number] == generation_of(server)) {
            server->connections--;
        }
    }
    (void)pthread_mutex_unlock(&set->lock);
    free(holder->held);
    *holder = (struct server_holder){0};
}

static bool is_held(const struct server_holder *holder, struct server_ref server)
{
    return holder->held == NULL || holder->held[server.number] == server.generation;
}

/* Under the lock, which keeps the server current. */
static void hold(struct server_set *set, struct server_ref server, struct server_holder *holder)
{
    if (!is_held(holder, server)) {
        set->servers[server.number].connections++;
        holder->held[server.number] = server.generation;
    }
}

bool server_set_hold(struct server_set *set, struct server_ref server, struct server_holder *holder)
{
    if (is_held(holder, server)) {
        return server_set_is_current(set, server);
    }
    (void)pthread_mutex_lock(&set->lock);
    bool current = server_set_is_current(set, server);
    if (current) {
        hold(set, server, holder);
    }
    (void)pthread_mutex_unlock(&set->lock);
    return current;
}

/* --- Looking up --- */

static const struct server_ref other = {.number = SERVER_OTHER, .generation = 0};

static uint64_t server_set_hash_of(const struct server_set *set, struct bytes bytes)
{
    uint64_t sum = hash_add_bytes(&set->key, HASH_START, bytes);

    return hash_finish(&set->key, sum) | 1; /* 0 means none */
}

static uint64_t hash_label(const struct server_set *set, const char *label)
{
    return server_set_hash_of(set, bytes_of_string(label));
}

enum server_key { BY_IDENTITY, BY_LABEL };

/* By identity first: cheaper than by label, which has to be written before. */
static struct server_ref find(const struct server_set *set, enum server_key key, uint64_t hash)
{
    unsigned size = atomic_load_explicit(&set->size, memory_order_acquire);

    for (unsigned number = SERVER_OTHER + 1; number < size; number++) {
        const struct server *server = &set->servers[number];
        const _Atomic uint64_t *stored = key == BY_IDENTITY ? &server->identity_hash
                                                            : &server->label_hash;
        uint32_t generation = generation_of(server);
        if (atomic_load_explicit(stored, memory_order_acquire) == hash &&
            generation_of(server) == generation) {
            return (struct server_ref){number, generation};
        }
    }
    return other;
}

/* --- New servers; all under the lock --- */

static bool is_replaceable(const struct server_set *set, const struct server *server,
                           uint64_t now_ns)
{
    uint64_t seen_ns = atomic_load_explicit(&server->seen_ns, memory_order_relaxed);

    return server->connections == 0 ||
           (now_ns > seen_ns && now_ns - seen_ns >= set->bounds.expiry_ns);
}

/* Whether `a` goes before `b`: one without a connection first, then the one seen less recently. */
static bool goes_first(const struct server *a, const struct server *b)
{
    if ((a->connections == 0) != (b->connections == 0)) {
        return a->connections == 0;
    }
    return atomic_load_explicit(&a->seen_ns, memory_order_relaxed) <
           atomic_load_explicit(&b->seen_ns, memory_order_relaxed);
}

static bool has_half_of_the_places(const struct server_set *set, const struct server_holder *holder)
{
    unsigned most = set->capacity > 1 ? set->capacity / 2 : 1;
    unsigned count = 0;

    for (unsigned number = SERVER_OTHER + 1; number <= set->capacity; number++) {
        count += set->servers[number].creator == holder->id;
    }
    return count >= most;
}

/* The connection that has half of the places gets one of its own servers' only. */
static struct server *choose_replaceable(struct server_set *set, const struct server_holder *holder,
                                         uint64_t now_ns)
{
    bool own_only = has_half_of_the_places(set, holder);
    struct server *chosen = NULL;

    for (unsigned number = SERVER_OTHER + 1; number <= set->capacity; number++) {
        struct server *server = &set->servers[number];
        bool allowed = !own_only || server->creator == holder->id;
        if (allowed && is_replaceable(set, server, now_ns) &&
            (chosen == NULL || goes_first(server, chosen))) {
            chosen = server;
        }
    }
    return chosen;
}

static struct server *choose_place(struct server_set *set, const struct server_holder *holder,
                                   uint64_t now_ns)
{
    unsigned size = atomic_load_explicit(&set->size, memory_order_relaxed);
    bool has_connection = holder->id != 0;

    if (size <= set->capacity && !(has_connection && has_half_of_the_places(set, holder))) {
        atomic_store_explicit(&set->size, size + 1, memory_order_release);
        return &set->servers[size];
    }
    return has_connection ? choose_replaceable(set, holder, now_ns) : NULL;
}

static void give_series_back(struct server_set *set, struct server *server)
{
    unsigned roles = atomic_exchange_explicit(&server->roles, 0, memory_order_relaxed);

    atomic_fetch_sub_explicit(&set->series, (unsigned)__builtin_popcount(roles),
                              memory_order_relaxed);
}

static struct server_ref server_set_occupy(struct server_set *set, struct server *server,
                                           const char *label, uint64_t identity_hash,
                                           const struct server_holder *holder, uint64_t now_ns)
{
    uint32_t last = generation_of(server);
    uint32_t generation = last == UINT32_MAX ? 1 : last + 1;

    (void)snprintf(server->label, LABEL_SIZE, "%s", label);
    give_series_back(set, server);
    server->connections = 0;
    server->creator = holder->id;
    server->created_ns = now_ns;
    atomic_store_explicit(&server->seen_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&server->label_hash, 0, memory_order_release);
    atomic_store_explicit(&server->identity_hash, 0, memory_order_release);
    atomic_store_explicit(&server->generation, generation, memory_order_release);
    atomic_store_explicit(&server->identity_hash, identity_hash, memory_order_release);
    atomic_store_explicit(&server->label_hash, hash_label(set, label), memory_order_release);
    return (struct server_ref){(unsigned)(server - set->servers), generation};
}

static struct server_ref server_set_add(struct server_set *set, const char *label,
                                        uint64_t identity_hash, struct server_holder *holder,
                                        uint64_t now_ns)
{
    (void)pthread_mutex_lock(&set->lock);
    /* Another thread may have been faster. */
    struct server_ref found = find(set, BY_LABEL, hash_label(set, label));
    if (found.number == SERVER_OTHER) {
        struct server *server = choose_place(set, holder, now_ns);
        if (server != NULL) {
            found = server_set_occupy(set, server, label, identity_hash, holder, now_ns);
        }
    }
    if (found.number != SERVER_OTHER) {
        hold(set, found, holder);
    }
    (void)pthread_mutex_unlock(&set->lock);
    return found;
}

/* The last SERVER_IDENTITY_MAX bytes of the name: of a long path the end tells more. */
static struct bytes end_of_name(const char *input_name)
{
    struct bytes name = bytes_of_string(input_name);
    size_t extra = name.len > SERVER_IDENTITY_MAX ? name.len - SERVER_IDENTITY_MAX : 0;

    return (struct bytes){name.data + extra, name.len - extra};
}

struct server_ref server_set_find(struct server_set *set, struct bytes identity, const char *name,
                                  struct server_holder *holder, uint64_t now_ns)
{
    struct bytes wanted = identity.len > 0 ? identity : end_of_name(name);
    char label[LABEL_SIZE];

    if (wanted.len > SERVER_IDENTITY_MAX) {
        return other;
    }
    uint64_t identity_hash = server_set_hash_of(set, wanted);
    struct server_ref found = find(set, BY_IDENTITY, identity_hash);
    if (found.number != SERVER_OTHER && server_set_hold(set, found, holder)) {
        return found;
    }
    if (now_ns < holder->retry_at_ns) {
        return other;
    }
    label_write(wanted, label);
    found = find(set, BY_LABEL, hash_label(set, label));
    if (found.number != SERVER_OTHER && server_set_hold(set, found, holder)) {
        return found;
    }
    if (strcmp(label, set->servers[SERVER_OTHER].label) == 0) {
        return other;
    }
    found = server_set_add(set, label, identity_hash, holder, now_ns);
    if (found.number == SERVER_OTHER) {
        holder->retry_at_ns = now_ns + RETRY_NS;
    }
    return found;
}

bool server_set_take_series(struct server_set *set, struct server_ref server, unsigned role)
{
    atomic_uint *roles = &set->servers[server.number].roles;
    bool taken = server.number == SERVER_OTHER ||
                 (atomic_load_explicit(roles, memory_order_relaxed) >> role & 1) != 0;

    if (taken || atomic_load_explicit(&set->series, memory_order_relaxed) >= set->bounds.series) {
        return taken;
    }
    (void)pthread_mutex_lock(&set->lock);
    unsigned before = atomic_load_explicit(roles, memory_order_relaxed);
    taken = (before >> role & 1) != 0;
    if (!taken && server_set_is_current(set, server) &&
        atomic_load_explicit(&set->series, memory_order_relaxed) < set->bounds.series) {
        atomic_store_explicit(roles, before | 1U << role, memory_order_relaxed);
        atomic_fetch_add_explicit(&set->series, 1, memory_order_relaxed);
        taken = true;
    }
    (void)pthread_mutex_unlock(&set->lock);
    return taken;
}

uint32_t server_set_generation(const struct server_set *set, unsigned number)
{
    return generation_of(&set->servers[number]);
}

bool server_set_is_current(const struct server_set *set, struct server_ref server)
{
    return generation_of(&set->servers[server.number]) == server.generation;
}

void server_set_touch(struct server_set *set, struct server_ref server, uint64_t now_ns)
{
    if (server_set_is_current(set, server)) {
        atomic_store_explicit(&set->servers[server.number].seen_ns, now_ns, memory_order_relaxed);
    }
}

void server_set_read(struct server_set *set, struct server_info *infos)
{
    (void)pthread_mutex_lock(&set->lock);
    for (unsigned number = 0; number <= set->capacity; number++) {
        const struct server *server = &set->servers[number];
        struct server_info *info = &infos[number];
        if (info->generation != generation_of(server) || number == SERVER_OTHER) {
            info->generation = generation_of(server);
            info->created_ns = server->created_ns;
            (void)snprintf(info->label, LABEL_SIZE, "%s", server->label);
        }
    }
    (void)pthread_mutex_unlock(&set->lock);
}
