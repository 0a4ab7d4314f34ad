/* SPDX-License-Identifier: Apache-2.0 */
#include "web_headers_internal.h"

#include <string.h>

#define CONTENT_TYPE_OPTIONS "X-Content-Type-Options"

/* What a page has where the file says nothing else. */
static void add_default(struct MHD_Response *response, const char *name, const char *value)
{
    if (value != NULL && MHD_get_response_header(response, name) == NULL) {
        (void)MHD_add_response_header(response, name, value);
    }
}

void web_headers_add(const struct web_headers *headers, struct MHD_Response *response,
                     const char *policy)
{
    for (unsigned i = 0; i < web_header_rows.count; i++) {
        const struct config_row *row = &web_header_rows.rows[i];
        const char *name = strrchr(row->key, '.') + 1;
        const char *value = *(char *const *)(const void *)((const char *)headers + row->offset);

        if (value == NULL || value[0] == '\0') {
            continue;
        }
        (void)MHD_add_response_header(response, name, value);
    }
    add_default(response, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, policy);
    add_default(response, CONTENT_TYPE_OPTIONS, "nosniff");
}
