/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_config.h - the file of --web.config.file: TLS, users and headers of the web server
 *
 * The format is that of Prometheus' exporters (exporter-toolkit's web configuration), so that one
 * file serves them all and `promtool check web-config` checks it.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/text.h"

/** What a client has to show, in Go's words. */
enum web_client_auth {
    WEB_CLIENT_AUTH_NONE,               /* NoClientCert */
    WEB_CLIENT_AUTH_REQUEST,            /* RequestClientCert: asked for, not looked at */
    WEB_CLIENT_AUTH_REQUIRE_ANY,        /* RequireAnyClientCert: no matter by whom */
    WEB_CLIENT_AUTH_VERIFY_IF_GIVEN,    /* VerifyClientCertIfGiven */
    WEB_CLIENT_AUTH_REQUIRE_AND_VERIFY, /* RequireAndVerifyClientCert */
};

/** Something in PEM: in a file, or in the configuration itself. */
struct web_pem {
    const char *key; /* "tls_server_config.cert_file", or NULL: there is none */
    char *path;      /* NULL where it is inline */
    char *text;      /* NULL where it is in a file */
    size_t line;     /* of the key */
};

#define WEB_HEADERS_MAX 5

struct web_header {
    char *name, *value;
};

struct web_user {
    char *name;
    char *hash; /* bcrypt's, "$2y$10$..." */
};

/** The settings of the file; all zero: plain HTTP for everybody. Strings are owned. */
struct web_config {
    char *path;
    struct web_pem cert, key, client_ca;
    enum web_client_auth client_auth;
    char **allowed_sans; /* [allowed_san_count] */
    size_t allowed_san_count;
    unsigned tls_min, tls_max; /* 10 to 13: TLS 1.0 to 1.3 */
    bool server_precedence;    /* of cipher suites */
    struct web_header headers[WEB_HEADERS_MAX];
    size_t header_count;
    struct web_user *users; /* [user_count] */
    size_t user_count;
    uint64_t rate_interval_ns; /* between two requests; 0: no limit */
    unsigned rate_burst;
};

/** Read the file. Returns 0 and *config for web_config_deinit(), or -EINVAL and one line in *error
 *  that names file, line and key, or -ENOMEM. */
NONNULL MUST_USE int web_config_load(struct web_config *config, const char *path,
                                     struct text *error);

/** Free what the settings hold; all-zero ones are fine. */
NONNULL void web_config_deinit(struct web_config *config);

/** Add the settings to *out in YAML, with every secret as `<secret>`. */
NONNULL void web_config_print(const struct web_config *config, struct text *out);
