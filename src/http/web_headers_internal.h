/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_headers_internal.h - the headers that the web configuration adds to every response
 */

#include <microhttpd.h>

#include "base/attr.h"
#include "http/web_config.h"

/** Add the configured headers; `policy`, if not NULL, is the page's Content-Security-Policy if none
 *  is configured. */
void web_headers_add(const struct web_headers *headers, struct MHD_Response *response,
                     const char *policy);
