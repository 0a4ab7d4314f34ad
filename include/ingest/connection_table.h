/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * connection_table.h - every accepted connection, as the accepting thread knows it
 *
 * The accepting thread owns the table and frees its entries. A worker writes into the entries of
 * its connections and marks them when they end.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct connection_entry {
    unsigned input;            /* its index among the inputs */
    unsigned worker;           /* its index among the workers */
    bool closing;              /* of the accepting thread: it was told to make room */
    _Atomic uint64_t heard_ns; /* monotonic, relaxed: when it last sent something */
    atomic_bool has_frames;    /* relaxed: it has sent a data frame */
    atomic_bool ended;         /* release: the worker does not use the entry any more */
};

/** All zero at first. */
struct connection_table {
    struct connection_entry **entries; /* [count], owned */
    size_t count, space;
};

/** In place of an input: all of them. */
#define CONNECTION_TABLE_ALL UINT32_MAX

/** Enter a connection that was accepted at `now_ns`. Returns NULL without memory. */
NONNULL MUST_USE struct connection_entry *connection_table_add(struct connection_table *table,
                                                               unsigned input, unsigned worker,
                                                               uint64_t now_ns);

/** The open connections of an input or of all; those that were told to make room are not counted.
 * Frees the entries of those that have ended. */
NONNULL size_t connection_table_count(struct connection_table *table, unsigned input);

/** Which open connection of the input, or of all, is to make room: of those that never sent a data
 * frame, or else of all, the one that has been silent longest. NULL: there is none. */
NONNULL struct connection_entry *connection_table_most_silent(const struct connection_table *table,
                                                              unsigned input);

/** The next open connection of the input from place *place on, which moves behind it; NULL: there
 * is none. Start with 0. */
NONNULL struct connection_entry *connection_table_next(const struct connection_table *table,
                                                       unsigned input, size_t *place);

/** Free all entries; no worker may use one any more. */
NONNULL void connection_table_deinit(struct connection_table *table);
