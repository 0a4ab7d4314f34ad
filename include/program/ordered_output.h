/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ordered_output.h - the parts of an output, made by several threads and written in their order
 *
 * The part whose turn it is goes to standard output as it is made. Others wait in memory: for each
 * thread two parts at the most, each of ORDERED_OUTPUT_MAX bytes and what is made at once.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"

#define ORDERED_OUTPUT_MAX ((size_t)4 * 1024 * 1024) /* bytes of a part that waits */

struct ordered_output;

/** Create an output of `part_count` parts for `thread_count` threads. Returns 0 or a negative
 * errno.
 */
NONNULL MUST_USE int ordered_output_create(struct ordered_output **out, unsigned part_count,
                                           unsigned thread_count);

/** Free the output, when its threads have ended; NULL is allowed. */
void ordered_output_free(struct ordered_output *output);

/** Take the next part, and wait until there is room for it. False: there is none, or the output
 * cannot be written. */
NONNULL MUST_USE bool ordered_output_next(struct ordered_output *output, unsigned *part);

/** Write `text` and clear it, if it is the part's turn; wait for that if the text is long. False:
 * the output cannot be written. */
NONNULL MUST_USE bool ordered_output_write(struct ordered_output *output, unsigned part,
                                           struct text *text);

/** The part ends with `text`, whose memory is the output's from now on. */
NONNULL void ordered_output_end(struct ordered_output *output, unsigned part, struct text *text);

/** Returns 0, or the negative errno that writing ended with. */
NONNULL int ordered_output_result(struct ordered_output *output);
