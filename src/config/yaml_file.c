/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_file_internal.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define KEY_SIZE 160 /* room for the longest path of a key */

/* --- The schema --- */

#define STRING(key, structure, member)                                                             \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, 0,    \
                           CYAML_UNLIMITED)

#define SECTION(key, fields)                                                                       \
    CYAML_FIELD_MAPPING(#key, CYAML_FLAG_OPTIONAL, struct yaml_settings, key, fields)

static const cyaml_schema_field_t input_fields[] = {
    STRING("name", struct yaml_input, name),         STRING("unix", struct yaml_input, unix_path),
    STRING("tcp", struct yaml_input, tcp),           STRING("mode", struct yaml_input, mode),
    STRING("owner", struct yaml_input, owner),       STRING("group", struct yaml_input, group),
    STRING("sampling", struct yaml_input, sampling), CYAML_FIELD_END,
};

static const cyaml_schema_value_t input_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_input, input_fields),
};

static const cyaml_schema_value_t string_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t output_fields[] = {
    STRING("name", struct yaml_output, name),
    STRING("unix", struct yaml_output, unix_path),
    STRING("tcp", struct yaml_output, tcp),
    CYAML_FIELD_SEQUENCE("inputs", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_output,
                         inputs, &string_schema, 1, CONFIG_INPUTS_MAX),
    STRING("queue", struct yaml_output, queue),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t output_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_output, output_fields),
};

static const cyaml_schema_field_t web_fields[] = {
    CYAML_FIELD_SEQUENCE("listen_addresses", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                         struct yaml_web, listen_addresses, &string_schema, 0,
                         CONFIG_WEB_ADDRESSES_MAX),
    STRING("connections", struct yaml_web, connections),
    STRING("timeout", struct yaml_web, timeout),
    STRING("config_file", struct yaml_web, config_file),
    STRING("enable_lifecycle", struct yaml_web, enable_lifecycle),
    STRING("systemd_socket", struct yaml_web, systemd_socket),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
    STRING("servers", struct yaml_limits, servers),
    STRING("series", struct yaml_limits, series),
    STRING("server_expiry", struct yaml_limits, server_expiry),
    STRING("unassigned_qtypes", struct yaml_limits, unassigned_qtypes),
    STRING("connections", struct yaml_limits, connections),
    STRING("frame_size", struct yaml_limits, frame_size),
    STRING("handshake_timeout", struct yaml_limits, handshake_timeout),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t matching_fields[] = {
    STRING("capacity", struct yaml_matching, capacity),
    STRING("timeout", struct yaml_matching, timeout),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
    STRING("max_series", struct yaml_top, max_series),
    STRING("capacity", struct yaml_top, capacity),
    CYAML_FIELD_SEQUENCE("lists", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_top, lists,
                         &string_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t distinct_fields[] = {
    CYAML_FIELD_SEQUENCE("counts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_distinct,
                         counts, &string_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t privacy_fields[] = {
    STRING("client_ipv4_prefix", struct yaml_privacy, client_ipv4_prefix),
    STRING("client_ipv6_prefix", struct yaml_privacy, client_ipv6_prefix),
    STRING("client_hash", struct yaml_privacy, client_hash),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t detector_fields[] = {
    STRING("enabled", struct yaml_detector, enabled),
    STRING("min_names", struct yaml_detector, min_names),
    CYAML_FIELD_END,
};

#define DETECTOR_FIELD(name, min_names)                                                            \
    CYAML_FIELD_MAPPING(#name, CYAML_FLAG_OPTIONAL, struct yaml_detection, name, detector_fields),

static const cyaml_schema_field_t detection_fields[] = {
    /* clang-format off */
    CONFIG_DETECTOR_LIST(DETECTOR_FIELD)
    /* clang-format on */
    STRING("capacity", struct yaml_detection, capacity),
    STRING("max_series", struct yaml_detection, max_series),
    STRING("allow_known", struct yaml_detection, allow_known),
    CYAML_FIELD_SEQUENCE("allow", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_detection,
                         allow, &string_schema, 0, CONFIG_ALLOW_MAX),
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
    CYAML_FIELD_SEQUENCE("outputs", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_settings,
                         outputs, &output_schema, 0, CONFIG_OUTPUTS_MAX),
    STRING("workers", struct yaml_settings, workers),
    SECTION(web, web_fields),
    SECTION(limits, limits_fields),
    SECTION(matching, matching_fields),
    STRING("native_histogram_schema", struct yaml_settings, native_histogram_schema),
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

/* --- libcyaml's errors --- */

/* Its first message, and the key that its backtrace, innermost first, leads to. */
struct cyaml_error {
    char message[256];
    char key[KEY_SIZE];
};

static void yaml_file_prepend(char key[KEY_SIZE], const char *piece)
{
    char joined[KEY_SIZE];
    bool dot = key[0] != '\0' && key[0] != '[';

    (void)snprintf(joined, sizeof joined, "%.60s%s%.90s", piece, dot ? "." : "", key);
    memcpy(key, joined, sizeof joined);
}

PRINTF_LIKE(3, 0)
static void listen_to_libcyaml(cyaml_log_t level, void *context, const char *format, va_list values)
{
    struct cyaml_error *error = context;
    char line[256];
    char name[64];

    (void)level;
    (void)vsnprintf(line, sizeof line, format, values);
    line[strcspn(line, "\n")] = '\0';
    if (error->message[0] == '\0' && sscanf(line, "Load: %255[^\n]", error->message) == 1) {
        (void)sscanf(error->message, "Unexpected key: %63s", error->key);
    } else if (sscanf(line, " in mapping field '%63[^']'", name) == 1) {
        yaml_file_prepend(error->key, name);
    } else if (sscanf(line, " in sequence entry '%63[0-9]'", name) == 1) {
        (void)snprintf(name, sizeof name, "[%lu]", strtoul(name, NULL, 10) - 1);
        yaml_file_prepend(error->key, name);
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

static int load_settings(struct yaml_file *file, struct text *error)
{
    struct cyaml_error reported = {0};
    cyaml_config_t config = loader;
    cyaml_data_t *data = NULL;

    config.log_ctx = &reported;
    cyaml_err_t result = cyaml_load_data((const uint8_t *)file->source.content.data,
                                         file->source.content.len, &config, &settings_schema, &data,
                                         NULL);
    /* There is no syntax error, which was checked before: libyaml fails without memory only. */
    if (result == CYAML_ERR_OOM || result == CYAML_ERR_LIBYAML_PARSER ||
        result == CYAML_ERR_LIBYAML_PARSER_INIT) {
        return -ENOMEM;
    }
    if (result != CYAML_OK) {
        const char *message = reported.message[0] != '\0' ? reported.message
                                                          : cyaml_strerror(result);
        yaml_source_where(&file->source, reported.key, error);
        text_append_string(error, in_our_words(message));
        return -EINVAL;
    }
    file->settings = data;
    return 0;
}

int yaml_file_load(struct yaml_file *file, const char *path, struct text *error)
{
    struct yaml_file loaded = {.settings = NULL};
    int result = yaml_source_load(&loaded.source, path, error);

    if (result == 0 && loaded.source.content.len > 0) {
        result = load_settings(&loaded, error);
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
    text_deinit(&file->source.content);
    file->settings = NULL;
}
