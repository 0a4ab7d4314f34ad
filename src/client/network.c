/* SPDX-License-Identifier: Apache-2.0 */
#include "client/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* A number of at most three digits, and nothing else. Returns -1 where it is none. */
static int prefix_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits <= 3 && text[digits] == '\0' ? atoi(text) : -1;
}

bool network_parse(const char *text, struct network *out)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");

    if (len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    *out = (struct network){.len = 4};
    if (inet_pton(AF_INET, address, out->address) != 1) {
        out->len = 16;
        if (inet_pton(AF_INET6, address, out->address) != 1) {
            return false;
        }
    }
    int prefix = text[len] == '/' ? prefix_of(text + len + 1) : 8 * out->len;
    out->prefix = (uint8_t)prefix;
    return prefix >= 0 && prefix <= 8 * out->len;
}

bool network_contains(const struct network *network, struct bytes address)
{
    unsigned whole = network->prefix / 8;
    unsigned bits = network->prefix % 8;

    if (address.len != network->len || memcmp(address.data, network->address, whole) != 0) {
        return false;
    }
    return bits == 0 || (address.data[whole] ^ network->address[whole]) >> (8 - bits) == 0;
}
