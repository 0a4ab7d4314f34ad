/* SPDX-License-Identifier: Apache-2.0 */
#include "base/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- A path --- */

/* How many bytes at `path` say nothing: a slash before another one, or "/." before a slash. */
static size_t endpoint_empty_step(const char *path)
{
    return strncmp(path, "//", 2) == 0 ? 1 : strncmp(path, "/./", 3) == 0 ? 2 : 0;
}

bool endpoint_parse_unix(const char *text, struct endpoint *out)
{
    struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
    size_t len = 0;

    if (text[0] != '/' || strlen(text) >= ENDPOINT_PATH_SIZE) {
        return false;
    }
    for (; *text != '\0'; text++) {
        while (endpoint_empty_step(text) > 0) {
            text += endpoint_empty_step(text);
        }
        endpoint.path[len++] = *text;
    }
    *out = endpoint;
    return true;
}

/* --- HOST:PORT --- */

static bool parse_port(const char *text, uint16_t *out)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long port = strtoul(text, NULL, 10);

    if (digits == 0 || digits > 5 || text[digits] != '\0' || port < 1 || port > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

/* An IPv6 socket takes IPv4 too, as mapped addresses (RFC 4291 section 2.5.5.2), so that a mapped
 * address is its IPv4 one, and `::` every address. */
static void endpoint_unify_host(struct endpoint *endpoint)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (inet_pton(AF_INET, endpoint->host, &v4) == 1) {
        endpoint->has_address = true;
    } else if (inet_pton(AF_INET6, endpoint->host, &v6) == 1) {
        endpoint->has_address = true;
        if (IN6_IS_ADDR_V4MAPPED(&v6)) {
            (void)inet_ntop(AF_INET, v6.s6_addr + 12, endpoint->host, ENDPOINT_HOST_SIZE);
        } else {
            (void)inet_ntop(AF_INET6, &v6, endpoint->host, ENDPOINT_HOST_SIZE);
        }
        if (IN6_IS_ADDR_UNSPECIFIED(&v6)) {
            endpoint->host[0] = '\0';
        }
    }
}

bool endpoint_parse_tcp(const char *text, struct endpoint *out)
{
    struct endpoint endpoint = {.kind = ENDPOINT_TCP};
    const char *colon = strrchr(text, ':');

    if (colon == NULL || !parse_port(colon + 1, &endpoint.port)) {
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
    if (host_len >= sizeof endpoint.host) {
        return false;
    }
    memcpy(endpoint.host, host, host_len);
    endpoint_unify_host(&endpoint);
    *out = endpoint;
    return true;
}

/* --- A URL --- */

/* Whether *text begins with `scheme`, which is skipped then. */
static bool skip_scheme(const char **text, const char *scheme)
{
    size_t len = strlen(scheme);
    bool begins = strncmp(*text, scheme, len) == 0;

    *text += begins ? len : 0;
    return begins;
}

bool endpoint_parse_dialled(const char *text, struct endpoint *out)
{
    struct endpoint endpoint = {0};
    bool is_unix = skip_scheme(&text, "unix:");
    bool has_tls = !is_unix && skip_scheme(&text, "tls://");

    if (is_unix
            ? !endpoint_parse_unix(text, &endpoint)
            : (!has_tls && !skip_scheme(&text, "tcp://")) || !endpoint_parse_tcp(text, &endpoint) ||
                  !endpoint.has_address || endpoint.host[0] == '\0') {
        return false;
    }
    endpoint.is_dialled = true;
    endpoint.has_tls = has_tls;
    *out = endpoint;
    return true;
}

/* --- All --- */

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->kind == b->kind && strcmp(a->path, b->path) == 0 && a->port == b->port &&
           strcasecmp(a->host, b->host) == 0;
}

bool endpoint_is_loopback(const struct endpoint *endpoint)
{
    struct in_addr address;

    return endpoint->kind == ENDPOINT_UNIX || strcmp(endpoint->host, "localhost") == 0 ||
           strcmp(endpoint->host, "::1") == 0 ||
           (inet_pton(AF_INET, endpoint->host, &address) == 1 &&
            ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

const char *endpoint_print(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE])
{
    bool brackets = strchr(endpoint->host, ':') != NULL;
    const char *scheme = !endpoint->is_dialled             ? ""
                         : endpoint->kind == ENDPOINT_UNIX ? "unix:"
                         : endpoint->has_tls               ? "tls://"
                                                           : "tcp://";

    if (endpoint->kind == ENDPOINT_TCP) {
        (void)snprintf(out, ENDPOINT_TEXT_SIZE, "%s%s%s%s:%u", scheme, brackets ? "[" : "",
                       endpoint->host, brackets ? "]" : "", endpoint->port);
    } else {
        (void)snprintf(out, ENDPOINT_TEXT_SIZE, "%s%s", scheme, endpoint->path);
    }
    return out;
}

const char *endpoint_key(const struct endpoint *endpoint)
{
    return endpoint->is_dialled ? "connect" : endpoint->kind == ENDPOINT_UNIX ? "unix" : "tcp";
}
