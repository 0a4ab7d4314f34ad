/* SPDX-License-Identifier: Apache-2.0 */
#include "site_internal.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>

#define SHA256_SIZE 32 /* bytes */

/* The bytes of the files, and a NUL. */
static const uint8_t landing_html[] = {
#include "landing.html.inc"
    , 0};
static const uint8_t status_html[] = {
#include "status.html.inc"
    , 0};

/* Adds "DIRECTIVE 'sha256-HASH';" of what is between `begin` and `end`, which the page has once or
 * not at all (CSP level 2, section 4.2.5). */
static void add_hash(struct site_page *page, const char *directive, const char *begin,
                     const char *end)
{
    const char *from = strstr(page->html, begin);
    uint8_t digest[SHA256_SIZE];
    gnutls_datum_t hash = {digest, sizeof digest};
    gnutls_datum_t encoded;

    if (from == NULL) {
        return;
    }
    from += strlen(begin);
    const char *to = strstr(from, end);
    if (to == NULL || gnutls_hash_fast(GNUTLS_DIG_SHA256, from, (size_t)(to - from), digest) < 0 ||
        gnutls_base64_encode2(&hash, &encoded) < 0) {
        page->policy.failed = true;
        return;
    }
    text_append_format(&page->policy, " %s 'sha256-%.*s';", directive, (int)encoded.size,
                       (const char *)encoded.data);
    gnutls_free(encoded.data);
}

static void site_make_page(struct site_page *page, const uint8_t *source)
{
    page->html = (const char *)source;
    text_append_string(&page->policy, "default-src 'none'; base-uri 'none'; form-action 'none'; "
                                      "frame-ancestors 'none'; connect-src 'self'; img-src data:;");
    add_hash(page, "style-src", "<style>", "</style>");
    add_hash(page, "script-src", "<script>", "</script>");
}

int site_init(struct site *site)
{
    site_make_page(&site->landing, landing_html);
    site_make_page(&site->status, status_html);
    return site->landing.policy.failed || site->status.policy.failed ? -ENOMEM : 0;
}

void site_deinit(struct site *site)
{
    text_deinit(&site->landing.policy);
    text_deinit(&site->status.policy);
}
