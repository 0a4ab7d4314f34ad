/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/input_set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined __GNUC__ && !defined __clang__
/* The analyzer of gcc 12 does not see that a plan owns its names. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* --- Preparing --- */

/* The place that has the name, or the first that has none. */
static unsigned find_name(const struct input_set *set, const char *name)
{
    unsigned place = 0;

    while (place < set->count && strcmp(set->places[place].settings.name, name) != 0) {
        place++;
    }
    return place;
}

/* INPUTS_MAX: nobody listens there. */
static unsigned find_listener(const struct input_set *set, const struct endpoint *endpoint)
{
    for (unsigned i = 0; i < set->count; i++) {
        const struct endpoint *other = &set->places[i].settings.endpoint;
        if (set->places[i].in_use && !other->is_dialled && endpoint_equal(other, endpoint)) {
            return i;
        }
    }
    return INPUTS_MAX;
}

/* The place of a name that is known, or the next one. */
static int choose_place(const struct input_set *set, const struct input_plan *plan,
                        struct planned_input *planned, struct text *error)
{
    const char *name = planned->settings.name;

    planned->place = find_name(set, name);
    if (planned->place < set->count) {
        return 0;
    }
    if (plan->place_count == INPUTS_MAX) {
        text_append_format(error,
                           "inputs: %s is one name more than the %d that there may be since "
                           "the start; this takes a restart",
                           name, INPUTS_MAX);
        return -ENOSPC;
    }
    planned->place = plan->place_count;
    planned->new_name = strdup(name);
    return planned->new_name != NULL ? 0 : -ENOMEM;
}

/* The socket that systemd passed for the input, and that it had at this address. */
static bool has_passed_socket(const struct input_set *set, const struct planned_input *planned)
{
    const struct input_place *place = &set->places[planned->place];

    return planned->place < set->count && place->is_passed &&
           endpoint_equal(&place->passed_endpoint, &planned->settings.endpoint);
}

/* A socket of ours may be what is in the way: an address that contains the other one. */
static void explain_own_port(const struct input_set *set, const struct endpoint *endpoint,
                             struct text *error)
{
    for (unsigned i = 0; i < set->count; i++) {
        const struct input_place *place = &set->places[i];
        if (place->in_use && place->settings.endpoint.kind == ENDPOINT_TCP &&
            !place->settings.endpoint.is_dialled &&
            place->settings.endpoint.port == endpoint->port) {
            text_append_format(error,
                               "; the input %s has this port: remove it by one reload, and add "
                               "this one by the next",
                               place->settings.name);
        }
    }
}

static int find_or_open_listener(const struct input_set *set, struct planned_input *planned,
                                 struct text *error)
{
    const struct endpoint *endpoint = &planned->settings.endpoint;

    if (endpoint->is_dialled) {
        return 0;
    }
    planned->taken_from = find_listener(set, endpoint);
    if (planned->taken_from < INPUTS_MAX) {
        return 0;
    }
    if (planned->is_passed) {
        return listener_adopt(&planned->listener, planned->passed);
    }
    if (has_passed_socket(set, planned)) {
        return listener_adopt(&planned->listener, set->places[planned->place].passed);
    }
    int result = listener_open(&planned->listener, &planned->settings, error);
    if (result == -EADDRINUSE && endpoint->kind == ENDPOINT_TCP) {
        explain_own_port(set, endpoint, error);
    }
    return result;
}

static int prepare_input(const struct input_set *set, const struct input_request *request,
                         unsigned index, struct input_plan *plan, struct text *error)
{
    struct planned_input *planned = &plan->inputs[plan->count];
    int passed = request->passed != NULL ? request->passed[index] : -1;

    *planned = (struct planned_input){
        .settings = request->inputs[index],
        .is_passed = passed >= 0,
        .passed = passed,
        .taken_from = INPUTS_MAX,
        .listener = {.fd = -1},
    };
    int result = tls_context_load(&planned->tls, &planned->settings.tls, request->path,
                                  planned->settings.endpoint.host, error);
    if (result == 0) {
        result = choose_place(set, plan, planned, error);
    }
    if (result == 0) {
        result = find_or_open_listener(set, planned, error);
    }
    if (result < 0) {
        tls_context_release(planned->tls);
        free(planned->new_name);
        planned->tls = NULL;
        planned->new_name = NULL;
        return result;
    }
    plan->count++;
    plan->place_count += planned->new_name != NULL;
    return 0;
}

int input_set_prepare(const struct input_set *set, const struct input_request *request,
                      struct input_plan *plan, struct text *error)
{
    plan->count = 0;
    plan->place_count = set->count;
    for (unsigned i = 0; i < request->count; i++) {
        int result = prepare_input(set, request, i, plan, error);
        if (result < 0) {
            input_set_discard(plan);
            return result;
        }
    }
    return 0;
}

void input_set_discard(struct input_plan *plan)
{
    for (unsigned i = 0; i < plan->count; i++) {
        struct planned_input *planned = &plan->inputs[i];

        if (planned->taken_from == INPUTS_MAX) {
            listener_close(&planned->listener);
        }
        tls_context_release(planned->tls);
        free(planned->new_name);
    }
    plan->count = 0;
}

/* --- Adopting --- */

/* Whether its connections may stay. */
static bool is_same(const struct input_settings *a, const struct input_settings *b)
{
    return endpoint_equal(&a->endpoint, &b->endpoint) &&
           a->endpoint.is_dialled == b->endpoint.is_dialled && a->sampling == b->sampling &&
           tls_settings_equal(&a->tls, &b->tls);
}

static enum input_change adopt_input(struct input_place *place, const struct planned_input *planned,
                                     const struct listener *listener)
{
    enum input_change change = !place->in_use                                  ? INPUT_LISTENS
                               : is_same(&place->settings, &planned->settings) ? INPUT_UNCHANGED
                                                                               : INPUT_CHANGED;

    char *name = planned->new_name != NULL ? planned->new_name : place->settings.name;
    place->settings = planned->settings;
    place->settings.name = name;
    tls_context_release(place->tls);
    place->tls = planned->tls;
    place->listener = *listener;
    if (place->listener.path != NULL) {
        place->listener.path = place->settings.endpoint.path; /* the plan's goes away */
    }
    place->in_use = true;
    if (planned->is_passed) {
        place->passed = fcntl(planned->passed, F_DUPFD_CLOEXEC, 0);
        place->is_passed = place->passed >= 0;
        place->passed_endpoint = planned->settings.endpoint;
    }
    return change;
}

void input_set_adopt(struct input_set *set, struct input_plan *plan,
                     enum input_change changes[INPUTS_MAX])
{
    struct listener old[INPUTS_MAX];
    bool is_taken[INPUTS_MAX] = {false};
    bool stays[INPUTS_MAX] = {false};

    for (unsigned i = 0; i < INPUTS_MAX; i++) {
        old[i] = set->places[i].listener;
        changes[i] = INPUT_UNCHANGED;
    }
    for (unsigned i = 0; i < plan->count; i++) {
        stays[plan->inputs[i].place] = true;
        if (plan->inputs[i].taken_from < INPUTS_MAX) {
            is_taken[plan->inputs[i].taken_from] = true;
        }
    }
    for (unsigned i = 0; i < set->count; i++) {
        if (set->places[i].in_use && !is_taken[i]) {
            listener_close(&old[i]);
        }
        if (set->places[i].in_use && !stays[i]) {
            set->places[i].in_use = false;
            set->places[i].listener = (struct listener){.fd = -1};
            tls_context_release(set->places[i].tls);
            set->places[i].tls = NULL;
            changes[i] = INPUT_REMOVED;
        }
    }
    for (unsigned i = 0; i < plan->count; i++) {
        const struct planned_input *planned = &plan->inputs[i];
        const struct listener *listener = planned->taken_from < INPUTS_MAX
                                              ? &old[planned->taken_from]
                                              : &planned->listener;
        changes[planned->place] = adopt_input(&set->places[planned->place], planned, listener);
    }
    set->count = plan->place_count;
    plan->count = 0;
}

void input_set_close(struct input_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        if (set->places[i].in_use) {
            listener_close(&set->places[i].listener);
            set->places[i].in_use = false;
        }
    }
}

void input_set_deinit(struct input_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        free(set->places[i].settings.name);
        tls_context_release(set->places[i].tls);
        if (set->places[i].is_passed) {
            (void)close(set->places[i].passed);
        }
    }
    set->count = 0;
}
