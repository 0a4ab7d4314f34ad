/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * json_format_internal.h - a scrape as JSON, for pages that people look at
 */

#include "base/attr.h"
#include "base/text.h"
#include "scrape_internal.h"

/** Bytes that parts of a document take at the most while they are made, besides its text. */
#define JSON_FORMAT_MEMORY_MAX ((size_t)2 * 1024 * 1024)

/** Bytes of the largest document about so many pairs of a server and a role. */
size_t json_format_max(size_t pairs);

/** Bound what documents take from now on. */
void json_format_init(void);

/** Append the lists, of at most `limit` entries, the distinct counts and the active findings to
 * `page`. Where the document would be too large, lists have half of the entries, or a quarter, and
 * so on. Returns 0 or -ENOMEM. One thread at a time. */
NONNULL MUST_USE int json_format_write_top(const struct scrape *scrape, size_t limit,
                                           struct text *page);

/** Append the same, and the counts of every server and input. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int json_format_write_status(const struct scrape *scrape, size_t limit,
                                              struct text *page);

/** Append what each server did in each role in the last `limit` minutes, or fewer where the
 * document would be too large. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int json_format_write_history(const struct scrape *scrape, size_t limit,
                                               struct text *page);

/** Append the findings that are active and those that have ended, at most `limit` of each, or fewer
 * where the document would be too large. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int json_format_write_findings(const struct scrape *scrape, size_t limit,
                                                struct text *page);
