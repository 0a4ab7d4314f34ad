/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * guard.h - memory that ends at a page nobody may touch, so that reading one byte too far crashes
 */

#include "base/bytes.h"

struct guard {
    uint8_t *start;
    size_t size; /* usable bytes; the next one is forbidden */
};

/** Make room for `size` bytes, rounded up to whole pages; ends the process where it cannot. */
struct guard guard_create(size_t size);

void guard_free(struct guard *guard);

/** Put the bytes right before the forbidden page. Valid until the next call. */
struct bytes guard_place(const struct guard *guard, struct bytes bytes);
