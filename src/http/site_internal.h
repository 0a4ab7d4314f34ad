/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * site_internal.h - the pages for people
 *
 * Each is one document without anything from outside. Its Content-Security-Policy lets its own
 * style and script run, by their hashes, and nothing else; page_policy.sh writes it.
 */

struct site_page {
    const char *html;
    const char *policy;
};

extern const struct site_page site_landing, site_status;
