/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_value.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/endpoint.h"

/* A number at the start of *text, moved behind it. */
static bool take_number(const char **text, uint64_t *out)
{
    char *end;

    if (**text < '0' || **text > '9') { /* strtoull would take blanks and signs */
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    if (errno != 0) {
        return false;
    }
    *text = end;
    *out = value;
    return true;
}

bool config_parse_number(const char *text, uint64_t *out)
{
    uint64_t value;

    if (!take_number(&text, &value) || *text != '\0') {
        return false;
    }
    *out = value;
    return true;
}

static const struct {
    const char *name;
    uint64_t ns;
} units[] = {
    {"ms", NS_PER_MS},
    {"s", NS_PER_SECOND},
    {"m", 60 * NS_PER_SECOND},
    {"h", 3600 * NS_PER_SECOND},
    {"d", UINT64_C(24) * 3600 * NS_PER_SECOND},
};

#define UNITS (sizeof units / sizeof units[0])

static uint64_t take_unit_ns(const char **text)
{
    for (size_t i = 0; i < UNITS; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(*text, units[i].name, len) == 0) {
            *text += len;
            return units[i].ns;
        }
    }
    return 0;
}

bool config_parse_duration(const char *text, uint64_t *out)
{
    uint64_t total = 0;

    if (strcmp(text, "0") == 0) {
        *out = 0;
        return true;
    }
    do {
        uint64_t count;
        if (!take_number(&text, &count)) {
            return false;
        }
        uint64_t unit_ns = take_unit_ns(&text);
        if (unit_ns == 0 || count > UINT32_MAX || count * unit_ns / unit_ns != count ||
            total > UINT64_MAX - count * unit_ns) {
            return false;
        }
        total += count * unit_ns;
    } while (*text != '\0');
    *out = total;
    return true;
}

/* From the largest on. */
static const struct {
    const char *name;
    unsigned shift;
} size_units[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}};

bool config_parse_size(const char *text, uint64_t *out)
{
    uint64_t count;

    if (!take_number(&text, &count)) {
        return false;
    }
    for (size_t i = 0; i < sizeof size_units / sizeof size_units[0]; i++) {
        unsigned shift = size_units[i].shift;
        if (strcmp(text, size_units[i].name) == 0 && count << shift >> shift == count) {
            *out = count << shift;
            return true;
        }
    }
    return false;
}

bool config_parse_mode(const char *text, unsigned *out)
{
    size_t len = strspn(text, "01234567");

    if (len < 3 || len > 4 || text[len] != '\0' || (len == 4 && text[0] != '0')) {
        return false;
    }
    *out = (unsigned)strtoul(text, NULL, 8);
    return true;
}

static bool parse_id(const char *text, uint32_t *out)
{
    uint64_t id;

    if (!config_parse_number(text, &id) || id >= UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)id;
    return true;
}

bool config_parse_user(const char *text, uint32_t *out)
{
    const struct passwd *entry = getpwnam(text);

    if (entry == NULL) {
        return parse_id(text, out);
    }
    *out = entry->pw_uid;
    return true;
}

bool config_parse_group(const char *text, uint32_t *out)
{
    const struct group *entry = getgrnam(text);

    if (entry == NULL) {
        return parse_id(text, out);
    }
    *out = entry->gr_gid;
    return true;
}

bool config_parse_switch(const char *text, bool *out)
{
    bool on = strcmp(text, "true") == 0;

    if (!on && strcmp(text, "false") != 0) {
        return false;
    }
    *out = on;
    return true;
}

void config_print_duration(uint64_t duration_ns, struct text *out)
{
    size_t unit = 0;

    if (duration_ns == 0) {
        text_append_char(out, '0');
        return;
    }
    while (unit + 1 < UNITS && duration_ns % units[unit + 1].ns == 0) {
        unit++; /* each divides the next */
    }
    text_append_u64(out, duration_ns / units[unit].ns);
    text_append_string(out, units[unit].name);
}

void config_print_size(uint64_t bytes, struct text *out)
{
    size_t unit = 0;

    while (bytes % (UINT64_C(1) << size_units[unit].shift) != 0) {
        unit++;
    }
    text_append_u64(out, bytes >> size_units[unit].shift);
    text_append_string(out, size_units[unit].name);
}

void config_print_string(const char *string, struct text *out)
{
    text_append_char(out, '"');
    for (; *string != '\0'; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\') {
            text_append_char(out, '\\');
            text_append_char(out, *string);
        } else if (c < ' ' || c == 0x7f) {
            text_append_format(out, "\\x%02x", c);
        } else if (c == 0xc2 && (unsigned char)string[1] <= 0x9f) { /* C1 controls */
            text_append_format(out, "\\u00%02x", (unsigned char)*++string);
        } else if (strncmp(string, "\xe2\x80\xa8", 3) == 0 ||
                   strncmp(string, "\xe2\x80\xa9", 3) == 0) {
            text_append_format(out, "\\u20%02x", (unsigned char)string[2] - 0x80); /* separators */
            string += 2;
        } else {
            text_append_char(out, *string);
        }
    }
    text_append_char(out, '"');
}

bool config_is_absolute_path(const char *text)
{
    return text[0] == '/' || text[0] == '\0';
}

bool config_is_tcp(const char *text)
{
    struct endpoint endpoint;

    return endpoint_parse_tcp(text, &endpoint);
}

bool config_is_name(const char *text)
{
    size_t len = strlen(text);

    return len >= 1 && len < CONFIG_NAME_SIZE &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}
