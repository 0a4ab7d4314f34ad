/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * json_format_internal.h - a snapshot as JSON, for pages that people look at
 */

#include "base/attr.h"
#include "base/text.h"
#include "snapshot_internal.h"

/** Append the lists, of at most `limit` entries, the distinct counts and the bursts to `page`.
 * Returns 0 or -ENOMEM. */
NONNULL MUST_USE int json_format_write_top(const struct snapshot *snapshot, size_t limit,
                                           struct text *page);

/** Append these, and what every server and input has counted. Returns likewise. */
NONNULL MUST_USE int json_format_write_status(const struct snapshot *snapshot, size_t limit,
                                              struct text *page);
