/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/server_set.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics/label.h"

struct server {
    char label[LABEL_SIZE(SERVER_IDENTITY_MAX)];
};

struct server_set {
    unsigned capacity;
    pthread_mutex_t adding;
    /* Entries below size never change; the release store that counts one publishes its label. */
    atomic_uint size;
    struct server servers[]; /* capacity + 1; [SERVER_OTHER] is the rest */
};

int server_set_create(struct server_set **out, unsigned capacity)
{
    struct server_set *set = calloc(1,
                                    sizeof *set + (capacity + (size_t)1) * sizeof set->servers[0]);

    if (set == NULL) {
        return -ENOMEM;
    }
    set->capacity = capacity;
    (void)pthread_mutex_init(&set->adding, NULL);
    (void)snprintf(set->servers[SERVER_OTHER].label, sizeof set->servers[0].label, "other");
    atomic_init(&set->size, SERVER_OTHER + 1);
    *out = set;
    return 0;
}

void server_set_free(struct server_set *set)
{
    if (set != NULL) {
        (void)pthread_mutex_destroy(&set->adding);
        free(set);
    }
}

/* The number of `label` among the first `size`, or SERVER_OTHER, also for a server that is called
 * as the rest is: one label value is one series. */
static unsigned find(const struct server_set *set, unsigned size, const char *label)
{
    unsigned number = size;

    do {
        number--;
    } while (number > SERVER_OTHER && strcmp(set->servers[number].label, label) != 0);
    return number;
}

static unsigned add(struct server_set *set, const char *label)
{
    (void)pthread_mutex_lock(&set->adding);
    unsigned size = atomic_load_explicit(&set->size, memory_order_relaxed); /* under the lock */
    unsigned number = find(set, size, label); /* another thread may have been faster */
    if (number == SERVER_OTHER && size <= set->capacity) {
        number = size;
        (void)snprintf(set->servers[number].label, sizeof set->servers[0].label, "%s", label);
        atomic_store_explicit(&set->size, size + 1, memory_order_release);
    }
    (void)pthread_mutex_unlock(&set->adding);
    return number;
}

/* A file's name is a path, whose end tells more. */
static struct bytes end_of_name(const char *input_name)
{
    struct bytes name = bytes_of_string(input_name);
    size_t extra = name.len > SERVER_IDENTITY_MAX ? name.len - SERVER_IDENTITY_MAX : 0;

    return (struct bytes){name.data + extra, name.len - extra};
}

unsigned server_set_number(struct server_set *set, struct bytes identity, const char *input_name)
{
    struct bytes name = identity.len > 0 ? identity : end_of_name(input_name);
    char label[LABEL_SIZE(SERVER_IDENTITY_MAX)];

    if (name.len > SERVER_IDENTITY_MAX) {
        return SERVER_OTHER;
    }
    label_write(name, label);

    unsigned size = server_set_size(set);
    unsigned number = find(set, size, label);
    bool is_new = number == SERVER_OTHER && strcmp(label, set->servers[SERVER_OTHER].label) != 0;
    if (is_new && size <= set->capacity) {
        number = add(set, label);
    }
    return number;
}

unsigned server_set_size(const struct server_set *set)
{
    return atomic_load_explicit(&set->size, memory_order_acquire);
}

const char *server_set_label(const struct server_set *set, unsigned number)
{
    return set->servers[number].label;
}
