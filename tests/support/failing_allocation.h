/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * failing_allocation.h - each allocation of our own objects fails in turn
 *
 * The linker leads their calls here (-Wl,--wrap=malloc and so on); those of shared libraries stay
 * as they are. For one test program, which includes cmocka before.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* Allocations that still succeed; negative: all do. Workers allocate on threads of their own. */
static atomic_int left = -1;
static atomic_int failures;
static bool only_one; /* fails, and what follows it succeeds again */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *string);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *string);

static bool fails(void)
{
    if (atomic_load(&left) < 0) {
        return false;
    }
    if (atomic_load(&left) == 0) {
        atomic_fetch_add(&failures, 1);
        if (only_one) {
            atomic_store(&left, -1);
        }
        return true;
    }
    atomic_fetch_sub(&left, 1);
    return false;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *string)
{
    return fails() ? NULL : __real_strdup(string);
}

/* Let the first allocation fail, then the second, and so on, until the attempt needs no more. From
 * the one that fails on, all do. Returns how many there were. */
static int fail_in_turn(int (*attempt)(void))
{
    for (int count = 0;; count++) {
        atomic_store(&failures, 0);
        atomic_store(&left, count);
        int result = attempt();
        atomic_store(&left, -1);
        if (atomic_load(&failures) == 0) {
            assert_int_equal(result, 0);
            return count;
        }
        if (result >= 0) {
            fail_msg("allocation %d failed, and the result is %d", count, result);
        }
        assert_true(count < 2000);
    }
}
