/* SPDX-License-Identifier: Apache-2.0 */
/* Settings as a file that gives the same. */
#include <string.h>

#include "config_internal.h"

/* --- Lines --- */

/* Where the lines of keys go, and in which sections they are. */
struct printer {
    struct text *out;
    const char *before; /* the key printed last, or "" */
};

static void print_indent(struct printer *printer, unsigned level)
{
    for (unsigned i = 0; i < level; i++) {
        text_append_string(printer->out, "  ");
    }
}

/* The mappings of `key` that the key before it is not in; *level is that of the first, and then
 * that of the key's last part, which is returned. */
static const char *print_mappings(struct printer *printer, const char *key, unsigned *level)
{
    const char *part = key;

    for (const char *dot; (dot = strchr(part, '.')) != NULL; part = dot + 1) {
        if (strncmp(key, printer->before, (size_t)(dot + 1 - key)) != 0) {
            print_indent(printer, *level);
            text_append_format(printer->out, "%.*s:\n", (int)(dot - part), part);
        }
        ++*level;
    }
    printer->before = key;
    return part;
}

/* The value of row `index` goes to *value, as YAML has it: nothing where there is none. */
static void print_value(const struct config_rows *rows, unsigned index, const void *base,
                        struct text *value)
{
    const struct config_row *row = &rows->rows[index];

    text_clear(value);
    config_row_print(rows, row, base, value);
    if (row->secret && value->len > 0) {
        text_clear(value);
        text_append_string(value, "<secret>");
    }
}

/* --- Settings --- */

static void print_section(struct printer *printer, const struct config_section *section,
                          const void *settings)
{
    struct text value = {0};

    for (unsigned i = 0; i < section->rows->count; i++) {
        const struct config_row *row = &section->rows->rows[i];
        print_value(section->rows, i, config_entry_at(section, settings, 0), &value);
        if (value.len > 0) {
            unsigned level = 0;
            const char *part = print_mappings(printer, row->key, &level);
            print_indent(printer, level);
            text_append_format(printer->out, "%s: %s\n", part, value.data);
        }
    }
    printer->out->failed |= value.failed;
    text_deinit(&value);
}

/* The first row has a value: "- name: NAME". The mappings of others are two levels below the list.
 */
static void print_entry(struct printer *printer, const struct config_rows *rows, const void *base,
                        unsigned list_level)
{
    struct printer entry = {printer->out, ""};
    struct text value = {0};
    bool is_first = true;

    for (unsigned i = 0; i < rows->count; i++) {
        print_value(rows, i, base, &value);
        if (value.len > 0) {
            unsigned level = list_level + 2;
            const char *part = print_mappings(&entry, rows->rows[i].key, &level);
            print_indent(&entry, is_first ? list_level + 1 : level);
            text_append_format(printer->out, "%s%s: %s\n", is_first ? "- " : "", part, value.data);
            is_first = false;
        }
    }
    printer->out->failed |= value.failed;
    text_deinit(&value);
}

static void print_list(struct printer *printer, const struct config_section *section,
                       const void *settings)
{
    unsigned count = config_entry_count(section, settings);
    unsigned level = 0;

    if (count > 0) {
        const char *part = print_mappings(printer, section->list, &level);
        print_indent(printer, level);
        text_append_format(printer->out, "%s:\n", part);
    }
    for (unsigned entry = 0; entry < count; entry++) {
        print_entry(printer, section->rows, config_entry_at(section, settings, entry), level);
    }
}

void config_print(const struct config_schema *schema, const void *settings, struct text *out)
{
    struct printer printer = {out, ""};

    for (unsigned i = 0; i < schema->count; i++) {
        const struct config_section *section = &schema->sections[i];
        if (section->is_on != NULL && !section->is_on(settings)) {
            continue;
        }
        if (section->list != NULL) {
            print_list(&printer, section, settings);
        } else {
            print_section(&printer, section, settings);
        }
    }
}
