/* SPDX-License-Identifier: Apache-2.0 */
/* Reporting mistakes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

#define QUOTE_MAX 120 /* bytes; chosen: more than the path of a socket */

void config_append_quote(struct text *error, const char *text)
{
    size_t len = strnlen(text, QUOTE_MAX + 1);
    bool is_cut = len > QUOTE_MAX;

    /* Not within a character of UTF-8 (RFC 3629 section 3). */
    for (len -= is_cut; is_cut && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--) {
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        text_append_char(error, c < ' ' || c == 0x7f ? '?' : text[i]);
    }
    text_append_string(error, is_cut ? "..." : "");
}

int config_row_refuse(const struct config_row *row, const char *got, struct text *error)
{
    text_append_string(error, "expected ");
    config_row_print_expected(row, error);
    text_append_string(error, ", got '");
    config_append_quote(error, got);
    text_append_char(error, '\'');
    return -EINVAL;
}

/* The override that set `key`, or entry N of a list in "inputs[N].tcp"; NULL: none did. */
static const struct config_override *override_of(const struct config_check *check, const char *key)
{
    const char *bracket = strchr(key, '[');
    unsigned long skip = bracket != NULL ? strtoul(bracket + 1, NULL, 10) : 0;
    size_t len = bracket != NULL ? (size_t)(bracket - key) : strlen(key);

    for (unsigned i = 0; i < check->override_count; i++) {
        const char *other = check->overrides[i].key;
        if (strncmp(other, key, len) == 0 && (other[len] == '\0' || other[len] == '.') &&
            skip-- == 0) {
            return &check->overrides[i];
        }
    }
    return NULL;
}

/* "FILE:LINE: KEY: " or "FLAG: " */
static void check_append_place(const struct config_check *check, const char *key)
{
    const struct config_override *override = override_of(check, key);

    if (override != NULL) {
        text_append_format(check->error, "--%s: ", override->flag);
    } else if (check->source.path != NULL) {
        bool found;
        size_t line = yaml_source_line(&check->source, key, &found);
        text_append_format(check->error, "%s:%zu: %s: ", check->source.path, line, key);
    } else {
        text_append_format(check->error, "%s: ", key);
    }
}

int config_refuse(const struct config_check *check, const char *key, const char *why)
{
    check_append_place(check, key);
    text_append_string(check->error, why);
    return -EINVAL;
}

int config_refuse_value(const struct config_check *check, const char *key, const char *expected,
                        const char *got)
{
    const struct config_row row = {.expected = expected};

    check_append_place(check, key);
    return config_row_refuse(&row, got, check->error);
}

bool config_is_from_flag(const struct config_check *check, const char *key)
{
    return override_of(check, key) != NULL;
}

size_t config_line(const struct config_check *check, const char *key)
{
    bool found = false;
    size_t line = yaml_source_line(&check->source, key, &found);

    return found ? line : 0;
}

const char *config_file_path(const struct config_check *check)
{
    return check->source.path;
}
