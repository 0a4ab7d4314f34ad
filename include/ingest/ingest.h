/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ingest.h - the inputs, the workers behind them, the outputs and the archive
 *
 * One thread, the one that made it, accepts and dials. It gives all connections of one peer (a
 * process on a unix socket, a host on TCP) to the same worker, since a server with several
 * connections may send a query on one and its response on another.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "record/aggregator.h"
#include "count/socket_counters.h"
#include "ingest/ingest_settings.h"
#include "ingest/input_set.h"
#include "relay/archive_settings.h"
#include "relay/output_settings.h"
#include "stream/input_settings.h"

struct ingest; /* opaque: src/ingest/ingest.c */

/** All of it must outlive the ingest, but for `inputs` and `passed`. */
struct ingest_setup {
    const struct input_settings *inputs;
    unsigned input_count;
    const struct output_settings *outputs;
    unsigned output_count;
    const struct ingest_settings *settings;
    const char *config_path;  /* for errors; NULL: there is no file */
    size_t other_descriptors; /* that other modules may have open */
    const int *passed; /* of each input the listening socket that systemd has passed, or -1 */
    struct aggregator *aggregator;          /* each of its shards gets a worker */
    struct input_gauges *gauges;            /* [INPUTS_MAX] */
    struct output_counters *counters;       /* of each output */
    const struct archive_settings *archive; /* NULL: there is none */
    struct archive_counters *archive_counters;
};

/** Open all listeners, or take duplicates of those that were passed, and start the workers. Returns
 * 0 and *out for ingest_free(), or a negative errno and what went wrong in *error. */
NONNULL MUST_USE int ingest_create(struct ingest **out, const struct ingest_setup *setup,
                                   struct text *error);

/** When the worker that has been silent longest was last seen to go on, by the monotonic clock;
 * each goes on twice a second. */
NONNULL uint64_t ingest_oldest_heartbeat_ns(const struct ingest *ingest);

/** A descriptor that is readable when a connection waits. */
NONNULL int ingest_fd(const struct ingest *ingest);

/** Accept what waits, and hand on what is open. */
NONNULL void ingest_accept(struct ingest *ingest);

/** Load certificates again whose files have changed, and dial inputs that have no connection. Call
 *  it once a second. */
NONNULL void ingest_tick(struct ingest *ingest);

/** Make socket files that were removed again. Returns whether all inputs listen. Failures are
 * logged, and noted in the gauges of the input. */
NONNULL bool ingest_check_listeners(struct ingest *ingest);

/** Listen where inputs[count] say and no input does yet, before they take the place of those there
 * are. Returns 0, for ingest_adopt_inputs() or ingest_discard_inputs(); or a negative errno and
 * what went wrong in *error, and nothing has changed. */
NONNULL MUST_USE int ingest_prepare_inputs(struct ingest *ingest,
                                           const struct input_settings *inputs, unsigned count,
                                           struct text *error);

/** Give up what was prepared. */
NONNULL void ingest_discard_inputs(struct ingest *ingest);

/** Go over to what was prepared. Connections of inputs that are gone, or have another address or
 * sampling, are closed; all others go on. */
NONNULL void ingest_adopt_inputs(struct ingest *ingest);

/** The inputs and their places: the index of an input's counters. */
NONNULL const struct input_set *ingest_inputs(const struct ingest *ingest);

/** Follow the configuration where it can change: limits and permissions. Failures are logged. */
NONNULL void ingest_configure(struct ingest *ingest);

/** Stop listening, read what has arrived, close, end the workers, the outputs and the archive, free
 * all. Takes about a second at the most, and as long again where outputs have something left; two
 * where the archive does. */
void ingest_free(struct ingest *ingest);
