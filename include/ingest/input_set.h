/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * input_set.h - the inputs, and how they become others while the program runs
 *
 * An input has a place, whose index is that of its counters. A name keeps its place for good, also
 * when it is removed, so that its series goes on when it comes back. One thread owns the set.
 */

#include "base/attr.h"
#include "base/text.h"
#include "stream/input_settings.h"
#include "stream/listener.h"
#include "tls/tls_context.h"

struct input_place {
    struct input_settings settings; /* its name is owned */
    struct listener listener;       /* where it is in use; without a descriptor if it is dialled */
    struct tls_context *tls;        /* NULL: none */
    bool in_use;
    bool is_passed;                  /* systemd has passed a socket for it */
    int passed;                      /* that socket, which stays open: the input may come back */
    struct endpoint passed_endpoint; /* where it listens */
};

/** All zero at first. */
struct input_set {
    struct input_place places[INPUTS_MAX];
    unsigned count; /* places that have a name */
};

/** What becomes of a place. */
enum input_change {
    INPUT_UNCHANGED, /* or never used */
    INPUT_LISTENS,   /* it is new, or has come back */
    INPUT_CHANGED,   /* it has another address, TLS or sampling: its connections are to end */
    INPUT_REMOVED,   /* its connections are to end */
};

/** Inputs that are to take the place of those of the set. */
struct input_plan {
    struct planned_input {
        struct input_settings settings; /* its name is borrowed */
        char *new_name;                 /* of a place that had none: owned */
        unsigned place;
        unsigned taken_from;      /* the place whose listener it takes over; INPUTS_MAX: none */
        struct listener listener; /* where it takes over none */
        struct tls_context *tls;  /* NULL: none */
        bool is_passed;           /* by systemd, at the start */
        int passed;               /* borrowed then */
    } inputs[INPUTS_MAX];
    unsigned count;
    unsigned place_count; /* of the set afterwards */
};

/** What the inputs are prepared from. */
struct input_request {
    const struct input_settings *inputs; /* [count] */
    unsigned count;
    const int
        *passed;      /* [count]: the sockets that systemd has passed for them, or -1; NULL: none */
    const char *path; /* of the configuration, for errors; NULL: there is no file */
};

/** Listen for those inputs that the set does not have, and load all certificates. The set goes on
 * as it is. Returns 0 and *plan for input_set_adopt() or input_set_discard(); or a negative errno
 * and what went wrong in *error. */
NONNULL MUST_USE int input_set_prepare(const struct input_set *set,
                                       const struct input_request *request, struct input_plan *plan,
                                       struct text *error);

/** Give up a plan. */
NONNULL void input_set_discard(struct input_plan *plan);

/** Take over the plan, and stop listening for those that are not in it. What has become of each
 * place goes to changes[]. */
NONNULL void input_set_adopt(struct input_set *set, struct input_plan *plan,
                             enum input_change changes[INPUTS_MAX]);

/** Stop listening; the names stay. */
NONNULL void input_set_close(struct input_set *set);

/** Free the names, when nobody listens and no connection has them any more. */
NONNULL void input_set_deinit(struct input_set *set);
