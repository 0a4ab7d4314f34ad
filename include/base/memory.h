/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * memory.h - memory that is there from the start
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/** Set a part of a large allocation to zero; its whole pages go back to the kernel. */
static inline void memory_give_back(void *memory, size_t size)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *end = (uint8_t *)memory + size;
    uint8_t *first_page = (uint8_t *)(((uintptr_t)memory + page_size - 1) & ~(page_size - 1));
    uint8_t *last_page = (uint8_t *)((uintptr_t)end & ~(page_size - 1));

    if (first_page >= last_page ||
        madvise(first_page, (size_t)(last_page - first_page), MADV_DONTNEED) < 0) {
        first_page = last_page = end;
    }
    memset(memory, 0, (size_t)(first_page - (uint8_t *)memory));
    memset(last_page, 0, (size_t)(end - last_page));
}
