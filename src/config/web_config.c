/* SPDX-License-Identifier: Apache-2.0 */
/* Libyaml's document is walked here, since libcyaml has no mapping with keys of the user's own. */
#include "config/web_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_value.h"
#include "yaml_print_internal.h"
#include "yaml_source_internal.h"

#if defined __GNUC__ && !defined __clang__
/* Its analyzer forgets across libyaml's calls what belongs to the configuration. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#define BCRYPT_LEN   60 /* characters of $2y$, cost, salt and hash */
#define COST_AT      4  /* behind $2y$ */
#define COST_MIN     "04"
#define COST_MAX     "14" /* a second of CPU for each try, anybody's */
#define SALT_END     28   /* behind 22 characters of salt */
#define BCRYPT_CHARS "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* --- The file under way --- */

struct reading {
    struct web_config *config;
    const struct yaml_source *source;
    yaml_document_t *document;
    struct text *error;
};

/* A key and its value. */
struct entry {
    const char *section; /* "tls_server_config", or "" at the top */
    const char *name;
    size_t line;
    const yaml_node_t *value;
};

static void web_config_where(struct reading *reading, const struct entry *entry)
{
    text_append_format(reading->error, "%s:%zu: %s%s%s: ", reading->source->path, entry->line,
                       entry->section, entry->section[0] != '\0' ? "." : "", entry->name);
}

static int web_config_refuse(struct reading *reading, const struct entry *entry, const char *why)
{
    web_config_where(reading, entry);
    text_append_string(reading->error, why);
    return -EINVAL;
}

static int web_config_expected(struct reading *reading, const struct entry *entry, const char *what,
                               const char *got)
{
    web_config_where(reading, entry);
    text_append_format(reading->error, "expected %s, got '%s'", what, got);
    return -EINVAL;
}

static int get_string(struct reading *reading, const struct entry *entry, const char **out)
{
    if (entry->value->type != YAML_SCALAR_NODE) {
        return web_config_refuse(reading, entry, "expected a single value");
    }
    *out = (const char *)entry->value->data.scalar.value;
    if (strlen(*out) != entry->value->data.scalar.length) {
        return web_config_refuse(reading, entry, "a zero byte in a value");
    }
    return 0;
}

static int web_config_set_string(struct reading *reading, const struct entry *entry, char **member)
{
    const char *value;
    int result = get_string(reading, entry, &value);

    if (result == 0 && value[0] != '\0') {
        free(*member);
        *member = strdup(value);
        result = *member != NULL ? 0 : -ENOMEM;
    }
    return result;
}

static int set_switch(struct reading *reading, const struct entry *entry, bool *member)
{
    const char *value;
    int result = get_string(reading, entry, &value);

    if (result == 0 && !config_parse_switch(value, member)) {
        result = web_config_expected(reading, entry, "true or false", value);
    }
    return result;
}

/* Calls `take` with each key of a mapping; nothing at all is an empty one. */
static int web_config_walk(struct reading *reading, const struct entry *mapping,
                           int (*take)(struct reading *reading, const struct entry *entry))
{
    if (mapping->value->type == YAML_SCALAR_NODE && mapping->value->data.scalar.length == 0) {
        return 0;
    }
    if (mapping->value->type != YAML_MAPPING_NODE) {
        return web_config_refuse(reading, mapping, "expected keys and values");
    }
    const yaml_node_pair_t *start = mapping->value->data.mapping.pairs.start;
    for (const yaml_node_pair_t *pair = start; pair < mapping->value->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
        struct entry entry = {mapping->name, "", key->start_mark.line + 1,
                              yaml_document_get_node(reading->document, pair->value)};
        if (key->type != YAML_SCALAR_NODE) {
            return web_config_refuse(reading, &entry, "a key has to be a single value");
        }
        entry.name = (const char *)key->data.scalar.value;
        for (const yaml_node_pair_t *before = start; before < pair; before++) {
            const yaml_node_t *other = yaml_document_get_node(reading->document, before->key);
            if (strcmp((const char *)other->data.scalar.value, entry.name) == 0) {
                return web_config_refuse(reading, &entry, "given twice");
            }
        }
        int result = take(reading, &entry);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* --- tls_server_config --- */

/* The first of `names` is 0; -EINVAL where it is none of them. */
static int set_choice(struct reading *reading, const struct entry *entry, const char *const *names,
                      size_t count, const char *what, unsigned *choice)
{
    const char *value;
    int result = get_string(reading, entry, &value);

    if (result == 0 && value[0] == '\0') {
        return 0;
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        if (strcmp(value, names[i]) == 0) {
            *choice = (unsigned)i;
            return 0;
        }
    }
    return result < 0 ? result : web_config_expected(reading, entry, what, value);
}

static const char *const client_auths[] = {
    [TLS_CLIENT_AUTH_NONE] = "NoClientCert",
    [TLS_CLIENT_AUTH_REQUEST] = "RequestClientCert",
    [TLS_CLIENT_AUTH_REQUIRE_ANY] = "RequireAnyClientCert",
    [TLS_CLIENT_AUTH_VERIFY_IF_GIVEN] = "VerifyClientCertIfGiven",
    [TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY] = "RequireAndVerifyClientCert",
};

static int take_client_auth(struct reading *reading, const struct entry *entry)
{
    unsigned choice = reading->config->tls.client_auth;
    int result = set_choice(reading, entry, client_auths,
                            sizeof client_auths / sizeof client_auths[0],
                            "NoClientCert, RequestClientCert, RequireAnyClientCert, "
                            "VerifyClientCertIfGiven or RequireAndVerifyClientCert",
                            &choice);

    reading->config->tls.client_auth = (enum tls_client_auth)choice;
    return result;
}

#define TLS_FIRST 10 /* TLS 1.0 */

static int take_version(struct reading *reading, const struct entry *entry, unsigned *version)
{
    static const char *const names[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    unsigned choice = *version - TLS_FIRST;
    int result = set_choice(reading, entry, names, sizeof names / sizeof names[0],
                            "TLS10, TLS11, TLS12 or TLS13", &choice);

    *version = choice + TLS_FIRST;
    return result;
}

static int take_allowed_sans(struct reading *reading, const struct entry *entry)
{
    struct web_config *config = reading->config;

    if (entry->value->type != YAML_SEQUENCE_NODE) {
        return web_config_refuse(reading, entry, "expected a list");
    }
    const yaml_node_item_t *items = entry->value->data.sequence.items.start;
    size_t count = (size_t)(entry->value->data.sequence.items.top - items);
    config->tls.allowed_sans = calloc(count + 1, sizeof *config->tls.allowed_sans);
    if (config->tls.allowed_sans == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = yaml_document_get_node(reading->document, items[i]);
        struct entry of_item = {entry->section, entry->name, item->start_mark.line + 1, item};
        const char *name;
        int result = get_string(reading, &of_item, &name);
        if (result < 0) {
            return result;
        }
        config->tls.allowed_sans[i] = strdup(name);
        if (config->tls.allowed_sans[i] == NULL) {
            return -ENOMEM;
        }
        config->tls.allowed_san_count++;
    }
    return 0;
}

/* The path is relative to the file that names it. */
static int set_path(struct reading *reading, char **path)
{
    const char *slash = strrchr(reading->source->path, '/');
    struct text joined = {0};

    if (*path == NULL || (*path)[0] == '/' || slash == NULL) {
        return 0;
    }
    text_append_format(&joined, "%.*s/%s", (int)(slash - reading->source->path),
                       reading->source->path, *path);
    if (joined.failed) {
        return -ENOMEM;
    }
    free(*path);
    *path = joined.data;
    return 0;
}

/* Under one of two keys, of which the file may have one. */
static int take_pem(struct reading *reading, const struct entry *entry, const char *file_key,
                    const char *text_key, struct tls_pem *pem)
{
    bool is_file = strcmp(entry->name, strrchr(file_key, '.') + 1) == 0;
    const char *value;
    int result = get_string(reading, entry, &value);

    if (result < 0 || value[0] == '\0') {
        return result;
    }
    if (pem->key != NULL) {
        return web_config_refuse(reading, entry, "given both as a file and inline");
    }
    pem->key = is_file ? file_key : text_key;
    pem->line = entry->line;
    result = web_config_set_string(reading, entry, is_file ? &pem->path : &pem->text);
    return result == 0 ? set_path(reading, &pem->path) : result;
}

#define TLS(key) "tls_server_config." key

static int take_tls(struct reading *reading, const struct entry *entry)
{
    struct web_config *config = reading->config;
    const char *name = entry->name;

    if (strcmp(name, "cert_file") == 0 || strcmp(name, "cert") == 0) {
        return take_pem(reading, entry, TLS("cert_file"), TLS("cert"), &config->tls.cert);
    }
    if (strcmp(name, "key_file") == 0 || strcmp(name, "key") == 0) {
        return take_pem(reading, entry, TLS("key_file"), TLS("key"), &config->tls.key);
    }
    if (strcmp(name, "client_ca_file") == 0 || strcmp(name, "client_ca") == 0) {
        return take_pem(reading, entry, TLS("client_ca_file"), TLS("client_ca"),
                        &config->tls.client_ca);
    }
    if (strcmp(name, "client_auth_type") == 0) {
        return take_client_auth(reading, entry);
    }
    if (strcmp(name, "client_allowed_sans") == 0) {
        return take_allowed_sans(reading, entry);
    }
    if (strcmp(name, "min_version") == 0) {
        return take_version(reading, entry, &config->tls.min_version);
    }
    if (strcmp(name, "max_version") == 0) {
        return take_version(reading, entry, &config->tls.max_version);
    }
    if (strcmp(name, "prefer_server_cipher_suites") == 0) {
        return set_switch(reading, entry, &config->tls.server_precedence);
    }
    if (strcmp(name, "cipher_suites") == 0 || strcmp(name, "curve_preferences") == 0) {
        return web_config_refuse(reading, entry,
                                 "not to be chosen here: GnuTLS's own order is used");
    }
    return web_config_refuse(reading, entry, "there is no such key");
}

/* What has to go together; the error names the section's line, or the key's own. */
static int check_tls(struct reading *reading, const struct entry *section)
{
    const struct web_config *config = reading->config;
    bool verifies = config->tls.client_auth == TLS_CLIENT_AUTH_VERIFY_IF_GIVEN ||
                    config->tls.client_auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;
    bool requires = config->tls.client_auth == TLS_CLIENT_AUTH_REQUIRE_ANY ||
                    config->tls.client_auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;

    if (config->tls.cert.key == NULL) {
        return web_config_refuse(reading, section, "missing cert_file");
    }
    if (config->tls.key.key == NULL) {
        return web_config_refuse(reading, section, "missing key_file");
    }
    if (verifies && config->tls.client_ca.key == NULL) {
        return web_config_refuse(reading, section, "this client_auth_type needs client_ca_file");
    }
    if (config->tls.client_ca.key != NULL && config->tls.client_auth == TLS_CLIENT_AUTH_NONE) {
        return web_config_refuse(reading, section, "client_ca_file needs a client_auth_type");
    }
    if (config->tls.allowed_san_count > 0 && !requires) {
        return web_config_refuse(
            reading, section,
            "client_allowed_sans needs the client_auth_type RequireAnyClientCert or "
            "RequireAndVerifyClientCert");
    }
    if (config->tls.min_version > config->tls.max_version) {
        return web_config_refuse(reading, section, "min_version is above max_version");
    }
    return 0;
}

/* --- http_server_config --- */

/* The headers that exporters let people set, and of some the values. */
static int take_header(struct reading *reading, const struct entry *entry)
{
    static const struct {
        const char *name;
        const char *values[2];
        const char *expected;
    } known[WEB_HEADERS_MAX] = {
        {"Content-Security-Policy", {NULL}, NULL},
        {"Strict-Transport-Security", {NULL}, NULL},
        {"X-Content-Type-Options", {"nosniff", "nosniff"}, "nosniff"},
        {"X-Frame-Options", {"deny", "sameorigin"}, "deny or sameorigin"},
        {"X-XSS-Protection", {NULL}, NULL},
    };
    struct web_config *config = reading->config;
    const char *value;
    int result = get_string(reading, entry, &value);
    size_t i = 0;

    while (i < WEB_HEADERS_MAX && strcmp(known[i].name, entry->name) != 0) {
        i++;
    }
    if (result < 0 || i == WEB_HEADERS_MAX) {
        return result < 0 ? result : web_config_refuse(reading, entry, "this header cannot be set");
    }
    if (value[strcspn(value, "\r\n")] != '\0') {
        return web_config_refuse(reading, entry, "a line break in a header");
    }
    if (value[0] == '\0') {
        return 0;
    }
    if (known[i].values[0] != NULL && strcmp(value, known[i].values[0]) != 0 &&
        strcmp(value, known[i].values[1]) != 0) {
        return web_config_expected(reading, entry, known[i].expected, value);
    }
    struct web_header *header = &config->headers[config->header_count++];
    header->name = strdup(entry->name);
    header->value = strdup(value);
    return header->name != NULL && header->value != NULL ? 0 : -ENOMEM;
}

static int take_http(struct reading *reading, const struct entry *entry)
{
    bool http2; /* is offered, not asked for: one without it is as good */

    if (strcmp(entry->name, "http2") == 0) {
        return set_switch(reading, entry, &http2);
    }
    if (strcmp(entry->name, "headers") == 0) {
        struct entry headers = *entry;
        headers.name = "http_server_config.headers";
        headers.section = "";
        return web_config_walk(reading, &headers, take_header);
    }
    return web_config_refuse(reading, entry, "there is no such key");
}

/* --- basic_auth_users --- */

/* "$2y$", a cost in two digits, "$", 22 characters of salt, of which the last has two bits, and 31
 * of hash. */
static bool is_bcrypt(const char *hash)
{
    return strlen(hash) == BCRYPT_LEN && strncmp(hash, "$2", 2) == 0 &&
           strchr("aby", hash[2]) != NULL && hash[3] == '$' && hash[6] == '$' &&
           strspn(hash + COST_AT, "0123456789") == 2 && strchr(".Oeu", hash[SALT_END]) != NULL &&
           strspn(hash + 7, BCRYPT_CHARS) == BCRYPT_LEN - 7;
}

static int take_user(struct reading *reading, const struct entry *entry)
{
    struct web_config *config = reading->config;
    const char *hash;
    int result = get_string(reading, entry, &hash);

    if (result < 0) {
        return result;
    }
    if (entry->name[0] == '\0' || strchr(entry->name, ':') != NULL) {
        return web_config_refuse(reading, entry,
                                 "a user's name is not empty and has no colon (RFC 7617)");
    }
    if (!is_bcrypt(hash)) {
        return web_config_refuse(reading, entry, "expected a bcrypt hash, $2y$10$ and so on");
    }
    if (strncmp(hash + COST_AT, COST_MIN, 2) < 0 || strncmp(hash + COST_AT, COST_MAX, 2) > 0) {
        return web_config_refuse(reading, entry, "the cost of a bcrypt hash is 04 to 14 here");
    }
    struct web_user *users = realloc(config->users, (config->user_count + 1) * sizeof *users);
    if (users == NULL) {
        return -ENOMEM;
    }
    config->users = users;
    users[config->user_count] = (struct web_user){strdup(entry->name), strdup(hash)};
    config->user_count++;
    return users[config->user_count - 1].name != NULL && users[config->user_count - 1].hash != NULL
               ? 0
               : -ENOMEM;
}

/* --- rate_limit --- */

#define RATE_BURST_MAX    1000000                /* chosen */
#define RATE_INTERVAL_MAX (3600 * NS_PER_SECOND) /* chosen */

static int take_rate(struct reading *reading, const struct entry *entry)
{
    struct web_config *config = reading->config;
    uint64_t burst;
    const char *value;
    int result = get_string(reading, entry, &value);

    if (result < 0) {
        return result;
    }
    if (strcmp(entry->name, "interval") == 0) {
        bool fits = strcmp(value, "0") == 0 ||
                    (config_parse_duration(value, &config->rate_interval_ns) &&
                     config->rate_interval_ns <= RATE_INTERVAL_MAX);
        return fits ? 0
                    : web_config_expected(reading, entry, "a duration up to 1h, such as 1s", value);
    }
    if (strcmp(entry->name, "burst") != 0) {
        return web_config_refuse(reading, entry, "there is no such key");
    }
    if (!config_parse_number(value, &burst) || burst > RATE_BURST_MAX) {
        return web_config_expected(reading, entry, "a number up to 1000000", value);
    }
    config->rate_burst = (unsigned)burst;
    return 0;
}

/* --- All together --- */

static int take_section(struct reading *reading, const struct entry *entry)
{
    if (strcmp(entry->name, "tls_server_config") == 0) {
        int result = web_config_walk(reading, entry, take_tls);
        bool empty = entry->value->type == YAML_SCALAR_NODE;
        return result == 0 && !empty ? check_tls(reading, entry) : result;
    }
    if (strcmp(entry->name, "http_server_config") == 0) {
        return web_config_walk(reading, entry, take_http);
    }
    if (strcmp(entry->name, "basic_auth_users") == 0) {
        return web_config_walk(reading, entry, take_user);
    }
    if (strcmp(entry->name, "rate_limit") == 0) {
        return web_config_walk(reading, entry, take_rate);
    }
    return web_config_refuse(reading, entry, "there is no such key");
}

static int read_document(struct reading *reading)
{
    const yaml_node_t *root = yaml_document_get_root_node(reading->document);

    if (root == NULL) {
        return 0; /* comments only */
    }
    return web_config_walk(reading, &(struct entry){"", "", root->start_mark.line + 1, root},
                           take_section);
}

int web_config_load(struct web_config *config, const char *path, struct text *error)
{
    struct yaml_source source;
    yaml_parser_t parser;
    yaml_document_t document;

    *config = (struct web_config){
        .path = strdup(path),
        .tls = {.min_version = 12, .max_version = 13, .server_precedence = true}};
    int result = config->path != NULL ? yaml_source_load(&source, path, error) : -ENOMEM;
    if (result < 0) {
        web_config_deinit(config);
        return result;
    }
    if (source.content.len > 0) {
        struct reading reading = {config, &source, &document, error};
        result = -ENOMEM; /* the only way for it to fail: it was sound when it was loaded */
        if (yaml_source_open(&source, &parser, &document)) {
            result = read_document(&reading);
            yaml_document_delete(&document);
        }
        yaml_parser_delete(&parser);
    }
    text_deinit(&source.content);
    if (result < 0) {
        web_config_deinit(config);
    }
    return result;
}

/* --- Printing it --- */

#define SECRET "<secret>"

static void print_line(const char *key, const char *value, struct text *out)
{
    text_append_format(out, "  %s: ", key);
    yaml_print_string(value, out);
    text_append_char(out, '\n');
}

/* Whatever is inline may have a key in it. */
static void print_pem(const struct tls_pem *pem, struct text *out)
{
    if (pem->key != NULL) {
        print_line(strchr(pem->key, '.') + 1, pem->path != NULL ? pem->path : SECRET, out);
    }
}

static void print_tls(const struct web_config *config, struct text *out)
{
    text_append_string(out, "tls_server_config:\n");
    print_pem(&config->tls.cert, out);
    print_pem(&config->tls.key, out);
    print_pem(&config->tls.client_ca, out);
    print_line("client_auth_type", client_auths[config->tls.client_auth], out);
    text_append_string(out, config->tls.allowed_san_count > 0 ? "  client_allowed_sans:\n" : "");
    for (size_t i = 0; i < config->tls.allowed_san_count; i++) {
        text_append_string(out, "    - ");
        yaml_print_string(config->tls.allowed_sans[i], out);
        text_append_char(out, '\n');
    }
    text_append_format(out, "  min_version: TLS%u\n  max_version: TLS%u\n", config->tls.min_version,
                       config->tls.max_version);
    text_append_format(out, "  prefer_server_cipher_suites: %s\n",
                       config->tls.server_precedence ? "true" : "false");
}

void web_config_print(const struct web_config *config, struct text *out)
{
    if (config->tls.cert.key != NULL) {
        print_tls(config, out);
    }
    if (config->header_count > 0) {
        text_append_string(out, "http_server_config:\n  headers:\n");
    }
    for (size_t i = 0; i < config->header_count; i++) {
        text_append_string(out, "  ");
        print_line(config->headers[i].name, config->headers[i].value, out);
    }
    text_append_string(out, config->user_count > 0 ? "basic_auth_users:\n" : "");
    for (size_t i = 0; i < config->user_count; i++) {
        text_append_string(out, "  ");
        yaml_print_string(config->users[i].name, out);
        text_append_string(out, ": " SECRET "\n");
    }
    if (config->rate_interval_ns > 0) {
        text_append_string(out, "rate_limit:\n  interval: ");
        config_print_duration(config->rate_interval_ns, out);
        text_append_format(out, "\n  burst: %u\n", config->rate_burst);
    }
}

/* --- Letting go --- */

static void free_pem(struct tls_pem *pem)
{
    free(pem->path);
    free(pem->text);
}

void web_config_deinit(struct web_config *config)
{
    free_pem(&config->tls.cert);
    free_pem(&config->tls.key);
    free_pem(&config->tls.client_ca);
    for (size_t i = 0; i < config->tls.allowed_san_count; i++) {
        free(config->tls.allowed_sans[i]);
    }
    free(config->tls.allowed_sans);
    for (size_t i = 0; i < config->header_count; i++) {
        free(config->headers[i].name);
        free(config->headers[i].value);
    }
    for (size_t i = 0; i < config->user_count; i++) {
        free(config->users[i].name);
        free(config->users[i].hash);
    }
    free(config->users);
    free(config->path);
    *config = (struct web_config){0};
}
