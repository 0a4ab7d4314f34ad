/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * top_view.h - what the command top shows of two documents of /api/v1/status: lines of text
 */

#include "base/attr.h"
#include "base/text.h"

/** Append lines for a terminal of this size to *out: indicators, servers, lists and findings, as
 * many as there is room for. `now` and `before` are documents, of which the numbers between them
 * are; without `before` (""), there are no rates. `name` says of which exporter. Returns 0, or
 * -EPROTO where a document is none. */
NONNULL MUST_USE int top_view_write(const struct text *before, const struct text *now,
                                    const char *name, unsigned columns, unsigned rows,
                                    struct text *out);
