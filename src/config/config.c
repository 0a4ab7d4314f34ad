/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

void config_deinit(const struct config_schema *schema, void *settings)
{
    for (unsigned i = 0; i < schema->count; i++) {
        config_clear_section(&schema->sections[i], settings);
    }
    memset(settings, 0, schema->size);
}

/* --- Loading --- */

static int set_defaults(struct config_check *check)
{
    int result = 0;

    for (unsigned i = 0; i < check->schema->count && result == 0; i++) {
        const struct config_section *section = &check->schema->sections[i];
        if (section->list == NULL) {
            result = config_set_defaults(section, config_entry_at(section, check->settings, 0));
        }
    }
    return result;
}

/* The section and the row of an override's key. */
static const struct config_row *override_row(const struct config_check *check, const char *key,
                                             const struct config_section **section)
{
    for (unsigned i = 0; i < check->schema->count; i++) {
        *section = &check->schema->sections[i];
        const char *list = (*section)->list;
        if (list != NULL && !config_is_within(key, list)) {
            continue;
        }
        const char *name = list != NULL ? key + strlen(list) + 1 : key;
        for (unsigned row = 0; row < (*section)->rows->count; row++) {
            if (strcmp((*section)->rows->rows[row].key, name) == 0) {
                return &(*section)->rows->rows[row];
            }
        }
    }
    return NULL;
}

/* How many of the flags up to this one add to the same list. */
static unsigned count_overrides(const struct config_check *check, unsigned index, const char *list)
{
    unsigned count = 0;

    for (unsigned i = 0; i <= index; i++) {
        count += config_is_within(check->overrides[i].key, list);
    }
    return count;
}

/* The first one replaces the list. */
static int make_list_room(struct config_check *check, unsigned index,
                          const struct config_section *section, const struct config_row *row)
{
    const char *list = section->list != NULL ? section->list : row->key;
    uint64_t max = section->list != NULL ? section->max : row->most;
    unsigned count = count_overrides(check, index, list);

    if (count == 1 && section->list != NULL) {
        config_clear_section(section, check->settings);
    } else if (count == 1) {
        config_row_clear(row, config_entry_at(section, check->settings, 0));
    }
    if (count > max) {
        text_append_format(check->error, "--%s: more than %llu entries of %s",
                           check->overrides[index].flag, (unsigned long long)max, list);
        return -EINVAL;
    }
    return section->list != NULL ? config_add_entry(section, check->settings) : 0;
}

static int apply_override(struct config_check *check, unsigned index)
{
    const struct config_override *override = &check->overrides[index];
    const struct config_section *section = NULL;
    const struct config_row *row = override_row(check, override->key, &section);

    if (row == NULL) {
        text_append_format(check->error, "--%s: there is no key %s", override->flag, override->key);
        return -EINVAL;
    }
    if (section->list != NULL || row->kind->is_list) {
        int result = make_list_room(check, index, section, row);
        if (result < 0) {
            return result;
        }
    }
    unsigned last = config_entry_count(section, check->settings) - 1;
    int result = config_row_parse(row, override->value,
                                  config_entry_at(section, check->settings, last));
    if (result == -EINVAL) {
        text_append_format(check->error, "--%s: ", override->flag);
        (void)config_row_refuse(row, override->value, check->error);
    }
    return result;
}

/* A list that has no entry gets the built-in one, if there is one. */
static int add_built_in(const struct config_section *section, void *settings)
{
    const struct config_row *rows = section->rows->rows;

    if (section->list == NULL || rows[0].built_in == NULL ||
        config_entry_count(section, settings) > 0) {
        return 0;
    }
    int result = config_add_entry(section, settings);
    for (unsigned i = 0; i < section->rows->count && result == 0; i++) {
        if (rows[i].built_in != NULL) {
            result = config_row_parse(&rows[i], rows[i].built_in,
                                      config_entry_at(section, settings, 0));
        }
    }
    return result < 0 ? -ENOMEM : 0; /* a built-in value is sound */
}

static int check_sections(struct config_check *check)
{
    int result = 0;

    for (unsigned i = 0; i < check->schema->count && result == 0; i++) {
        const struct config_section *section = &check->schema->sections[i];
        result = add_built_in(section, check->settings);
        if (result == 0 && section->check != NULL) {
            result = section->check(check, check->settings);
        }
    }
    return result;
}

static int config_put_together(struct config_check *check, const char *path)
{
    int result = set_defaults(check);

    if (result == 0 && path != NULL) {
        result = yaml_source_load(&check->source, path, check->error);
        if (result == 0) {
            result = config_read_document(check);
        }
    }
    for (unsigned i = 0; i < check->override_count && result == 0; i++) {
        result = apply_override(check, i);
    }
    return result == 0 ? check_sections(check) : result;
}

int config_load(const struct config_schema *schema, const char *path,
                const struct config_override *overrides, unsigned override_count, void *settings,
                struct text *error)
{
    struct config_check check = {
        .schema = schema,
        .overrides = overrides,
        .override_count = override_count,
        .settings = calloc(1, schema->size),
        .error = error,
    };

    if (check.settings == NULL) {
        return -ENOMEM;
    }
    int result = config_put_together(&check, path);
    yaml_source_deinit(&check.source);
    if (result == 0) {
        memcpy(settings, check.settings, schema->size);
    } else {
        config_deinit(schema, check.settings);
    }
    free(check.settings);
    return result;
}

/* --- Changing it while the program runs --- */

/* Values that are printed alike are the same. */
static bool same_value(const struct config_row *row, const void *a, const void *b)
{
    const void *first = config_row_member(row, a);
    const void *second = config_row_member(row, b);
    struct text x = {0};
    struct text y = {0};

    row->kind->print(row, first, &x);
    row->kind->print(row, second, &y);
    bool same = x.len == y.len && (x.len == 0 || memcmp(x.data, y.data, x.len) == 0);
    text_deinit(&x);
    text_deinit(&y);
    return same;
}

static void exchange(void *a, void *b, size_t size)
{
    unsigned char *x = a;
    unsigned char *y = b;

    for (size_t i = 0; i < size; i++) {
        unsigned char kept = x[i];
        x[i] = y[i];
        y[i] = kept;
    }
}

static void exchange_live(const struct config_section *section, void *a, void *b)
{
    for (unsigned i = 0; i < section->rows->count; i++) {
        if (section->rows->rows[i].live) {
            const struct config_row *row = &section->rows->rows[i];
            exchange(config_row_member(row, a), config_row_member(row, b), row->kind->size);
        }
    }
}

/* The first row whose change needs a restart, from *next on, which moves behind it; NULL: none. */
static const struct config_row *next_difference(const struct config_section *section, const void *a,
                                                const void *b, unsigned *next)
{
    while (*next < section->rows->count) {
        const struct config_row *row = &section->rows->rows[(*next)++];
        if (!row->live && !same_value(row, a, b)) {
            return row;
        }
    }
    return NULL;
}

static bool same_list(const struct config_section *section, const void *a, const void *b)
{
    unsigned count = config_entry_count(section, a);
    bool same = config_entry_count(section, b) == count;

    for (unsigned i = 0; i < count && same; i++) {
        unsigned next = 0;
        same = next_difference(section, config_entry_at(section, a, i),
                               config_entry_at(section, b, i), &next) == NULL;
    }
    return same;
}

static void exchange_list(const struct config_section *section, void *running, void *fresh)
{
    exchange(config_entry_at(section, running, 0), config_entry_at(section, fresh, 0),
             section->max * section->entry_size);
    exchange((char *)running + section->count_offset, (char *)fresh + section->count_offset,
             sizeof(unsigned));
}

static void adopt_list(const struct config_section *section, void *running, void *fresh,
                       void (*needs_restart)(const char *key))
{
    if (section->live) {
        exchange_list(section, running, fresh);
        return;
    }
    if (!same_list(section, running, fresh)) {
        needs_restart(section->list);
        return;
    }
    for (unsigned i = 0; i < config_entry_count(section, running); i++) {
        exchange_live(section, config_entry_at(section, running, i),
                      config_entry_at(section, fresh, i));
    }
}

void config_adopt(const struct config_schema *schema, void *running, void *fresh,
                  void (*needs_restart)(const char *key))
{
    for (unsigned i = 0; i < schema->count; i++) {
        const struct config_section *section = &schema->sections[i];
        if (section->list != NULL) {
            adopt_list(section, running, fresh, needs_restart);
            continue;
        }
        void *a = config_entry_at(section, running, 0);
        void *b = config_entry_at(section, fresh, 0);
        unsigned next = 0;
        const struct config_row *row;
        while ((row = next_difference(section, a, b, &next)) != NULL) {
            needs_restart(row->key);
        }
        exchange_live(section, a, b);
    }
}
