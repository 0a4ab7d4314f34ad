/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = strtol(text, NULL, 10);

    return digits > 0 && digits <= 5 && text[digits] == '\0' && port >= 1 && port <= 65535;
}

bool address_split(const char *text, struct address *out)
{
    struct address address = {0};
    const char *colon = strrchr(text, ':');

    if (colon == NULL || !is_port(colon + 1)) {
        return false;
    }
    const char *host = text;
    size_t host_len = (size_t)(colon - text);
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len) != NULL) {
        return false; /* an IPv6 address needs its brackets */
    }
    if (host_len >= sizeof address.host) {
        return false;
    }
    memcpy(address.host, host, host_len);
    memcpy(address.port, colon + 1, strlen(colon + 1));
    *out = address;
    return true;
}

bool address_is_numeric(const struct address *address)
{
    uint8_t binary[16];

    return inet_pton(AF_INET, address->host, binary) == 1 ||
           inet_pton(AF_INET6, address->host, binary) == 1;
}
