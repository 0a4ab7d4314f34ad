/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const tls_client_auth_words[] = {
    [TLS_CLIENT_AUTH_NONE] = "NoClientCert",
    [TLS_CLIENT_AUTH_REQUEST] = "RequestClientCert",
    [TLS_CLIENT_AUTH_REQUIRE_ANY] = "RequireAnyClientCert",
    [TLS_CLIENT_AUTH_VERIFY_IF_GIVEN] = "VerifyClientCertIfGiven",
    [TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY] = "RequireAndVerifyClientCert",
    NULL,
};

const char *const tls_version_words[] = {"TLS10", "TLS11", "TLS12", "TLS13", NULL};
const char *const tls_stream_version_words[] = {"", "TLS12", "TLS13", NULL};

enum { VERSION_TLS12 = 2, VERSION_TLS13 = 3 }; /* in tls_version_words */

static bool is_given(const char *string)
{
    return string != NULL && string[0] != '\0';
}

/* The path is relative to the file that names it. */
static int tls_settings_set_path(const struct config_check *check, char **path)
{
    const char *file = config_file_path(check);
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    struct text joined = {0};

    if (!is_given(*path) || (*path)[0] == '/' || slash == NULL) {
        return 0;
    }
    text_append_format(&joined, "%.*s/%s", (int)(slash - file), file, *path);
    if (joined.failed) {
        text_deinit(&joined);
        return -ENOMEM;
    }
    free(*path);
    *path = joined.data;
    return 0;
}

/* The key whose last part is `name`, as its row has it. */
static const char *key_of(const struct config_rows *rows, const char *name)
{
    unsigned i = 0;

    while (i + 1 < rows->count && strcmp(strrchr(rows->rows[i].key, '.') + 1, name) != 0) {
        i++;
    }
    return rows->rows[i].key;
}

static int tls_settings_set_pem(const struct config_check *check, const char *file_key,
                                const char *text_key, char **file, const char *text,
                                struct tls_pem *pem)
{
    if (is_given(*file) && is_given(text)) {
        return config_refuse(check, text_key, "given both as a file and inline");
    }
    int result = tls_settings_set_path(check, file);
    if (result == 0 && (is_given(*file) || is_given(text))) {
        (void)snprintf(pem->key, sizeof pem->key, "%s", is_given(*file) ? file_key : text_key);
        pem->line = config_line(check, pem->key);
        pem->path = is_given(*file) ? *file : NULL;
        pem->text = is_given(text) ? text : NULL;
    }
    return result;
}

static bool has_any_key(const struct config_check *check, const struct config_rows *rows)
{
    for (unsigned i = 0; i < rows->count; i++) {
        if (config_line(check, rows->rows[i].key) > 0) {
            return true;
        }
    }
    return false;
}

/* Why keys do not go together; NULL: they do. */
static const char *find_conflict(const struct tls_settings *settings)
{
    bool requires = settings->client_auth == TLS_CLIENT_AUTH_REQUIRE_ANY ||
                    settings->client_auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;
    bool has_ca = is_given(settings->pem_ca.key);

    if (!is_given(settings->pem_cert.key)) {
        return "missing cert_file";
    }
    if (!is_given(settings->pem_key.key)) {
        return "missing key_file";
    }
    if (has_ca && settings->client_auth == TLS_CLIENT_AUTH_NONE) {
        return "client_ca_file needs a client_auth_type";
    }
    if (settings->allowed_sans.count > 0 && !requires) {
        return "client_allowed_sans needs the client_auth_type RequireAnyClientCert or "
               "RequireAndVerifyClientCert";
    }
    return settings->min_version > settings->max_version ? "min_version is above max_version"
                                                         : NULL;
}

int tls_settings_check(const struct config_check *check, const char *section,
                       const struct config_rows *rows, struct tls_settings *settings)
{
    int result = tls_settings_set_pem(check, key_of(rows, "cert_file"), key_of(rows, "cert"),
                                      &settings->cert_file, settings->cert, &settings->pem_cert);

    if (result == 0) {
        result = tls_settings_set_pem(check, key_of(rows, "key_file"), key_of(rows, "key"),
                                      &settings->key_file, settings->key, &settings->pem_key);
    }
    if (result == 0) {
        result = tls_settings_set_pem(check, key_of(rows, "client_ca_file"),
                                      key_of(rows, "client_ca"), &settings->client_ca_file,
                                      settings->client_ca, &settings->pem_ca);
    }
    if (result < 0 || !has_any_key(check, rows)) {
        return result;
    }
    const char *conflict = find_conflict(settings);
    return conflict != NULL ? config_refuse(check, section, conflict) : 0;
}

/* --- Of a stream --- */

/* Why keys of a stream do not go together; NULL: they do. */
static const char *find_stream_conflict(const struct tls_settings *settings)
{
    bool has_cert = is_given(settings->cert_file);

    if (has_cert != is_given(settings->key_file)) {
        return has_cert ? "missing key_file" : "missing cert_file";
    }
    if (settings->is_client) {
        return is_given(settings->ca_file) ? NULL : "missing ca_file";
    }
    return has_cert ? NULL : "missing cert_file and key_file";
}

static int set_stream_pem(const struct config_check *check, const char *mapping, const char *name,
                          char **file, struct tls_pem *pem)
{
    char key[sizeof pem->key];

    (void)snprintf(key, sizeof key, "%s.%s", mapping, name);
    return tls_settings_set_pem(check, key, key, file, NULL, pem);
}

int tls_settings_check_stream(const struct config_check *check, const char *entry,
                              enum tls_role role, struct tls_settings *settings)
{
    char mapping[32];

    (void)snprintf(mapping, sizeof mapping, "%s.tls", entry);
    if (config_line(check, mapping) == 0) {
        return role == TLS_ROLE_CLIENT_ALWAYS
                   ? config_refuse(check, entry, "tls:// needs a mapping `tls` with ca_file")
                   : 0;
    }
    if (role == TLS_ROLE_NONE) {
        return config_refuse(check, mapping, "there is TLS with tcp and with connect: tls:// only");
    }
    settings->is_client = role != TLS_ROLE_SERVER;
    settings->min_version = settings->stream_version == 2 ? VERSION_TLS13 : VERSION_TLS12;
    settings->max_version = VERSION_TLS13;
    settings->server_precedence = true;
    settings->client_auth = is_given(settings->client_ca_file) ? TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY
                                                               : TLS_CLIENT_AUTH_NONE;
    const char *conflict = find_stream_conflict(settings);
    if (conflict != NULL) {
        return config_refuse(check, mapping, conflict);
    }
    int result = set_stream_pem(check, mapping, "cert_file", &settings->cert_file,
                                &settings->pem_cert);
    if (result == 0) {
        result = set_stream_pem(check, mapping, "key_file", &settings->key_file,
                                &settings->pem_key);
    }
    if (result == 0 && settings->is_client) {
        result = set_stream_pem(check, mapping, "ca_file", &settings->ca_file, &settings->pem_ca);
    } else if (result == 0) {
        result = set_stream_pem(check, mapping, "client_ca_file", &settings->client_ca_file,
                                &settings->pem_ca);
    }
    return result;
}

bool tls_settings_are_on(const struct tls_settings *settings)
{
    return is_given(settings->pem_cert.key) || is_given(settings->pem_ca.key);
}

/* --- Values --- */

static bool same_string(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool tls_settings_equal(const struct tls_settings *a, const struct tls_settings *b)
{
    bool equal = same_string(a->cert_file, b->cert_file) && same_string(a->key_file, b->key_file) &&
                 same_string(a->client_ca_file, b->client_ca_file) &&
                 same_string(a->ca_file, b->ca_file) &&
                 same_string(a->server_name, b->server_name) && a->min_version == b->min_version &&
                 a->is_client == b->is_client && a->allowed_sans.count == b->allowed_sans.count;

    for (unsigned i = 0; i < a->allowed_sans.count && equal; i++) {
        equal = strcmp(a->allowed_sans.items[i], b->allowed_sans.items[i]) == 0;
    }
    return equal;
}

/* False without memory. */
static bool copy_string(const char *string, char **out)
{
    *out = string != NULL ? strdup(string) : NULL;
    return string == NULL || *out != NULL;
}

static bool copy_strings(const struct config_strings *strings, struct config_strings *out)
{
    *out = (struct config_strings){0};
    out->items = calloc(strings->count + (size_t)1, sizeof *out->items);
    if (out->items == NULL) {
        return false;
    }
    while (out->count < strings->count &&
           copy_string(strings->items[out->count], &out->items[out->count])) {
        out->count++;
    }
    return out->count == strings->count;
}

int tls_settings_copy(const struct tls_settings *settings, struct tls_settings *out)
{
    *out = *settings;
    out->cert = out->key = out->client_ca = NULL; /* a stream has files only */
    out->cert_file = out->key_file = out->client_ca_file = out->ca_file = out->server_name = NULL;
    bool copied = copy_strings(&settings->allowed_sans, &out->allowed_sans) &&
                  copy_string(settings->cert_file, &out->cert_file) &&
                  copy_string(settings->key_file, &out->key_file) &&
                  copy_string(settings->client_ca_file, &out->client_ca_file) &&
                  copy_string(settings->ca_file, &out->ca_file) &&
                  copy_string(settings->server_name, &out->server_name);

    if (!copied) {
        tls_settings_deinit(out);
        return -ENOMEM;
    }
    out->pem_cert.path = out->cert_file;
    out->pem_key.path = out->key_file;
    out->pem_ca.path = out->is_client ? out->ca_file : out->client_ca_file;
    return 0;
}

void tls_settings_deinit(struct tls_settings *settings)
{
    for (unsigned i = 0; i < settings->allowed_sans.count; i++) {
        free(settings->allowed_sans.items[i]);
    }
    free(settings->allowed_sans.items);
    free(settings->cert_file);
    free(settings->key_file);
    free(settings->client_ca_file);
    free(settings->ca_file);
    free(settings->server_name);
    *settings = (struct tls_settings){0};
}
