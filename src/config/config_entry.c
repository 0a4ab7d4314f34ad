/* SPDX-License-Identifier: Apache-2.0 */
#include "config_entry_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define NAME_MAX_LEN 64 /* chosen: label values have at most 64 characters */

int config_expected(struct text *error, const char *expected, const char *got)
{
    text_append_format(error, "expected %s, got '%s'", expected, got);
    return -EINVAL;
}

static void config_entry_where(const struct config_entry *entry, const char *member)
{
    char key[64];

    (void)snprintf(key, sizeof key, "%s[%u]%s%s", entry->list, entry->index, member[0] ? "." : "",
                   member);
    yaml_source_where(entry->source, key, entry->error);
}

int config_entry_refuse(const struct config_entry *entry, const char *member, const char *expected,
                        const char *got)
{
    config_entry_where(entry, member);
    return config_expected(entry->error, expected, got);
}

int config_entry_report(const struct config_entry *entry, const char *member, const char *why)
{
    config_entry_where(entry, member);
    text_append_string(entry->error, why);
    return -EINVAL;
}

int config_flag_refuse(struct text *error, const char *flag, const char *expected, const char *got)
{
    text_append_format(error, "%s: ", flag);
    return config_expected(error, expected, got);
}

bool config_alike(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool config_is_socket_path(const char *path)
{
    return path[0] == '/' && strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

bool config_is_name(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= NAME_MAX_LEN &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}
