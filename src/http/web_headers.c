/* SPDX-License-Identifier: Apache-2.0 */
#include "web_headers_internal.h"

#include <string.h>

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
        if (strcmp(name, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY) == 0) {
            policy = NULL;
        }
        (void)MHD_add_response_header(response, name, value);
    }
    if (policy != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, policy);
    }
}
