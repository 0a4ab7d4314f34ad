/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * held_names_internal.h - names with a search domain, which wait for an evaluation: a resolver asks
 * for the outside name alone, too, before or soon after; who hides data in such names does not
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct name_filter;

#define HELD_NAMES_MAX 256 /* of a second; chosen: 6 KB. More of them count at once */

struct held_names {
    unsigned count;
    struct held_name {
        uint64_t key;          /* of what it counts for */
        uint64_t outside_hash; /* of its outside name, as NAME_FILTER_QUERIED */
        double weight;
    } names[HELD_NAMES_MAX];
};

/** Hold a name. Returns false where there is no room. */
NONNULL bool held_names_add(struct held_names *held, const struct held_name *name);

/** Call `count` for each of `held` whose outside name nobody has asked for by now, and empty it. */
NONNULL void held_names_release(struct held_names *held, const struct name_filter *seen,
                                void (*count)(void *context, const struct held_name *name),
                                void *context);
