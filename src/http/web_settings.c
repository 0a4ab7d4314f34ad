/* SPDX-License-Identifier: Apache-2.0 */
#include "http/web_settings.h"

#include <string.h>

#define HOST_MAX 253 /* characters of a domain name as text (RFC 1035 section 2.3.4) */

bool web_settings_is_host(const char *text)
{
    size_t len = strlen(text);

    return len >= 1 && len <= HOST_MAX && strspn(text, WEB_HOST_LETTERS) == len;
}

const struct config_rows web_rows = CONFIG_ROWS(WEB_KEYS, struct web_settings);
