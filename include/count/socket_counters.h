/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * socket_counters.h - what the exporter says of its inputs, its outputs and its archive
 *
 * Any thread may count and read: numbers for themselves, on which nothing else depends.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"

/** Why a connection that the exporter makes did not come about. */
enum connection_failure {
    CONNECTION_FAILURE_CONNECT,   /* the system refused it: nobody listens, no way there */
    CONNECTION_FAILURE_TIMEOUT,   /* it was not there in time */
    CONNECTION_FAILURE_HANDSHAKE, /* of Frame Streams */
    CONNECTION_FAILURE_TLS,       /* the peer speaks TLS, the exporter does not */
    CONNECTION_FAILURE_NOT_TLS,   /* the exporter speaks TLS, the peer does not */
    CONNECTION_FAILURE_TLS_VERSION,
    CONNECTION_FAILURE_TLS_UNKNOWN_CA,  /* the peer's certificate is of no authority that is trusted
                                         */
    CONNECTION_FAILURE_TLS_EXPIRED,     /* it is out of its time */
    CONNECTION_FAILURE_TLS_WRONG_NAME,  /* it is for somebody else */
    CONNECTION_FAILURE_TLS_CERTIFICATE, /* it is not valid otherwise */
    CONNECTION_FAILURE_TLS_REFUSED,   /* the peer sent an alert: it takes no such client certificate
                                       */
    CONNECTION_FAILURE_TLS_HANDSHAKE, /* the handshake of TLS failed otherwise */
    CONNECTION_FAILURE_COUNT
};

/** An input's gauges. Of the registry's thread, but for what is atomic. */
struct input_gauges {
    atomic_bool listening;                                          /* servers can connect */
    atomic_bool connected;                                          /* of one that is dialled */
    _Atomic uint64_t connection_failures[CONNECTION_FAILURE_COUNT]; /* of one that is dialled */
    bool is_removed;          /* from the configuration; its counters stay */
    unsigned sampling;        /* one in so many messages comes */
    double sampling_ratio;    /* 1 divided by it */
    struct endpoint endpoint; /* where it listens, or connects to */
};

static inline void input_gauges_init(struct input_gauges *input, const struct endpoint *endpoint,
                                     unsigned sampling)
{
    input->endpoint = *endpoint;
    input->is_removed = false;
    atomic_store_explicit(&input->listening, true, memory_order_relaxed);
    input->sampling = sampling;
    input->sampling_ratio = 1.0 / sampling;
}

/** Why a client of the web server was refused. */
enum web_refusal {
    WEB_REFUSAL_NOT_TLS, /* HTTP where HTTPS is served */
    WEB_REFUSAL_TLS_VERSION,
    WEB_REFUSAL_TLS_HANDSHAKE, /* it failed otherwise */
    WEB_REFUSAL_NO_CLIENT_CERTIFICATE,
    WEB_REFUSAL_CLIENT_CERTIFICATE,
    WEB_REFUSAL_MALFORMED,
    WEB_REFUSAL_HOST,         /* DNS rebinding */
    WEB_REFUSAL_CROSS_ORIGIN, /* a page of another site */
    WEB_REFUSAL_PASSWORD,
    WEB_REFUSAL_BUSY, /* too many passwords wait to be verified */
    WEB_REFUSAL_RATE_LIMIT,
    WEB_REFUSAL_COUNT
};

/** What the process has given up. */
enum sandbox_part {
    SANDBOX_PART_NO_NEW_PRIVILEGES,
    SANDBOX_PART_FILES,
    SANDBOX_PART_NETWORK,
    SANDBOX_PART_SYSTEM_CALLS,
    SANDBOX_PART_COUNT
};

/** Why a frame was not passed on. */
enum output_drop {
    OUTPUT_DROP_QUEUE_FULL, /* the receiver is slow or away */
    OUTPUT_DROP_CUT,        /* the connection broke within it */
    OUTPUT_DROP_SHUTDOWN,   /* there was no time left for it */
    OUTPUT_DROP_COUNT
};

/** What became of the frames that were to be passed on by an output. */
struct output_counters {
    _Atomic uint64_t frames; /* handed to the connection */
    _Atomic uint64_t dropped[OUTPUT_DROP_COUNT];
    _Atomic uint64_t connection_failures[CONNECTION_FAILURE_COUNT];
    atomic_bool connected;
};

static inline void output_counters_add(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

/** Why a frame is not in the archive. */
enum archive_drop {
    ARCHIVE_DROP_QUEUE_FULL,  /* the disk, or the CPU, is slow */
    ARCHIVE_DROP_DISK_FULL,   /* no space, or the user's quota is used up */
    ARCHIVE_DROP_WRITE_ERROR, /* the folder or a file cannot be written otherwise */
    ARCHIVE_DROP_SHUTDOWN,    /* there was no time left for it */
    ARCHIVE_DROP_COUNT
};

/** What became of the frames that were to be archived, and the archive's files. */
struct archive_counters {
    _Atomic uint64_t frames;        /* that are on the disk */
    _Atomic uint64_t bytes_written; /* packed, and of indexes */
    _Atomic uint64_t dropped[ARCHIVE_DROP_COUNT];
    _Atomic uint64_t errors;             /* attempts to write that failed */
    atomic_bool writing;                 /* the last attempt did not fail */
    _Atomic uint64_t files;              /* without indexes */
    _Atomic uint64_t size_bytes;         /* of files and indexes */
    _Atomic uint64_t oldest_seconds;     /* when the oldest file was begun, since 1970; 0: none */
    _Atomic uint64_t last_flush_seconds; /* when the disk last took what was written; 0: never */
};
