/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * frame_file.h - the data frames of a dnstap file, one after the other
 *
 * A file is a Frame Streams recording, plain or packed (stream/byte_source.h); recordings that were
 * joined (`cat a b`) are all read.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"

/** What is done with the frames. A function that is NULL has nothing to do. */
struct frame_sink {
    void *context;
    /** A data frame, borrowed. Returns whether it is usable; one that is not is reported. */
    bool (*take_frame)(void *context, struct bytes frame);
    /** A data frame over the bound was passed over. */
    void (*skip_frame)(void *context);
    /** A recording begins. */
    void (*begin_recording)(void *context);
    /** Some frames follow, and then do not: for locks. */
    void (*begin_frames)(void *context);
    void (*end_frames)(void *context);
    /** Whether no more frames are wanted; asked after each end_frames(). */
    bool (*is_done)(void *context);
};

/** A file and how it is read. */
struct frame_file {
    const char *path;        /* "-": standard input */
    uint32_t max_frame_size; /* bytes; larger frames are passed over */
    bool shows_progress;     /* on standard error */
    bool is_growing;         /* it is still being written, or was when its writer ended: that its end
                                is missing is no damage */
};

/** Read all of the file, or until the sink has enough. Sets *is_dnstap if it begins as a dnstap file
 * does. Returns 0; or a negative errno, after all that was sound has been taken, and the damage with
 * its byte offset in *damage. */
NONNULL MUST_USE int frame_file_read(const struct frame_file *file, const struct frame_sink *sink,
                                     bool *is_dnstap, struct text *damage);
