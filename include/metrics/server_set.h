/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * server_set.h - the values of the label `server`, each with a small number
 *
 * Holds at most `capacity` servers for the life of the process; what comes after them shares the
 * number SERVER_OTHER, as does one that is called "other". Workers look servers up without a lock;
 * only a new server takes one.
 */

#include "base/attr.h"
#include "base/bytes.h"

#define SERVER_OTHER 0 /* the number that all servers over the capacity share */

/** Bytes of the longest identity that gets a series of its own; of an input's name in its place the
 * last ones count. */
#define SERVER_IDENTITY_MAX 255

struct server_set; /* opaque: src/metrics/server_set.c */

/** Make a set for `capacity` servers; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int server_set_create(struct server_set **out, unsigned capacity);

void server_set_free(struct server_set *set);

/** The number of the server with this dnstap identity: 1 to capacity, or SERVER_OTHER where the set
 *  is full or the identity too long. An empty identity stands for `input_name`. Any thread. */
NONNULL unsigned server_set_number(struct server_set *set, struct bytes identity,
                                   const char *input_name);

/** Numbers in use are below this; grows only. Any thread. */
NONNULL unsigned server_set_size(const struct server_set *set);

/** The label's value: UTF-8, valid as long as the set. `number` is below server_set_size(). */
NONNULL const char *server_set_label(const struct server_set *set, unsigned number);
