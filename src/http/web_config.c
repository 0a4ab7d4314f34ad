/* SPDX-License-Identifier: Apache-2.0 */
#include "http/web_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BCRYPT_LEN   60 /* characters of $2y$, cost, salt and hash */
#define COST_MIN     "04"
#define COST_MAX     "14" /* a second of CPU for each try, anybody's */
#define SALT_END     28   /* behind 22 characters of salt */
#define BCRYPT_CHARS "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const struct config_rows tls_rows = CONFIG_ROWS(WEB_TLS_KEYS, struct tls_settings);
static const struct config_rows http_rows = CONFIG_ROWS(WEB_HTTP_KEYS, struct web_config);
static const struct config_rows user_rows = CONFIG_ROWS(WEB_USER_KEYS, struct web_config);
static const struct config_rows rate_rows = CONFIG_ROWS(WEB_RATE_KEYS, struct web_config);

const struct config_rows web_header_rows = CONFIG_ROWS(WEB_HEADER_KEYS, struct web_headers);

/* --- Values --- */

bool web_config_is_header(const char *text)
{
    return text[strcspn(text, "\r\n")] == '\0';
}

bool web_config_is_type_option(const char *text)
{
    return text[0] == '\0' || strcmp(text, "nosniff") == 0;
}

bool web_config_is_frame_option(const char *text)
{
    return text[0] == '\0' || strcmp(text, "deny") == 0 || strcmp(text, "sameorigin") == 0;
}

/* "$2y$", a cost in two digits, "$", 22 characters of salt, of which the last has two bits, and 31
 * of hash. */
static bool is_bcrypt(const char *hash)
{
    return strlen(hash) == BCRYPT_LEN && strncmp(hash, "$2", 2) == 0 &&
           strchr("aby", hash[2]) != NULL && hash[3] == '$' && hash[6] == '$' &&
           strspn(hash + WEB_HASH_COST_AT, "0123456789") == 2 &&
           strncmp(hash + WEB_HASH_COST_AT, COST_MIN, 2) >= 0 &&
           strncmp(hash + WEB_HASH_COST_AT, COST_MAX, 2) <= 0 &&
           strchr(".Oeu", hash[SALT_END]) != NULL &&
           strspn(hash + 7, BCRYPT_CHARS) == BCRYPT_LEN - 7;
}

bool web_config_is_user(const char *text)
{
    const char *colon = strchr(text, ':');

    return colon != NULL && colon != text && is_bcrypt(colon + 1);
}

/* --- The file --- */

static int web_config_check_tls(const struct config_check *check, void *settings)
{
    struct web_config *config = settings;

    return tls_settings_check(check, "tls_server_config", &tls_rows, &config->tls);
}

static bool has_tls(const void *settings)
{
    const struct web_config *config = settings;

    return tls_settings_are_on(&config->tls);
}

static bool has_headers(const void *settings)
{
    const struct web_config *config = settings;
    const struct web_headers none = {0};

    return memcmp(&config->headers, &none, sizeof none) != 0 || !config->http2;
}

static bool has_users(const void *settings)
{
    const struct web_config *config = settings;

    return config->users.count > 0;
}

static bool has_rate(const void *settings)
{
    const struct web_config *config = settings;

    return config->rate_interval_ns > 0;
}

#define AT(member) .offset = offsetof(struct web_config, member)

static const struct config_section sections[] = {
    {.rows = &tls_rows, AT(tls), .check = web_config_check_tls, .is_on = has_tls},
    {.rows = &http_rows, .is_on = has_headers},
    {.rows = &web_header_rows, AT(headers), .is_on = has_headers},
    {.rows = &user_rows, .is_on = has_users},
    {.rows = &rate_rows, .is_on = has_rate},
};

const struct config_schema web_config_schema = {
    .sections = sections,
    .count = sizeof sections / sizeof sections[0],
    .size = sizeof(struct web_config),
};

int web_config_load(struct web_config *config, const char *path, struct text *error)
{
    char *copy = strdup(path);
    struct file_watch watch;

    file_watch_begin(&watch, path);
    int result = copy != NULL ? config_load(&web_config_schema, path, NULL, 0, config, error)
                              : -ENOMEM;

    if (result < 0) {
        free(copy);
        return result;
    }
    config->path = copy;
    config->watch = watch;
    return 0;
}

void web_config_deinit(struct web_config *config)
{
    free(config->path);
    config_deinit(&web_config_schema, config);
}

void web_config_print(const struct web_config *config, struct text *out)
{
    config_print(&web_config_schema, config, out);
}
