/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_value.h"

#include <errno.h>
#include <grp.h>
#include <ldns/ldns.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "yaml_print_internal.h"

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

bool config_parse_name(const char *text, struct config_name *out)
{
    ldns_rdf *name = ldns_dname_new_frm_str(text);
    bool usable = name != NULL && ldns_rdf_size(name) > 1 &&
                  ldns_rdf_size(name) <= sizeof out->wire;

    if (usable) {
        ldns_dname2canonical(name);
        out->len = (uint8_t)ldns_rdf_size(name);
        memcpy(out->wire, ldns_rdf_data(name), out->len);
    }
    ldns_rdf_deep_free(name);
    return usable;
}

void config_print_duration(uint64_t duration_ns, struct text *out)
{
    size_t unit = 0;

    while (unit + 1 < UNITS && duration_ns % units[unit + 1].ns == 0) {
        unit++; /* each divides the next */
    }
    text_add_u64(out, duration_ns / units[unit].ns);
    text_add_string(out, units[unit].name);
}

void config_print_name(const struct config_name *name, struct text *out)
{
    ldns_rdf *dname = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name->len, name->wire);
    char *text = dname != NULL ? ldns_rdf2str(dname) : NULL;

    if (text != NULL) {
        yaml_print_string(text, out);
    } else {
        out->failed = true;
    }
    free(text);
    ldns_rdf_deep_free(dname);
}
