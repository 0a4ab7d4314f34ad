/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/input_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
        if (set->places[i].in_use && endpoint_equal(&set->places[i].settings.endpoint, endpoint)) {
            return i;
        }
    }
    return INPUTS_MAX;
}

/* The place of a name that is known, or the next one for a copy of the name. */
static int choose_place(const struct input_set *set, struct input_plan *plan,
                        struct planned_input *planned, struct text *error)
{
    const char *name = planned->settings.name;

    planned->place = find_name(set, name);
    if (planned->place < set->count) {
        planned->settings.name = set->places[planned->place].settings.name;
        return 0;
    }
    if (plan->place_count == INPUTS_MAX) {
        text_append_format(error,
                           "inputs: %s is one name more than the %d that there may be since "
                           "the start; this takes a restart",
                           name, INPUTS_MAX);
        return -ENOSPC;
    }
    planned->settings.name = strdup(name);
    if (planned->settings.name == NULL) {
        return -ENOMEM;
    }
    planned->place = plan->place_count++;
    return 0;
}

static void free_new_name(const struct input_set *set, struct planned_input *planned)
{
    if (planned->place >= set->count) {
        free(planned->settings.name);
    }
}

static int prepare_input(const struct input_set *set, const struct input_settings *input,
                         int passed, struct input_plan *plan, struct text *error)
{
    struct planned_input *planned = &plan->inputs[plan->count];

    *planned = (struct planned_input){.settings = *input};
    int result = choose_place(set, plan, planned, error);
    if (result < 0) {
        return result;
    }
    planned->taken_from = find_listener(set, &input->endpoint);
    if (planned->taken_from == INPUTS_MAX) {
        result = passed >= 0 ? listener_adopt(&planned->listener, passed)
                             : listener_open(&planned->listener, input, error);
    }
    if (result < 0) {
        free_new_name(set, planned);
        return result;
    }
    plan->count++;
    return 0;
}

int input_set_prepare(const struct input_set *set, const struct input_settings *inputs,
                      unsigned count, const int *passed, struct input_plan *plan,
                      struct text *error)
{
    plan->count = 0;
    plan->place_count = set->count;
    for (unsigned i = 0; i < count; i++) {
        int result = prepare_input(set, &inputs[i], passed != NULL ? passed[i] : -1, plan, error);
        if (result < 0) {
            input_set_discard(set, plan);
            return result;
        }
    }
    return 0;
}

void input_set_discard(const struct input_set *set, struct input_plan *plan)
{
    for (unsigned i = 0; i < plan->count; i++) {
        struct planned_input *planned = &plan->inputs[i];

        if (planned->taken_from == INPUTS_MAX) {
            listener_close(&planned->listener);
        }
        free_new_name(set, planned);
    }
    plan->count = 0;
}

/* --- Adopting --- */

/* Whether its connections may stay. */
static bool is_same(const struct input_settings *a, const struct input_settings *b)
{
    return endpoint_equal(&a->endpoint, &b->endpoint) && a->sampling == b->sampling;
}

static enum input_change adopt_input(struct input_place *place, const struct planned_input *planned,
                                     const struct listener *listener)
{
    enum input_change change = !place->in_use                                  ? INPUT_LISTENS
                               : is_same(&place->settings, &planned->settings) ? INPUT_UNCHANGED
                                                                               : INPUT_CHANGED;

    place->settings = planned->settings;
    place->listener = *listener;
    if (place->listener.path != NULL) {
        place->listener.path = place->settings.endpoint.path; /* the plan's goes away */
    }
    place->in_use = true;
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
    }
    set->count = 0;
}
