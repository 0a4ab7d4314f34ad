/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * site_internal.h - the pages for people
 *
 * Each is one document without anything from outside. Its Content-Security-Policy lets its own
 * style and script run, by their hashes, and nothing else.
 */

#include "base/attr.h"
#include "base/text.h"

struct site_page {
    const char *html; /* static */
    struct text policy;
};

struct site {
    struct site_page landing;
    struct site_page status;
};

/** Make the pages. Returns 0 or -ENOMEM; in either case the caller ends with site_deinit(). */
NONNULL MUST_USE int site_init(struct site *site);

/** Free the pages; an all-zero site is fine. */
NONNULL void site_deinit(struct site *site);
