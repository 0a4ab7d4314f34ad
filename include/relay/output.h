/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * output.h - frames on their way to a further receiver
 *
 * One thread connects, again and again where it has to, shakes hands as a DNS server does
 * (Frame Streams, bidirectional), and sends what is in a queue of fixed size. Whoever pushes never
 * waits for the receiver: what the queue has no room for is dropped and counted. Frames go out as
 * they came in, in the order of each connection that they came on.
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "relay/frame_queue.h"
#include "relay/output_settings.h"
#include "count/socket_counters.h"

struct output; /* opaque: src/relay/output.c */

/** Bytes that an output takes. */
size_t output_memory(const struct output_settings *settings);

/** All of it outlives the output. */
struct output_setup {
    const struct output_settings *settings;
    /* [INPUTS_MAX]: of the inputs on TCP, 0 for none: frames that came back would go round. */
    const _Atomic uint16_t *input_ports;
    struct output_counters *counters;
    const char *config_path; /* for errors; NULL: there is no file */
};

/** Start the thread. Returns 0 and *out for output_free(), or a negative errno, and perhaps one
 * line in *error. */
NONNULL MUST_USE int output_create(struct output **out, const struct output_setup *setup,
                                   struct text *error);

/** Where the frames that it passes on are pushed. */
NONNULL struct frame_queue *output_queue(struct output *output);

/** Tell the thread to end: it sends what is queued, for at most a second, says STOP and closes.
 * Returns at once; output_free() waits for it. */
NONNULL void output_end(struct output *output);

/** Wait for the end of an output that was told to, and free it. */
NONNULL void output_free(struct output *output);
