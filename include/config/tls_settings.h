/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tls_settings.h - what a configuration says of TLS
 */

#include <stdbool.h>
#include <stddef.h>

/** What a client has to show, in Go's words. */
enum tls_client_auth {
    TLS_CLIENT_AUTH_NONE,               /* NoClientCert */
    TLS_CLIENT_AUTH_REQUEST,            /* RequestClientCert: asked for, not looked at */
    TLS_CLIENT_AUTH_REQUIRE_ANY,        /* RequireAnyClientCert: no matter by whom */
    TLS_CLIENT_AUTH_VERIFY_IF_GIVEN,    /* VerifyClientCertIfGiven */
    TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY, /* RequireAndVerifyClientCert */
};

/** Something in PEM: in a file, or in the configuration itself. */
struct tls_pem {
    const char *key; /* "tls_server_config.cert_file", or NULL: there is none */
    char *path;      /* NULL where it is inline */
    char *text;      /* NULL where it is in a file */
    size_t line;     /* of the key */
};

/** All zero: no TLS. Strings are owned by the configuration. */
struct tls_settings {
    struct tls_pem cert, key, client_ca;
    enum tls_client_auth client_auth;
    char **allowed_sans; /* [allowed_san_count] */
    size_t allowed_san_count;
    unsigned min_version, max_version; /* 10 to 13: TLS 1.0 to 1.3 */
    bool server_precedence;            /* of cipher suites */
};
