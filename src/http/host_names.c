/* SPDX-License-Identifier: Apache-2.0 */
#include "host_names_internal.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "http/web_settings.h"

#define NAME_SIZE 256 /* a domain name (RFC 1035 section 2.3.4), with the NUL */

struct host_names {
    struct text names; /* each with a NUL behind it */
};

/* Not in the public DNS, so that nobody outside can have a site there. */
static const char *const private_domains[] = {
    "localhost", "local", "internal", "home.arpa", "svc",     "cluster.local", "test",
    "lan",       "home",  "corp",     "intranet",  "private", "localdomain",
};

/* Without its final dot. */
static void host_names_add(struct host_names *names, const char *name)
{
    size_t len = strlen(name);

    len -= len > 0 && name[len - 1] == '.';
    text_append_bytes(&names->names, (struct bytes){(const uint8_t *)name, len});
    text_append_char(&names->names, '\0');
}

static bool is_called(const struct hostent *entry, const char *host)
{
    bool is_called = strcasecmp(entry->h_name, host) == 0;

    for (char **alias = entry->h_aliases; *alias != NULL; alias++) {
        is_called |= strcasecmp(*alias, host) == 0;
    }
    return is_called;
}

/* The names beside `host` in /etc/hosts; nothing is looked up in the DNS. */
static void add_names_of_hosts_file(struct host_names *names, const char *host)
{
    sethostent(0);
    for (struct hostent *entry; (entry = gethostent()) != NULL;) {
        if (!is_called(entry, host)) {
            continue;
        }
        host_names_add(names, entry->h_name);
        for (char **alias = entry->h_aliases; *alias != NULL; alias++) {
            host_names_add(names, *alias);
        }
    }
    endhostent();
}

static void add_in_domain(struct host_names *names, const char *host, const char *domain)
{
    text_append_format(&names->names, "%s.%s", host, domain);
    text_append_char(&names->names, '\0');
}

static void add_names_of_machine(struct host_names *names)
{
    struct __res_state resolver = {0};
    char host[NAME_SIZE] = "";

    if (gethostname(host, sizeof host - 1) < 0) {
        return;
    }
    host_names_add(names, host);
    add_names_of_hosts_file(names, host);
    if (res_ninit(&resolver) == 0) {
        for (unsigned i = 0; i < MAXDNSRCH && resolver.dnsrch[i] != NULL; i++) {
            add_in_domain(names, host, resolver.dnsrch[i]);
        }
        res_nclose(&resolver);
    }
}

struct host_names *host_names_create(const struct config_strings *configured)
{
    struct host_names *names = calloc(1, sizeof *names);

    if (names == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < configured->count; i++) {
        host_names_add(names, configured->items[i]);
    }
    add_names_of_machine(names);
    if (names->names.failed) {
        host_names_free(names);
        return NULL;
    }
    return names;
}

void host_names_free(struct host_names *names)
{
    if (names != NULL) {
        text_deinit(&names->names);
        free(names);
    }
}

/* ":9353", or nothing. */
static bool is_port(const char *text)
{
    return text[0] == '\0' ||
           (text[0] == ':' && strspn(text + 1, "0123456789") == strlen(text + 1));
}

/* Without port and final dot. False where it is no name. */
static bool read_name(const char *host, char out[NAME_SIZE])
{
    size_t len = strspn(host, WEB_HOST_LETTERS);

    if (len >= NAME_SIZE || !is_port(host + len)) {
        return false;
    }
    memcpy(out, host, len);
    out[len - (len > 0 && host[len - 1] == '.')] = '\0';
    out[len] = '\0';
    return true;
}

/* "[2001:db8::1]:9353" */
static bool is_ipv6(const char *host)
{
    size_t len = strcspn(host, "]");
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN];

    if (host[0] != '[' || len > sizeof text || host[len] == '\0' || !is_port(host + len + 1)) {
        return false;
    }
    memcpy(text, host + 1, len - 1);
    text[len - 1] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_below(const char *name, const char *domain)
{
    size_t len = strlen(name);
    size_t domain_len = strlen(domain);

    return len > domain_len && name[len - domain_len - 1] == '.' &&
           strcasecmp(name + len - domain_len, domain) == 0;
}

static bool is_private(const char *name)
{
    struct in_addr address;

    if (strchr(name, '.') == NULL || inet_pton(AF_INET, name, &address) == 1) {
        return true;
    }
    for (size_t i = 0; i < sizeof private_domains / sizeof private_domains[0]; i++) {
        if (is_below(name, private_domains[i])) {
            return true;
        }
    }
    return false;
}

bool host_names_allow(const struct host_names *names, const char *host)
{
    const char *end = names->names.data + names->names.len;
    char name[NAME_SIZE];

    if (host[0] == '[') {
        return is_ipv6(host);
    }
    if (!read_name(host, name)) {
        return false;
    }
    if (is_private(name)) {
        return true;
    }
    for (const char *ours = names->names.data; ours < end; ours += strlen(ours) + 1) {
        if (strcasecmp(name, ours) == 0) {
            return true;
        }
    }
    return false;
}
