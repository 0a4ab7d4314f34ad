/* SPDX-License-Identifier: Apache-2.0 */
#include "public_names_internal.h"

bool public_names_has(const struct public_names *names, uint64_t hash, uint64_t minute,
                      unsigned minutes)
{
    uint64_t found = atomic_load_explicit(&names->places[hash & (PUBLIC_NAMES_PLACES - 1)],
                                          memory_order_relaxed);

    return found != 0 && (found ^ hash) >> 16 == 0 && (uint16_t)(minute - found) <= minutes;
}
