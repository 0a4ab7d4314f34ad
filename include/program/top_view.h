/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * top_view.h - what the command top shows of two documents of /api/v1/status: lines of text
 */

#include "base/attr.h"
#include "base/text.h"

/** Append lines for a terminal of this size to *out: indicators, servers, lists and findings, as
 * many as there is room for. Rates are the differences between the documents `before` and `now`;
 * with `before` empty, totals are shown. `name` is the exporter's. Returns 0, or -EPROTO where
 * `now` is no document. */
NONNULL MUST_USE int top_view_write(const struct text *before, const struct text *now,
                                    const char *name, unsigned columns, unsigned rows,
                                    struct text *out);
