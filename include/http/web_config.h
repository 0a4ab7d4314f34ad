/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_config.h - the file of --web.config.file: TLS, users and headers of the web server
 *
 * The format is that of Prometheus' exporters (exporter-toolkit's web configuration), so that one
 * file serves them all and `promtool check web-config` checks it.
 */

#include "base/attr.h"
#include "base/clock.h"
#include "base/file_watch.h"
#include "base/text.h"
#include "tls/tls_settings.h"

#define WEB_USERS_MAX 10000 /* chosen */

/* clang-format off */
#define WEB_TLS_KEYS(KEY, S) TLS_KEYS(KEY, S, "tls_server_config.")

#define WEB_HEADER(KEY, S, member, name, ...)                                                      \
    KEY(S, string, member, "http_server_config.headers." name, NULL, .help = "A header.", __VA_ARGS__)

/** The headers that exporter-toolkit allows, and of some the values. */
#define WEB_HEADER_KEYS(KEY, S)                                                                    \
    WEB_HEADER(KEY, S, policy, "Content-Security-Policy",                                          \
               .check = web_config_is_header, .expected = "a text without line breaks")            \
    WEB_HEADER(KEY, S, transport, "Strict-Transport-Security",                                     \
               .check = web_config_is_header, .expected = "a text without line breaks")            \
    WEB_HEADER(KEY, S, type_options, "X-Content-Type-Options",                                     \
               .check = web_config_is_type_option, .expected = "nosniff")                          \
    WEB_HEADER(KEY, S, frame_options, "X-Frame-Options",                                           \
               .check = web_config_is_frame_option, .expected = "deny or sameorigin")              \
    WEB_HEADER(KEY, S, protection, "X-XSS-Protection",                                             \
               .check = web_config_is_header, .expected = "a text without line breaks")

#define WEB_HTTP_KEYS(KEY, S)                                                                      \
    KEY(S, boolean, http2, "http_server_config.http2", "true",                                     \
        .help = "Taken for other exporters' sake: HTTP/2 is offered, not asked for.")

#define WEB_USER_KEYS(KEY, S)                                                                      \
    KEY(S, map, users, "basic_auth_users", NULL, .most = WEB_USERS_MAX,                            \
        .check = web_config_is_user,                                                               \
        .expected = "a name without a colon (RFC 7617), and a bcrypt hash of a cost from 04 to 14, " \
                    "$2y$10$ and so on",                                                           \
        .help = "Names, and bcrypt hashes of passwords.")

#define WEB_RATE_KEYS(KEY, S)                                                                      \
    KEY(S, duration, rate_interval_ns, "rate_limit.interval", "0",                                 \
        .least = 0, .most = 3600 * NS_PER_SECOND, .expected = "a duration up to 1h, such as 1s",   \
        .help = "The time between two requests; 0: no limit.")                                     \
    KEY(S, number, rate_burst, "rate_limit.burst", "0", .least = 0, .most = 1000000,               \
        .expected = "a number up to 1000000",                                                      \
        .help = "Requests that may come at once.")
/* clang-format on */

struct web_headers {
    WEB_HEADER_KEYS(CONFIG_MEMBER, )
};

/** The settings of the file; all zero: plain HTTP for everybody. */
struct web_config {
    char *path;              /* owned */
    struct file_watch watch; /* since before it was read */
    struct tls_settings tls;
    struct web_headers headers;
    WEB_HTTP_KEYS(CONFIG_MEMBER, )
    WEB_USER_KEYS(CONFIG_MEMBER, ) /* "NAME:HASH" */
    WEB_RATE_KEYS(CONFIG_MEMBER, )
};

/** The file's keys, for the manual. */
extern const struct config_schema web_config_schema;

/** Of a struct web_headers: the name of a header is the last part of its row's key. */
extern const struct config_rows web_header_rows;

NONNULL bool web_config_is_header(const char *text);
NONNULL bool web_config_is_type_option(const char *text);
NONNULL bool web_config_is_frame_option(const char *text);
NONNULL bool web_config_is_user(const char *text);

/** Bcrypt's hashes say their cost in two digits after "$2y$". */
#define WEB_HASH_COST_AT 4

/** Read the file. Returns 0 and *config for web_config_deinit(), or -EINVAL and one line in *error
 *  that names file, line and key, or -ENOMEM. */
NONNULL MUST_USE int web_config_load(struct web_config *config, const char *path,
                                     struct text *error);

/** Free what the settings hold; all-zero ones are fine. */
NONNULL void web_config_deinit(struct web_config *config);

/** Add the settings to *out in YAML, with every secret as `<secret>`. */
NONNULL void web_config_print(const struct web_config *config, struct text *out);
