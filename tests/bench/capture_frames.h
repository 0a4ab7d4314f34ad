/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * capture_frames.h - the data frames of a capture as bytes that can be sent again
 *
 * Each frame keeps its length before it, and frames follow each other without a gap, so that any
 * run of them is one write. Every failure ends the process with a message.
 */

#include <stddef.h>
#include <stdint.h>

struct capture_frames {
    uint8_t *data;
    size_t *offsets; /* [count + 1]; the last is where the data ends */
    size_t count;    /* at least 1 */
};

/** Read the .fstrm file at `path`; the caller frees it with capture_frames_deinit(). */
struct capture_frames capture_frames_load(const char *path);

void capture_frames_deinit(struct capture_frames *frames);
