/* SPDX-License-Identifier: Apache-2.0 */
#include "held_names_internal.h"

#include "name_filter_internal.h"

bool held_names_add(struct held_names *held, const struct held_name *name)
{
    if (held->count == HELD_NAMES_MAX) {
        return false;
    }
    held->names[held->count++] = *name;
    return true;
}

void held_names_release(struct held_names *held, const struct name_filter *seen,
                        void (*count)(void *context, const struct held_name *name), void *context)
{
    for (unsigned i = 0; i < held->count; i++) {
        if (!name_filter_has(seen, held->names[i].outside_hash)) {
            count(context, &held->names[i]);
        }
    }
    held->count = 0;
}
