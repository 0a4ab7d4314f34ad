/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_settings.h"

#include <errno.h>
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
        pem->key = is_given(*file) ? file_key : text_key;
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
    bool has_ca = settings->pem_client_ca.key != NULL;

    if (settings->pem_cert.key == NULL) {
        return "missing cert_file";
    }
    if (settings->pem_key.key == NULL) {
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
                                      settings->client_ca, &settings->pem_client_ca);
    }
    if (result < 0 || !has_any_key(check, rows)) {
        return result;
    }
    const char *conflict = find_conflict(settings);
    return conflict != NULL ? config_refuse(check, section, conflict) : 0;
}
