/* SPDX-License-Identifier: Apache-2.0 */
/* Libcyaml reads every configuration that the engine takes, by a schema made of the same rows, and
 * finds the same values. It has no bounds, defaults, choices or exact lines, so that it takes more.
 * Usage: test_config_oracle EXAMPLE FOLDER */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <cyaml/cyaml.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/settings.h"

#define ROWS_MAX 128 /* of all sections */
#define KEYS_MAX 32  /* of one mapping */

/* A value as libcyaml has it: a string, or [count] strings or entries. */
struct slot {
    void *data;
    uint32_t count;
};

/* A mapping's fields. All mappings of a file share one array of slots, those of an entry another.
 */
struct mapping {
    cyaml_schema_field_t fields[KEYS_MAX];
    char names[KEYS_MAX][64];
    struct mapping *inner[KEYS_MAX];
    unsigned count;
};

static const cyaml_schema_value_t string_item = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static cyaml_schema_value_t entry_items[8]; /* of each list of mappings */
static struct mapping *lists[8];            /* the mappings of these */
static unsigned entry_item_count;

static struct mapping *make_mapping(void)
{
    struct mapping *mapping = calloc(1, sizeof *mapping);

    assert_non_null(mapping);
    return mapping;
}

static void free_mapping(struct mapping *mapping)
{
    for (unsigned i = 0; mapping != NULL && i < mapping->count; i++) {
        free_mapping(mapping->inner[i]);
    }
    free(mapping);
}

static cyaml_schema_value_t mapping_value(const struct mapping *mapping)
{
    return (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_OPTIONAL,
        .data_size = ROWS_MAX * sizeof(struct slot),
        .mapping.fields = mapping->fields,
    };
}

static unsigned find_name(const struct mapping *mapping, const char *name)
{
    unsigned i = 0;

    while (i < mapping->count && strcmp(mapping->names[i], name) != 0) {
        i++;
    }
    return i;
}

static void set_sequence(cyaml_schema_field_t *field, size_t slot, const cyaml_schema_value_t *item)
{
    field->data_offset = (uint32_t)(slot * sizeof(struct slot));
    field->count_offset = field->data_offset + (uint32_t)offsetof(struct slot, count);
    field->count_size = sizeof(uint32_t);
    field->value = (cyaml_schema_value_t){
        .type = CYAML_SEQUENCE,
        .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        .data_size = item == &string_item ? sizeof(char *) : item->data_size,
        .sequence = {.entry = item, .min = 0, .max = CYAML_UNLIMITED},
    };
}

/* The field of a key "a.b.c", in mappings that are made on the way. */
static cyaml_schema_field_t *add_field(struct mapping *mapping, const char *key)
{
    size_t len = strcspn(key, ".");
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)len, key);
    unsigned i = find_name(mapping, name);
    if (i == mapping->count) {
        assert_true(++mapping->count < KEYS_MAX);
        memcpy(mapping->names[i], name, sizeof name);
        mapping->fields[i].key = mapping->names[i];
    }
    if (key[len] == '\0') {
        return &mapping->fields[i];
    }
    if (mapping->inner[i] == NULL) {
        mapping->inner[i] = make_mapping();
        mapping->fields[i].value = mapping_value(mapping->inner[i]);
    }
    return add_field(mapping->inner[i], key + len + 1);
}

static void add_row(struct mapping *mapping, const struct config_row *row, size_t slot)
{
    cyaml_schema_field_t *field = add_field(mapping, row->key);

    if (row->kind->is_list) {
        set_sequence(field, slot, &string_item);
        return;
    }
    field->data_offset = (uint32_t)(slot * sizeof(struct slot));
    field->value = string_item;
    field->value.flags |= CYAML_FLAG_OPTIONAL;
}

static struct mapping *make_schema(void)
{
    struct mapping *top = make_mapping();
    size_t slot = 0;

    entry_item_count = 0;
    for (unsigned i = 0; i < settings_schema.count; i++) {
        const struct config_section *section = &settings_schema.sections[i];
        struct mapping *mapping = section->list != NULL ? make_mapping() : top;
        for (unsigned row = 0; row < section->rows->count; row++) {
            add_row(mapping, &section->rows->rows[row], section->list != NULL ? row : slot++);
        }
        if (section->list != NULL) {
            cyaml_schema_value_t *item = &entry_items[entry_item_count++];
            *item = mapping_value(mapping);
            item->flags = CYAML_FLAG_DEFAULT;
            set_sequence(add_field(top, section->list), slot++, item);
            lists[entry_item_count - 1] = mapping;
        }
        assert_true(slot < ROWS_MAX);
    }
    return top;
}

/* --- Comparing --- */

static unsigned compared;

/* What libcyaml has of the row, read by the row's kind, is what the settings have. */
static void compare_row(const struct config_row *row, const struct slot *slot, const void *base)
{
    uint64_t room[(sizeof(struct endpoint) + 7) / 8] = {0};
    struct text theirs = {0};
    struct text ours = {0};

    if (slot->data == NULL) {
        return; /* absent, or an empty list: libcyaml does not tell these apart */
    }
    if (row->kind->is_list) {
        for (uint32_t i = 0; i < slot->count; i++) {
            assert_int_equal(row->kind->parse(row, ((char **)slot->data)[i], room), 0);
        }
    } else {
        assert_int_equal(row->kind->parse(row, slot->data, room), 0);
    }
    row->kind->print(row, room, &theirs);
    row->kind->print(row, (const char *)base + row->offset, &ours);
    assert_string_equal(text_string(&ours), text_string(&theirs));
    if (row->kind->clear != NULL) {
        row->kind->clear(room);
    }
    text_deinit(&ours);
    text_deinit(&theirs);
    compared++;
}

static void compare_section(const struct config_section *section, const struct slot *slots,
                            const void *base)
{
    for (unsigned row = 0; row < section->rows->count; row++) {
        compare_row(&section->rows->rows[row], &slots[row], base);
    }
}

static void compare(const struct slot *slots, const struct settings *settings)
{
    for (unsigned i = 0; i < settings_schema.count; i++) {
        const struct config_section *section = &settings_schema.sections[i];
        const char *base = (const char *)settings + section->offset;
        if (section->list == NULL) {
            compare_section(section, slots, base);
            slots += section->rows->count;
            continue;
        }
        for (uint32_t entry = 0; entry < slots->count; entry++) {
            compare_section(section, (const struct slot *)slots->data + entry * (size_t)ROWS_MAX,
                            base + entry * section->entry_size);
        }
        slots++;
    }
}

static unsigned files;

static void check_file(const char *path)
{
    const cyaml_config_t loader = {.log_level = CYAML_LOG_ERROR, .mem_fn = cyaml_mem};
    struct mapping *top = make_schema();
    cyaml_schema_value_t schema = mapping_value(top);
    struct settings settings;
    struct text error = {0};
    struct slot *slots = NULL;

    schema.flags = CYAML_FLAG_POINTER;
    if (config_load(&settings_schema, path, NULL, 0, &settings, &error) == 0) {
        cyaml_err_t result = cyaml_load_file(path, &loader, &schema, (cyaml_data_t **)&slots, NULL);
        /* Libcyaml refuses a mapping without anything in it. */
        if (result == CYAML_OK && slots != NULL) {
            files++;
            compare(slots, &settings);
        } else if (result != CYAML_OK && result != CYAML_ERR_INVALID_VALUE &&
                   result != CYAML_ERR_UNEXPECTED_EVENT) {
            fail_msg("%s: %s", path, cyaml_strerror(result));
        }
        (void)cyaml_free(&loader, &schema, slots, 0);
        config_deinit(&settings_schema, &settings);
    }
    text_deinit(&error);
    free_mapping(top);
    for (unsigned i = 0; i < entry_item_count; i++) {
        free_mapping(lists[i]);
    }
}

static char **paths; /* the example, and a folder */

static void check_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        char name[512];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') {
            check_file(name);
        }
    }
    (void)closedir(folder);
}

static void test_files(void **state)
{
    (void)state;
    check_file(paths[0]);
    assert_true(compared > 40); /* the example has all keys */
    check_folder(paths[1]);
    print_message("%u values of %u files\n", compared, files);
    assert_true(files >= 8);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};

    if (argc != 3) {
        return EXIT_FAILURE;
    }
    paths = argv + 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
