/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * memory.h - memory that is there from the start
 */

#include <stddef.h>
#include <stdint.h>

/** Have the kernel give `size` bytes at `memory`, which was just allocated and means nothing yet:
 *  a table that has a fixed size then takes it at once, and not bit by bit as an attack fills it.
 */
static inline void memory_touch(void *memory, size_t size)
{
    const size_t page_size = 4096; /* or more; then this touches some pages more than once */
    volatile uint8_t *at = memory;

    for (size_t i = 0; i < size; i += page_size) {
        at[i] = 0;
    }
}
