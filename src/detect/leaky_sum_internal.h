/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * leaky_sum_internal.h - sums that leak: evidence that comes faster than it leaks away piles up
 *
 * CUSUM (Page, "Continuous inspection schemes", 1954): S <- max(0, S - leak * time) + amount. A sum
 * is stored as the second at which it will have leaked away, so that the smallest of several sums
 * is the one that ends first, whenever they changed.
 */

#include "set_table_internal.h"

struct leaky_sum {
    struct set_entry entry; /* weight: the second at which it has leaked away */
    uint32_t events;        /* that were added since it was 0 */
};

struct leaky_sums {
    struct set_table table;
    double leak; /* a second */
};

/** Make `count` sums, a power of two; they end with set_table_deinit(&sums->table). Returns 0 or
 *  -ENOMEM. */
NONNULL MUST_USE int leaky_sums_init(struct leaky_sums *sums, size_t count, double leak);

/** The sum of a key at `second`; 0 for one that is not there. */
NONNULL double leaky_sums_value(const struct leaky_sums *sums, uint64_t key, double second);

/** Add `amount`, which may be below 0, and `events` at `second`; what is above `most` overflows.
 *  Returns the sum, valid until the next change. */
NONNULL const struct leaky_sum *leaky_sums_add(struct leaky_sums *sums, uint64_t key, double amount,
                                               double most, uint32_t events, double second);

/** The value of a sum at `second`. */
NONNULL double leaky_sum_value(const struct leaky_sums *sums, const struct leaky_sum *sum,
                               double second);
