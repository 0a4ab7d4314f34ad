/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * top_json_internal.h - the lists, the distinct counts and the bursts as JSON
 */

#include "base/attr.h"
#include "base/text.h"
#include "snapshot_internal.h"

/** Append the document, whose lists have at most `limit` entries, to `page`. Returns 0 or -ENOMEM.
 */
NONNULL MUST_USE int top_json_write(const struct snapshot *snapshot, size_t limit,
                                    struct text *page);
