/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the rows of both configurations and the table of flags as JSON, for check_documents.py and
 * check_manual.py, which make of them the example file, the manual pages and the completions of
 * shells. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/web_config.h"
#include "program/command_line.h"
#include "program/settings.h"

/* The row's initial value as a file has it; of a set all words. */
static void print_initial(const struct config_row *row, struct text *out)
{
    uint64_t room[(sizeof(struct endpoint) + 7) / 8] = {0};
    int result = row->initial != NULL ? row->kind->parse(row, row->initial, room) : 0;

    for (size_t i = 0; row->kind == &config_set && row->words[i] != NULL; i++) {
        result |= row->kind->parse(row, row->words[i], room);
    }
    row->kind->print(row, room, out);
    if (row->kind->clear != NULL) {
        row->kind->clear(room);
    }
    out->failed |= result < 0;
}

/* Whether another row before it has the same member. */
static bool is_alternative(const struct config_rows *rows, unsigned index)
{
    unsigned i = 0;

    while (rows->rows[i].offset != rows->rows[index].offset) {
        i++;
    }
    return i < index;
}

static json_t *json_row(const struct config_section *section, unsigned index)
{
    const struct config_rows *rows = section->rows;
    const struct config_row *row = &rows->rows[index];
    struct text initial = {0};
    struct text expected = {0};

    print_initial(row, &initial);
    config_row_print_expected(row, &expected);
    if (initial.failed || expected.failed) {
        exit(EXIT_FAILURE);
    }
    json_t *json = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:b, s:b, s:b, s:b, s:I}", "key",
                             row->key, "help", row->help, "example", row->example, "built_in",
                             row->built_in, "initial", initial.len > 0 ? initial.data : "",
                             "expected", expected.data, "live", (int)(row->live || section->live),
                             "all", (int)(row->kind == &config_set), "alternative",
                             (int)is_alternative(rows, index), "list", (int)row->kind->is_list,
                             "most", (json_int_t)row->most);
    text_deinit(&initial);
    text_deinit(&expected);
    return json;
}

static json_t *json_section(const struct config_section *section)
{
    json_t *rows = json_array();

    for (unsigned i = 0; i < section->rows->count; i++) {
        (void)json_array_append_new(rows, json_row(section, i));
    }
    return json_pack("{s:s?, s:s?, s:s?, s:i, s:o}", "title", section->title, "help", section->help,
                     "list", section->list, "max", (int)section->max, "rows", rows);
}

static json_t *json_schema(const struct config_schema *schema)
{
    json_t *sections = json_array();

    for (unsigned i = 0; i < schema->count; i++) {
        (void)json_array_append_new(sections, json_section(&schema->sections[i]));
    }
    return sections;
}

static json_t *json_flag(const struct flag *flag)
{
    static const char *const completions[] = {
        [COMPLETE_NOTHING] = "nothing",
        [COMPLETE_FILE] = "file",
        [COMPLETE_YAML] = "yaml",
        [COMPLETE_WORDS] = "words",
    };
    json_t *words = json_array();
    json_t *commands = json_array();

    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if ((flag->commands >> i & 1) != 0) {
            (void)json_array_append_new(commands, json_string(command_name((enum command)i)));
        }
    }
    for (unsigned i = 0; flag->words != NULL && flag->words[i] != NULL; i++) {
        (void)json_array_append_new(words, json_string(flag->words[i]));
    }
    return json_pack("{s:s, s:s?, s:s, s:s?, s:s, s:o, s:b, s:o, s:b}", "name", flag->name,
                     "argument", flag->argument, "help", flag->help, "initial", flag->initial,
                     "completion", completions[flag->completion], "words", words, "repeats",
                     (int)flag->repeats, "of", commands, "ends",
                     (int)(flag->id == FLAG_VERSION || flag->id == FLAG_HELP));
}

int main(void)
{
    json_t *flags = json_array();

    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        (void)json_array_append_new(flags, json_flag(&command_line_flags[i]));
    }
    json_t *document = json_pack("{s:o, s:o, s:o}", "sections", json_schema(&settings_schema),
                                 "web_sections", json_schema(&web_config_schema), "flags", flags);
    int status = json_dumpf(document, stdout, JSON_INDENT(1));
    json_decref(document);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
