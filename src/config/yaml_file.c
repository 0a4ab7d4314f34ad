/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_file_internal.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "config/config.h"

#define FILE_SIZE_MAX ((size_t)1024 * 1024)
#define KEY_SIZE      160

/* --- The schema --- */

#define STRING(key, structure, member)                                                             \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, 0,    \
                           CYAML_UNLIMITED)

#define SECTION(key, fields)                                                                       \
    CYAML_FIELD_MAPPING(#key, CYAML_FLAG_OPTIONAL, struct yaml_settings, key, fields)

static const cyaml_schema_field_t input_fields[] = {
    STRING("name", struct yaml_input, name),
    STRING("unix", struct yaml_input, unix_path),
    STRING("tcp", struct yaml_input, tcp),
    STRING("mode", struct yaml_input, mode),
    STRING("owner", struct yaml_input, owner),
    STRING("group", struct yaml_input, group),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t input_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_input, input_fields),
};

static const cyaml_schema_field_t web_fields[] = {
    STRING("listen_address", struct yaml_web, listen_address),
    STRING("connections", struct yaml_web, connections),
    STRING("timeout", struct yaml_web, timeout),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
    STRING("servers", struct yaml_limits, servers),
    STRING("qtypes", struct yaml_limits, qtypes),
    STRING("connections", struct yaml_limits, connections),
    STRING("frame_size", struct yaml_limits, frame_size),
    STRING("handshake_timeout", struct yaml_limits, handshake_timeout),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t pairing_fields[] = {
    STRING("capacity", struct yaml_pairing, capacity),
    STRING("timeout", struct yaml_pairing, timeout),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
    STRING("size", struct yaml_top, size),
    STRING("capacity", struct yaml_top, capacity),
    STRING("client_queries", struct yaml_top, client_queries),
    STRING("client_nxdomains", struct yaml_top, client_nxdomains),
    STRING("client_response_bytes", struct yaml_top, client_response_bytes),
    STRING("qname_queries", struct yaml_top, qname_queries),
    STRING("qname_nxdomains", struct yaml_top, qname_nxdomains),
    STRING("qname_servfails", struct yaml_top, qname_servfails),
    STRING("domain_queries", struct yaml_top, domain_queries),
    STRING("domain_nxdomains", struct yaml_top, domain_nxdomains),
    STRING("domain_servfails", struct yaml_top, domain_servfails),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t distinct_fields[] = {
    STRING("clients", struct yaml_distinct, clients),
    STRING("qnames", struct yaml_distinct, qnames),
    STRING("nxdomain_qnames", struct yaml_distinct, nxdomain_qnames),
    STRING("domains", struct yaml_distinct, domains),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t privacy_fields[] = {
    STRING("client_ipv4_prefix", struct yaml_privacy, client_ipv4_prefix),
    STRING("client_ipv6_prefix", struct yaml_privacy, client_ipv6_prefix),
    STRING("client_hash", struct yaml_privacy, client_hash),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t name_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t detection_fields[] = {
    STRING("nxdomain_burst_client", struct yaml_detection, nxdomain_burst_client),
    STRING("nxdomain_burst_domain", struct yaml_detection, nxdomain_burst_domain),
    STRING("client_names", struct yaml_detection, client_names),
    STRING("domain_names", struct yaml_detection, domain_names),
    STRING("capacity", struct yaml_detection, capacity),
    STRING("suspects", struct yaml_detection, suspects),
    STRING("allow_known", struct yaml_detection, allow_known),
    CYAML_FIELD_SEQUENCE("allow", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_detection,
                         allow, &name_schema, 0, CONFIG_ALLOW_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
    STRING("level", struct yaml_log, level),
    STRING("format", struct yaml_log, format),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t settings_fields[] = {
    CYAML_FIELD_SEQUENCE("inputs", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_settings,
                         inputs, &input_schema, 0, CONFIG_INPUTS_MAX),
    STRING("workers", struct yaml_settings, workers),
    SECTION(web, web_fields),
    SECTION(limits, limits_fields),
    SECTION(pairing, pairing_fields),
    STRING("window", struct yaml_settings, window),
    STRING("public_suffix_list", struct yaml_settings, public_suffix_list),
    SECTION(top, top_fields),
    SECTION(distinct, distinct_fields),
    SECTION(privacy, privacy_fields),
    SECTION(detection, detection_fields),
    SECTION(log, log_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t settings_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_settings, settings_fields),
};

/* --- Where a key stands --- */

static bool open_document(const struct text *content, yaml_parser_t *parser,
                          yaml_document_t *document)
{
    if (yaml_parser_initialize(parser) == 0) {
        return false;
    }
    yaml_parser_set_input_string(parser, (const unsigned char *)content->data, content->len);
    return yaml_parser_load(parser, document) != 0;
}

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

/* Follow a key such as `inputs[1].mode` as far as the file has it. */
static size_t line_of_key(yaml_document_t *document, const char *key)
{
    yaml_node_t *node = yaml_document_get_root_node(document);
    size_t line = node != NULL ? node->start_mark.line + 1 : 1;

    while (node != NULL && *key != '\0') {
        if (*key == '[') {
            char *end;
            node = sequence_entry(document, node, strtoul(key + 1, &end, 10), &line);
            key = end + 1;
        } else {
            size_t len = strcspn(key, ".[");
            node = mapping_value(document, node, key, len, &line);
            key += len;
        }
        key += *key == '.';
    }
    return line;
}

void yaml_file_where(const struct yaml_file *file, const char *key, struct text *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    size_t line = 1;

    if (open_document(&file->content, &parser, &document)) {
        line = line_of_key(&document, key);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    text_add_format(error, "%s:%zu: %s%s", file->path, line, key, *key != '\0' ? ": " : "");
}

/* --- What libcyaml says --- */

/* Its first message, and the key that its backtrace, innermost first, leads to. */
struct complaint {
    char message[256];
    char key[KEY_SIZE];
};

static void prepend(char key[KEY_SIZE], const char *piece)
{
    char joined[KEY_SIZE];
    bool dot = key[0] != '\0' && key[0] != '[';

    (void)snprintf(joined, sizeof joined, "%.60s%s%.90s", piece, dot ? "." : "", key);
    memcpy(key, joined, sizeof joined);
}

PRINTF_LIKE(3, 0)
static void listen_to_libcyaml(cyaml_log_t level, void *context, const char *format, va_list values)
{
    struct complaint *complaint = context;
    char line[256];
    char name[64];

    (void)level;
    (void)vsnprintf(line, sizeof line, format, values);
    line[strcspn(line, "\n")] = '\0';
    if (complaint->message[0] == '\0' && sscanf(line, "Load: %255[^\n]", complaint->message) == 1) {
        (void)sscanf(complaint->message, "Unexpected key: %63s", complaint->key);
    } else if (sscanf(line, " in mapping field '%63[^']'", name) == 1) {
        prepend(complaint->key, name);
    } else if (sscanf(line, " in sequence entry '%63[0-9]'", name) == 1) {
        (void)snprintf(name, sizeof name, "[%lu]", strtoul(name, NULL, 10) - 1);
        prepend(complaint->key, name);
    }
}

/* Its words where they are clear to somebody who does not know libcyaml, ours otherwise. */
static const char *in_our_words(const char *message)
{
    static const struct {
        const char *begins;
        const char *ours;
    } words[] = {
        {"Unexpected key", "there is no such key"},
        {"Mapping field already seen", "given twice"},
        {"Expecting SEQUENCE", "expected a list"},
        {"Expecting MAPPING", "expected keys and values"},
        {"Expecting STRING", "expected a single value"},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(message, words[i].begins) != NULL) {
            return words[i].ours;
        }
    }
    return message;
}

/* --- Loading --- */

static const cyaml_config_t loader = {
    .log_fn = listen_to_libcyaml,
    .mem_fn = cyaml_mem,
    .log_level = CYAML_LOG_ERROR,
};

static int read_content(struct yaml_file *file, struct text *error)
{
    char chunk[4096];
    size_t got;
    FILE *stream = fopen(file->path, "re");

    if (stream == NULL) {
        text_add_format(error, "%s: %s", file->path, strerror(errno));
        return -EINVAL;
    }
    while ((got = fread(chunk, 1, sizeof chunk, stream)) > 0 && file->content.len < FILE_SIZE_MAX) {
        text_add_bytes(&file->content, (struct bytes){(const uint8_t *)chunk, got});
    }
    const char *problem = NULL;
    if (ferror(stream) != 0) {
        problem = strerror(errno);
    } else if (file->content.len >= FILE_SIZE_MAX) {
        problem = "too large for a configuration file";
    }
    (void)fclose(stream);
    if (problem != NULL) {
        text_add_format(error, "%s: %s", file->path, problem);
        return -EINVAL;
    }
    return file->content.failed ? -ENOMEM : 0;
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

/* Libcyaml passes libyaml's syntax errors on without their place, and reads the first document
 * only. */
static int check_syntax(const struct yaml_file *file, struct text *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    size_t second_line = 0;
    bool sound = open_document(&file->content, &parser, &document);

    if (sound) {
        yaml_document_delete(&document);
        sound = at_end(&parser, &second_line);
    }
    if (!sound && parser.problem != NULL) {
        text_add_format(error, "%s:%zu: %s", file->path, parser.problem_mark.line + 1,
                        parser.problem);
    } else if (!sound) {
        text_add_format(error, "%s:%zu: a second document", file->path, second_line);
    }
    yaml_parser_delete(&parser);
    return sound ? 0 : -EINVAL;
}

static int load_settings(struct yaml_file *file, struct text *error)
{
    struct complaint complaint = {0};
    cyaml_config_t config = loader;
    cyaml_data_t *data = NULL;

    config.log_ctx = &complaint;
    cyaml_err_t result = cyaml_load_data((const uint8_t *)file->content.data, file->content.len,
                                         &config, &settings_schema, &data, NULL);
    if (result == CYAML_ERR_OOM) {
        return -ENOMEM;
    }
    if (result != CYAML_OK) {
        const char *message = complaint.message[0] != '\0' ? complaint.message
                                                           : cyaml_strerror(result);
        yaml_file_where(file, complaint.key, error);
        text_add_string(error, in_our_words(message));
        return -EINVAL;
    }
    file->settings = data;
    return 0;
}

int yaml_file_load(struct yaml_file *file, const char *path, struct text *error)
{
    struct yaml_file loaded = {.path = path};
    int result = read_content(&loaded, error);

    if (result == 0 && loaded.content.len > 0) {
        result = check_syntax(&loaded, error);
        if (result == 0) {
            result = load_settings(&loaded, error);
        }
    }
    if (result < 0) {
        yaml_file_deinit(&loaded);
        return result;
    }
    *file = loaded;
    return 0;
}

void yaml_file_deinit(struct yaml_file *file)
{
    (void)cyaml_free(&loader, &settings_schema, file->settings, 0);
    text_deinit(&file->content);
    file->settings = NULL;
}
