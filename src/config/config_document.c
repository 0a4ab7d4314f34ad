/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a file's document against the rows. */
#include <errno.h>
#include <string.h>

#include "config_internal.h"

/* Rows that a mapping may have: those of all sections, or those of one entry of a list. */
struct scope {
    const struct config_section *sections; /* [count] */
    unsigned count;
    bool is_entry;
    size_t key_start; /* in the key of a place, where that of the entry's row begins */
    void *base;       /* the settings, or the entry's struct */
};

/* A key and where it stands. */
struct place {
    const char *key; /* "inputs[1].mode" */
    size_t line;
};

static int document_refuse(struct config_check *check, const struct place *place, const char *why)
{
    text_append_format(check->error, "%s:%zu: ", check->source.path, place->line);
    if (place->key[0] != '\0') {
        config_append_quote(check->error, place->key);
        text_append_string(check->error, ": ");
    }
    text_append_string(check->error, why);
    return -EINVAL;
}

/* --- Values --- */

static int read_text(struct config_check *check, const struct place *place,
                     const struct config_row *row, const char *text, void *base)
{
    int result = config_row_parse(row, text, base);

    if (result == -EINVAL) {
        (void)document_refuse(check, place, "");
        (void)config_row_refuse(row, text, check->error);
    }
    return result;
}

/* *text is in the document. */
static int scalar_text(struct config_check *check, const struct place *place,
                       const yaml_node_t *node, const char **text)
{
    if (node->type != YAML_SCALAR_NODE) {
        return document_refuse(check, place, "expected a single value");
    }
    *text = (const char *)node->data.scalar.value;
    if (strlen(*text) != node->data.scalar.length) {
        return document_refuse(check, place, "a zero byte in a value");
    }
    return 0;
}

static int read_scalar(struct config_check *check, const struct place *place,
                       const struct config_row *row, const yaml_node_t *node, void *base)
{
    const char *text = NULL;
    int result = scalar_text(check, place, node, &text);

    return result == 0 ? read_text(check, place, row, text, base) : result;
}

/* An endpoint has one key. */
static int read_endpoint(struct config_check *check, const struct place *place,
                         const struct config_row *row, const yaml_node_t *node, void *base)
{
    const struct endpoint *endpoint = (const void *)((char *)base + row->offset);

    if (endpoint->kind == ENDPOINT_NONE) {
        return read_scalar(check, place, row, node, base);
    }
    (void)document_refuse(check, place, "this entry has ");
    text_append_format(check->error, "%s already", endpoint_key(endpoint));
    return -EINVAL;
}

/* "KEY[INDEX]", which is to be freed. */
static struct text item_key(const char *key, unsigned index)
{
    struct text text = {0};

    text_append_format(&text, "%s[%u]", key, index);
    return text;
}

/* A list or mapping without anything behind its key is as if the key were absent. */
static bool is_nothing(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static size_t sequence_count(const yaml_node_t *node)
{
    return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

static int refuse_count(struct config_check *check, const struct place *place, uint64_t most)
{
    (void)document_refuse(check, place, "more than ");
    text_append_u64(check->error, most);
    text_append_string(check->error, " entries");
    return -EINVAL;
}

static int read_list(struct config_check *check, const struct place *place,
                     const struct config_row *row, const yaml_node_t *node, void *base)
{
    if (is_nothing(node)) {
        return 0;
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        return document_refuse(check, place, "expected a list");
    }
    if (sequence_count(node) < row->least) {
        return document_refuse(check, place, "expected a list that is not empty");
    }
    if (row->most > 0 && sequence_count(node) > row->most) {
        return refuse_count(check, place, row->most);
    }
    config_row_clear(row, base);
    for (unsigned i = 0; i < sequence_count(node); i++) {
        const yaml_node_t *item = yaml_document_get_node(&check->source.document,
                                                         node->data.sequence.items.start[i]);
        struct text key = item_key(place->key, i);
        const struct place of_item = {text_string(&key), item->start_mark.line + 1};
        int result = read_scalar(check, &of_item, row, item, base);
        text_deinit(&key);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* --- Mappings --- */

/* What is done with the key `name` of a mapping. `context` is the caller's. */
typedef int (*take_key)(struct config_check *check, const struct place *place, const char *name,
                        const yaml_node_t *value, void *context);

static bool is_given_twice(struct config_check *check, const yaml_node_t *mapping,
                           const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(&check->source.document, pair->key);

    for (const yaml_node_pair_t *before = mapping->data.mapping.pairs.start; before < pair;
         before++) {
        const yaml_node_t *other = yaml_document_get_node(&check->source.document, before->key);
        if (strcmp((const char *)other->data.scalar.value, (const char *)key->data.scalar.value) ==
            0) {
            return true;
        }
    }
    return false;
}

static int take_pair(struct config_check *check, const struct place *parent,
                     const yaml_node_t *mapping, const yaml_node_pair_t *pair, take_key take,
                     void *context)
{
    const yaml_node_t *key = yaml_document_get_node(&check->source.document, pair->key);
    struct text path = {0};
    struct place place = {parent->key, key->start_mark.line + 1};
    const char *name;
    int result;

    if (key->type != YAML_SCALAR_NODE) {
        return document_refuse(check, &place, "a key has to be a single value");
    }
    result = scalar_text(check, &place, key, &name);
    if (result < 0) {
        return result;
    }
    text_append_format(&path, "%s%s%s", parent->key, parent->key[0] != '\0' ? "." : "", name);
    place.key = text_string(&path);
    if (path.failed) {
        result = -ENOMEM;
    } else if (is_given_twice(check, mapping, pair)) {
        result = document_refuse(check, &place, "given twice");
    } else {
        const yaml_node_t *value = yaml_document_get_node(&check->source.document, pair->value);
        result = take(check, &place, name, value, context);
    }
    text_deinit(&path);
    return result;
}

/* Call `take` with each key of a mapping. */
static int take_mapping(struct config_check *check, const struct place *place,
                        const yaml_node_t *node, take_key take, void *context)
{
    if (is_nothing(node)) {
        return 0;
    }
    if (node->type != YAML_MAPPING_NODE) {
        return document_refuse(check, place, "expected keys and values");
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        int result = take_pair(check, place, node, pair, take, context);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* --- Maps with keys of the user's own --- */

struct map {
    const struct config_row *row;
    void *base;
};

static int take_map_key(struct config_check *check, const struct place *place, const char *name,
                        const yaml_node_t *value, void *context)
{
    const struct map *map = context;
    struct text pair = {0};
    const char *text = NULL;
    int result = scalar_text(check, place, value, &text);

    if (result == 0) {
        text_append_format(&pair, "%s:%s", name, text);
        result = pair.failed ? -ENOMEM : config_row_parse(map->row, pair.data, map->base);
        if (result == -EINVAL) { /* the value may be a secret */
            (void)document_refuse(check, place, "expected ");
            config_row_print_expected(map->row, check->error);
        }
    }
    text_deinit(&pair);
    return result;
}

/* --- Keys that have rows --- */

static int take_row_key(struct config_check *check, const struct place *place, const char *name,
                        const yaml_node_t *value, void *context);

static int read_row(struct config_check *check, const struct place *place,
                    const struct config_row *row, const yaml_node_t *node, void *base)
{
    if (row->kind == &config_refused) {
        return document_refuse(check, place, row->expected);
    }
    if (row->kind->is_list) {
        return read_list(check, place, row, node, base);
    }
    if (row->kind->is_map) {
        struct map map = {row, base};
        if (node->type == YAML_MAPPING_NODE &&
            (uint64_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start) > row->most) {
            return refuse_count(check, place, row->most);
        }
        return take_mapping(check, place, node, take_map_key, &map);
    }
    if (row->kind->is_endpoint) {
        return read_endpoint(check, place, row, node, base);
    }
    return read_scalar(check, place, row, node, base);
}

/* No key of the entry lacks the one that it goes with. */
static int check_needs(struct config_check *check, const struct config_section *section,
                       const struct place *place, const void *base)
{
    int result = 0;

    for (unsigned i = 0; i < section->rows->count && result == 0; i++) {
        const struct config_row *row = &section->rows->rows[i];
        struct text key = {0};

        text_append_format(&key, "%s.%s", place->key, row->key);
        if (!config_row_applies(section->rows, row, base) &&
            config_line(check, text_string(&key)) > 0) {
            result = config_refuse(check, text_string(&key), "this key goes with ");
            text_append_format(check->error, "%s only", row->needs);
        }
        text_deinit(&key);
    }
    return result;
}

static int read_entry(struct config_check *check, const struct config_section *section,
                      const struct place *place, const yaml_node_t *node)
{
    unsigned index = config_entry_count(section, check->settings);
    struct scope scope = {section, 1, true, strlen(place->key) + 1, NULL};

    if (node->type != YAML_MAPPING_NODE) {
        return document_refuse(check, place, "expected keys and values");
    }
    int result = config_add_entry(section, check->settings);
    if (result < 0) {
        return result;
    }
    scope.base = config_entry_at(section, check->settings, index);
    result = take_mapping(check, place, node, take_row_key, &scope);
    return result == 0 ? check_needs(check, section, place, scope.base) : result;
}

static int read_entries(struct config_check *check, const struct config_section *section,
                        const struct place *place, const yaml_node_t *node)
{
    if (is_nothing(node)) {
        return 0;
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        return document_refuse(check, place, "expected a list");
    }
    if (sequence_count(node) > section->max) {
        return refuse_count(check, place, section->max);
    }
    for (unsigned i = 0; i < sequence_count(node); i++) {
        const yaml_node_t *entry = yaml_document_get_node(&check->source.document,
                                                          node->data.sequence.items.start[i]);
        struct text key = item_key(place->key, i);
        const struct place of_entry = {text_string(&key), entry->start_mark.line + 1};
        int result = read_entry(check, section, &of_entry, entry);
        text_deinit(&key);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* Rows have the whole key, with its mappings; those of a list's entry what is behind the entry. */
static int take_row_key(struct config_check *check, const struct place *place, const char *name,
                        const yaml_node_t *value, void *context)
{
    const struct scope *scope = context;
    const char *key = place->key + scope->key_start;
    bool is_mapping = false;

    for (unsigned i = 0; i < scope->count && strpbrk(name, ".[") == NULL; i++) {
        const struct config_section *section = &scope->sections[i];
        if (!scope->is_entry && section->list != NULL) {
            if (strcmp(section->list, key) == 0) {
                return read_entries(check, section, place, value);
            }
            is_mapping |= config_is_within(section->list, key);
            continue;
        }
        void *base = scope->is_entry ? scope->base : config_entry_at(section, scope->base, 0);
        for (unsigned row = 0; row < section->rows->count; row++) {
            if (strcmp(section->rows->rows[row].key, key) == 0) {
                return read_row(check, place, &section->rows->rows[row], value, base);
            }
            is_mapping |= config_is_within(section->rows->rows[row].key, key);
        }
    }
    return is_mapping ? take_mapping(check, place, value, take_row_key, context)
                      : document_refuse(check, place, "there is no such key");
}

int config_read_document(struct config_check *check)
{
    const yaml_node_t *root = yaml_source_root(&check->source);
    struct scope scope = {check->schema->sections, check->schema->count, false, 0, check->settings};

    if (root == NULL) {
        return 0; /* comments only */
    }
    const struct place top = {"", root->start_mark.line + 1};
    return take_mapping(check, &top, root, take_row_key, &scope);
}
