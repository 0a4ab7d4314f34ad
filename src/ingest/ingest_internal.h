/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ingest_internal.h - what the parts of the ingest share
 *
 * ingest.c has its life and its inputs, acceptor.c the connections of these, until a worker has
 * them. All of it belongs to the thread that made the ingest.
 */

#include <stdatomic.h>

#include "ingest/connection_table.h"
#include "ingest/dialler.h"
#include "ingest/ingest.h"
#include "ingest/opener.h"
#include "ingest/peers.h"
#include "ingest/worker.h"
#include "relay/archive.h"
#include "relay/output.h"

#define INGEST_OPENER_EVENT INPUTS_MAX /* in the epoll set, in the place of an input */

struct ingest {
    struct ingest_setup setup;
    struct worker_settings settings;
    int epoll_fd;
    struct input_set inputs;
    struct input_plan plan;                   /* that was prepared; empty otherwise */
    _Atomic uint16_t input_ports[INPUTS_MAX]; /* of TCP; 0: none */
    struct output *outputs[OUTPUTS_MAX];      /* the first output_count, of setup.outputs */
    unsigned output_count;
    struct archive *archive; /* NULL: there is none */
    /* Of the outputs of each input, and of the archive, NULL-terminated. */
    struct frame_queue *queues_of[INPUTS_MAX][OUTPUTS_MAX + 2];
    struct worker **workers; /* [worker_count] */
    unsigned worker_count;
    struct opener *opener; /* NULL: not needed yet */
    struct dialler diallers[INPUTS_MAX];
    unsigned generations[INPUTS_MAX]; /* how often the input's address or TLS has changed */
    struct peers peers;
    struct connection_table connections;
    size_t descriptors_max; /* connections that may be open, so that the web server has its own */
    bool made_room;         /* a connection was closed for another one in this turn */
    bool failing;           /* accepting failed, and the log has been told */
};

static inline bool ingest_is_in_use(const struct ingest *ingest, unsigned input)
{
    return ingest->inputs.places[input].in_use;
}

static inline bool ingest_is_dialled(const struct ingest *ingest, unsigned input)
{
    return ingest->inputs.places[input].settings.endpoint.is_dialled;
}

/** Show whether an input that is dialled is connected. */
static inline void ingest_note_connected(struct ingest *ingest, unsigned input, bool is_connected)
{
    atomic_store_explicit(&ingest->setup.gauges[input].connected, is_connected,
                          memory_order_relaxed);
}

/** Connections that have been silent longest are closed, on the input or on all
 *  (CONNECTION_TABLE_ALL), until one more is within `max`. */
NONNULL void ingest_make_room(struct ingest *ingest, unsigned input, size_t max,
                              enum worker_order order);

/** Connect inputs that are dialled and have no connection. */
NONNULL void ingest_dial(struct ingest *ingest, uint64_t now_ns);
