/* SPDX-License-Identifier: Apache-2.0 */
/* Values in the structs of rows. */
#include <errno.h>
#include <string.h>

#include "config_internal.h"

bool config_is_within(const char *key, const char *section)
{
    size_t len = strlen(section);

    return strncmp(key, section, len) == 0 && strchr(".[", key[len]) != NULL;
}

void *config_row_member(const struct config_row *row, const void *base)
{
    return (char *)(uintptr_t)base + row->offset;
}

int config_row_parse(const struct config_row *row, const char *text, void *base)
{
    return row->kind->parse(row, text, config_row_member(row, base));
}

void config_row_clear(const struct config_row *row, void *base)
{
    if (row->kind->clear != NULL) {
        row->kind->clear(config_row_member(row, base));
    } else {
        memset(config_row_member(row, base), 0, row->kind->size);
    }
}

bool config_row_applies(const struct config_rows *rows, const struct config_row *row,
                        const void *base)
{
    struct text value = {0};

    for (unsigned i = 0; i < rows->count && row->needs != NULL; i++) {
        if (strcmp(rows->rows[i].key, row->needs) == 0) {
            rows->rows[i].kind->print(&rows->rows[i], config_row_member(&rows->rows[i], base),
                                      &value);
        }
    }
    bool applies = row->needs == NULL || value.len > 0 || value.failed;
    text_deinit(&value);
    return applies;
}

void config_row_print(const struct config_rows *rows, const struct config_row *row,
                      const void *base, struct text *out)
{
    if (config_row_applies(rows, row, base)) {
        row->kind->print(row, config_row_member(row, base), out);
    }
}

/* All words of a set, or the initial value. Returns 0 or -ENOMEM: an initial value is sound. */
int config_row_set_default(const struct config_row *row, void *base)
{
    int result = 0;

    if (row->initial != NULL) {
        return config_row_parse(row, row->initial, base) < 0 ? -ENOMEM : 0;
    }
    for (size_t i = 0; row->kind == &config_set && row->words[i] != NULL && result == 0; i++) {
        result = config_row_parse(row, row->words[i], base);
    }
    return result;
}

void *config_entry_at(const struct config_section *section, const void *settings, unsigned index)
{
    return (char *)(uintptr_t)settings + section->offset + index * section->entry_size;
}

static unsigned *section_count(const struct config_section *section, const void *settings)
{
    return (unsigned *)(void *)((char *)(uintptr_t)settings + section->count_offset);
}

unsigned config_entry_count(const struct config_section *section, const void *settings)
{
    return section->list != NULL ? *section_count(section, settings) : 1;
}

int config_set_defaults(const struct config_section *section, void *base)
{
    int result = 0;

    for (unsigned i = 0; i < section->rows->count && result == 0; i++) {
        result = config_row_set_default(&section->rows->rows[i], base);
    }
    return result;
}

int config_add_entry(const struct config_section *section, void *settings)
{
    unsigned index = (*section_count(section, settings))++;

    return config_set_defaults(section, config_entry_at(section, settings, index));
}

void config_clear_section(const struct config_section *section, void *settings)
{
    unsigned count = config_entry_count(section, settings);

    for (unsigned entry = 0; entry < count; entry++) {
        for (unsigned i = 0; i < section->rows->count; i++) {
            config_row_clear(&section->rows->rows[i], config_entry_at(section, settings, entry));
        }
    }
    if (section->list != NULL) {
        *section_count(section, settings) = 0;
    }
}
