/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tls_settings.h - the keys of a TLS server, in the words of Prometheus' exporters
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "config/config.h"

/** What a client has to show, in Go's words. */
enum tls_client_auth {
    TLS_CLIENT_AUTH_NONE,               /* NoClientCert */
    TLS_CLIENT_AUTH_REQUEST,            /* RequestClientCert: asked for, not looked at */
    TLS_CLIENT_AUTH_REQUIRE_ANY,        /* RequireAnyClientCert: no matter by whom */
    TLS_CLIENT_AUTH_VERIFY_IF_GIVEN,    /* VerifyClientCertIfGiven */
    TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY, /* RequireAndVerifyClientCert */
};

extern const char *const tls_client_auth_words[], *const tls_version_words[]; /* then NULL */

#define TLS_ALLOWED_SANS_MAX 1000 /* chosen */

/* clang-format off */
/** `section` is what the keys begin with: "tls_server_config." */
#define TLS_KEYS(KEY, S, section)                                                                  \
    KEY(S, string, cert_file, section "cert_file", NULL,                                           \
        .help = "The certificate, with its chain, in PEM.")                                        \
    KEY(S, string, cert, section "cert", NULL, .secret = true,                                     \
        .help = "The same, inline.")                                                               \
    KEY(S, string, key_file, section "key_file", NULL,                                             \
        .help = "The certificate's private key, in PEM.")                                          \
    KEY(S, string, key, section "key", NULL, .secret = true,                                       \
        .help = "The same, inline.")                                                               \
    KEY(S, string, client_ca_file, section "client_ca_file", NULL,                                 \
        .help = "The authorities that clients' certificates are verified by, in PEM. Without any, " \
                "those of the system.")                                                            \
    KEY(S, string, client_ca, section "client_ca", NULL, .secret = true,                           \
        .help = "The same, inline.")                                                               \
    KEY(S, choice, client_auth, section "client_auth_type", "NoClientCert",                        \
        .words = tls_client_auth_words,                                                            \
        .help = "What a client has to show.")                                                      \
    KEY(S, strings, allowed_sans, section "client_allowed_sans", NULL,                             \
        .most = TLS_ALLOWED_SANS_MAX,                                                              \
        .help = "Names of which a client's certificate has to have one.")                          \
    KEY(S, choice, min_version, section "min_version", "TLS12", .words = tls_version_words,        \
        .help = "The oldest version of TLS.")                                                      \
    KEY(S, choice, max_version, section "max_version", "TLS13", .words = tls_version_words,        \
        .help = "The newest version of TLS.")                                                      \
    KEY(S, boolean, server_precedence, section "prefer_server_cipher_suites", "true",              \
        .help = "Whether the server's order of cipher suites counts.")                             \
    KEY(S, refused, cert_file, section "cipher_suites", NULL,                                      \
        .expected = "not to be chosen here: GnuTLS's own order is used")                           \
    KEY(S, refused, cert_file, section "curve_preferences", NULL,                                  \
        .expected = "not to be chosen here: GnuTLS's own order is used")
/* clang-format on */

/** Something in PEM, for messages: the key that has it, and its line. */
struct tls_pem {
    const char *key;  /* "tls_server_config.cert_file"; NULL: there is none */
    size_t line;      /* of the key */
    const char *path; /* NULL if it is inline; borrowed from the settings, as `text` */
    const char *text; /* NULL if it is in a file */
};

/** Without a certificate: no TLS. */
struct tls_settings {
    TLS_KEYS(CONFIG_MEMBER, , "")
    struct tls_pem pem_cert, pem_key, pem_client_ca;
};

/** Check what has to go together, and complete the settings: paths are relative to the file that
 *  has them. `section` is "tls_server_config", and `rows` are its keys. For a section's check. */
NONNULL MUST_USE int tls_settings_check(const struct config_check *check, const char *section,
                                        const struct config_rows *rows,
                                        struct tls_settings *settings);
