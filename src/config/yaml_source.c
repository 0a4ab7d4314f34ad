/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_source_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define FILE_SIZE_MAX ((size_t)1024 * 1024)

/* Levels of lists and mappings. A configuration has four; libyaml's time grows with the square of
 * the levels, and 200 KB of `[` would take it a minute. */
#define LEVELS_MAX 32

/* --- Where a key stands --- */

/* The last value under `key`: where a key is given twice, the second is the mistake. Its line goes
 * to *line. */
static yaml_node_t *mapping_value(yaml_document_t *document, const yaml_node_t *mapping,
                                  const char *key, size_t key_len, size_t *line)
{
    yaml_node_t *found = NULL;

    if (mapping->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(document, pair->key);
        if (name->type == YAML_SCALAR_NODE && name->data.scalar.length == key_len &&
            memcmp(name->data.scalar.value, key, key_len) == 0) {
            found = yaml_document_get_node(document, pair->value);
            *line = name->start_mark.line + 1;
        }
    }
    return found;
}

static yaml_node_t *sequence_entry(yaml_document_t *document, const yaml_node_t *sequence,
                                   size_t index, size_t *line)
{
    if (sequence->type != YAML_SEQUENCE_NODE ||
        index >=
            (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start)) {
        return NULL;
    }
    yaml_node_t *entry = yaml_document_get_node(document,
                                                sequence->data.sequence.items.start[index]);
    *line = entry->start_mark.line + 1;
    return entry;
}

/* Libyaml reads its documents without saying so. */
static yaml_document_t *document_of(const struct yaml_source *source)
{
    return (yaml_document_t *)(uintptr_t)&source->document;
}

size_t yaml_source_line(const struct yaml_source *source, const char *key, bool *found)
{
    yaml_node_t *node = yaml_source_root(source);
    size_t line = node != NULL ? node->start_mark.line + 1 : 1;

    while (node != NULL && *key != '\0') {
        if (*key == '[') {
            char *end;
            node = sequence_entry(document_of(source), node, strtoul(key + 1, &end, 10), &line);
            key = end + 1;
        } else {
            size_t len = strcspn(key, ".[");
            node = mapping_value(document_of(source), node, key, len, &line);
            key += len;
        }
        key += *key == '.';
    }
    *found = node != NULL;
    return line;
}

yaml_node_t *yaml_source_root(const struct yaml_source *source)
{
    return source->has_document ? yaml_document_get_root_node(document_of(source)) : NULL;
}

/* --- Loading --- */

static int read_content(struct yaml_source *source, struct text *error)
{
    char chunk[4096];
    size_t got;
    FILE *stream;
    int result = file_open_regular(source->path, FILE_SIZE_MAX, &stream, error);

    if (result < 0) {
        return result == -ENOMEM ? result : -EINVAL;
    }
    do { /* fewer bytes than asked for: the end, or an error */
        got = fread(chunk, 1, sizeof chunk, stream);
        text_append_bytes(&source->content, (struct bytes){(const uint8_t *)chunk, got});
    } while (got == sizeof chunk && source->content.len < FILE_SIZE_MAX);
    const char *problem = NULL;
    if (ferror(stream) != 0) {
        problem = strerror(errno);
    } else if (source->content.len >= FILE_SIZE_MAX) {
        problem = "too large for a configuration file";
    }
    (void)fclose(stream);
    if (problem != NULL) {
        text_append_format(error, "%s: %s", source->path, problem);
        return -EINVAL;
    }
    return source->content.failed ? -ENOMEM : 0;
}

/* How many levels deeper or higher the event leads. */
static int yaml_source_step_of(yaml_event_type_t event)
{
    bool begins = event == YAML_SEQUENCE_START_EVENT || event == YAML_MAPPING_START_EVENT;
    bool ends = event == YAML_SEQUENCE_END_EVENT || event == YAML_MAPPING_END_EVENT;

    return begins - ends;
}

/* Refuses what is nested too deeply before libyaml reads all of it. Syntax errors are left for
 * those who come after. */
static int check_levels(const struct yaml_source *source, struct text *error)
{
    yaml_event_type_t type = YAML_NO_EVENT;
    yaml_parser_t parser;
    yaml_event_t event;
    int levels = 0;

    if (yaml_parser_initialize(&parser) == 0) {
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->content.data,
                                 source->content.len);
    while (levels <= LEVELS_MAX && type != YAML_STREAM_END_EVENT &&
           yaml_parser_parse(&parser, &event) != 0) {
        type = event.type;
        levels += yaml_source_step_of(type);
        yaml_event_delete(&event);
    }
    size_t line = parser.mark.line + 1;
    yaml_parser_delete(&parser);
    if (levels > LEVELS_MAX) {
        text_append_format(error, "%s:%zu: more than %d levels of lists and mappings", source->path,
                           line, LEVELS_MAX);
        return -EINVAL;
    }
    return 0;
}

/* Whether nothing follows the document that was read; a second document's line goes to *line. */
static bool at_end(yaml_parser_t *parser, size_t *line)
{
    yaml_document_t next;

    if (yaml_parser_load(parser, &next) == 0) {
        return false;
    }
    bool end = yaml_document_get_root_node(&next) == NULL;
    *line = next.start_mark.line + 1;
    yaml_document_delete(&next);
    return end;
}

/* The character at a place, by its line and column; '\0' behind the end. */
static char character_at(const struct yaml_source *source, const yaml_mark_t *mark)
{
    const char *at = text_string(&source->content);

    for (size_t line = 0; line < mark->line; line++) {
        const char *end = strchr(at, '\n');
        if (end == NULL) {
            return '\0';
        }
        at = end + 1;
    }
    for (size_t column = 0; column < mark->column && *at != '\0'; column++) {
        do { /* the other bytes of a character in UTF-8 */
            at++;
        } while ((*at & 0xC0) == 0x80);
    }
    return *at;
}

/* What libyaml found, as what was expected. */
static const char *explain_problem(const struct yaml_source *source, const yaml_parser_t *parser)
{
    static const struct {
        const char *problem, *explanation;
    } rows[] = {
        {"did not find expected key", "expected a key, indented as the keys before it"},
        {"did not find expected '-' indicator",
         "expected '-', as the entries before have it, or less indentation"},
        {"could not find expected ':'", "expected ': ' behind the key"},
        {"mapping values are not allowed in this context",
         "a ': ' is not allowed here: the line is indented deeper than its neighbours, a ':' is "
         "missing before it, or the text needs quotes"},
        {"block sequence entries are not allowed in this context",
         "'- ' is not allowed here: an entry begins on a line of its own"},
        {"did not find expected node content", "expected a value"},
        {"did not find expected ',' or '}'", "expected ',' or '}'"},
        {"did not find expected ',' or ']'", "expected ',' or ']'"},
        {"found unexpected end of stream", "the file ends within a quoted text"},
        {"found character that cannot start any token",
         "a value may not begin with this character: put it into quotes"},
    };

    if (character_at(source, &parser->problem_mark) == '\t') {
        return "tabs are not allowed, use spaces";
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(parser->problem, rows[i].problem) == 0) {
            return rows[i].explanation;
        }
    }
    return parser->problem;
}

/* One document, without a syntax error. */
static int yaml_source_parse(struct yaml_source *source, struct text *error)
{
    yaml_parser_t parser;
    size_t second_line = 0;

    if (yaml_parser_initialize(&parser) == 0) {
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->content.data,
                                 source->content.len);
    source->has_document = yaml_parser_load(&parser, &source->document) != 0;
    bool sound = source->has_document && at_end(&parser, &second_line);
    /* Libyaml does not say so of all of its failures. */
    bool no_memory = parser.error == YAML_MEMORY_ERROR ||
                     (!sound && parser.problem == NULL && second_line == 0);
    if (!sound && !no_memory && parser.problem != NULL) {
        text_append_format(error, "%s:%zu: %s", source->path, parser.problem_mark.line + 1,
                           explain_problem(source, &parser));
    } else if (!sound && !no_memory) {
        text_append_format(error, "%s:%zu: a second document", source->path, second_line);
    }
    yaml_parser_delete(&parser);
    return sound ? 0 : no_memory ? -ENOMEM : -EINVAL;
}

int yaml_source_load(struct yaml_source *source, const char *path, struct text *error)
{
    struct yaml_source loaded = {.path = path};
    int result = read_content(&loaded, error);

    if (result == 0 && loaded.content.len > 0) {
        result = check_levels(&loaded, error);
    }
    if (result == 0 && loaded.content.len > 0) {
        result = yaml_source_parse(&loaded, error);
    }
    if (result < 0) {
        yaml_source_deinit(&loaded);
        return result;
    }
    *source = loaded;
    return 0;
}

void yaml_source_deinit(struct yaml_source *source)
{
    if (source->has_document) {
        yaml_document_delete(&source->document);
    }
    text_deinit(&source->content);
    *source = (struct yaml_source){0};
}
