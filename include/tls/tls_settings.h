/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tls_settings.h - the keys of a TLS server or client, in the words of Prometheus' exporters
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

/** Each then NULL; the stream's first one is "", which stands for TLS12. */
extern const char *const tls_client_auth_words[], *const tls_version_words[],
                                                      *const tls_stream_version_words[];

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
/** Of a stream of frames, in the entry of a list, whose struct has a struct tls_settings `tls`. */
#define TLS_STREAM_CERTIFICATE_KEYS(KEY, S)                                                        \
    KEY(S, string, tls.cert_file, "tls.cert_file", NULL, .example = "/etc/dnstap_exporter/cert.pem", \
        .help = "This program's certificate, with its chain, in PEM. An input with tcp takes connections by TLS " \
                "only then; where this program connects it is a client certificate. A changed file is read again.") \
    KEY(S, string, tls.key_file, "tls.key_file", NULL, .example = "/etc/dnstap_exporter/key.pem",  \
        .help = "The certificate's private key, in PEM.")

/** Where servers connect; `needed` is the key of the endpoint. */
#define TLS_STREAM_SERVER_KEYS(KEY, S, needed)                                                     \
    KEY(S, string, tls.client_ca_file, "tls.client_ca_file", NULL,                                 \
        .example = "/etc/dnstap_exporter/client-ca.pem", .needs = needed,                          \
        .help = "With this key a client needs a certificate, which these authorities verify, in PEM.") \
    KEY(S, strings, tls.allowed_sans, "tls.client_allowed_sans", NULL,                             \
        .example = "[ns1.example]", .needs = "tls.client_ca_file", .most = TLS_ALLOWED_SANS_MAX,                 \
        .help = "Names of which a client's certificate has to have one.")

/** Where this program connects. */
#define TLS_STREAM_CLIENT_KEYS(KEY, S, needed)                                                     \
    KEY(S, string, tls.ca_file, "tls.ca_file", NULL, .example = "/etc/dnstap_exporter/ca.pem",     \
        .needs = needed,                                                                           \
        .help = "The authorities that verify the certificate of whom this program connects to, in PEM.") \
    KEY(S, string, tls.server_name, "tls.server_name", NULL, .example = "ns1.example",             \
        .needs = needed,                                                                           \
        .help = "The name that this certificate has to have. Without this key it is the address.")

#define TLS_STREAM_VERSION_KEYS(KEY, S)                                                            \
    KEY(S, choice, tls.stream_version, "tls.min_version", NULL, .example = "TLS12",                \
        .words = tls_stream_version_words, .expected = "TLS12 or TLS13",                           \
        .help = "The oldest version of TLS. Without this key TLS12.")
/* clang-format on */

/** Something in PEM, for messages: the key that has it, and its line. */
struct tls_pem {
    char key[48];     /* "inputs[1].tls.cert_file"; "": there is none */
    size_t line;      /* of the key */
    const char *path; /* NULL if it is inline; borrowed from the settings, as `text` */
    const char *text; /* NULL if it is in a file */
};

/** Of a server, of a client, or of neither: all zero. */
struct tls_settings {
    TLS_KEYS(CONFIG_MEMBER, , "")
    struct tls_pem pem_cert, pem_key, pem_ca;
    /* Of a stream, whose keys are not all of the above. */
    char *ca_file, *server_name;
    unsigned stream_version; /* of tls_stream_version_words */
    bool is_client;
};

/** Check what has to go together, and complete the settings: paths are relative to the file that
 *  has them. `section` is "tls_server_config", and `rows` are its keys. For a section's check. */
NONNULL MUST_USE int tls_settings_check(const struct config_check *check, const char *section,
                                        const struct config_rows *rows,
                                        struct tls_settings *settings);

/** What the TLS of a stream may be. */
enum tls_role {
    TLS_ROLE_NONE,          /* no TLS: a `tls` is a mistake */
    TLS_ROLE_SERVER,        /* TLS, where there is a `tls` */
    TLS_ROLE_CLIENT,        /* the same, of who connects */
    TLS_ROLE_CLIENT_ALWAYS, /* a `tls` has to be there */
};

/** The same for the mapping `tls` of a list's entry, "inputs[1]". */
NONNULL MUST_USE int tls_settings_check_stream(const struct config_check *check, const char *entry,
                                               enum tls_role role, struct tls_settings *settings);

/** Whether there is TLS. */
NONNULL bool tls_settings_are_on(const struct tls_settings *settings);

/** Whether both stand for the same TLS. */
NONNULL bool tls_settings_equal(const struct tls_settings *a, const struct tls_settings *b);

/** Copy the settings of a stream. Returns 0 and *out for tls_settings_deinit(), or -ENOMEM. */
NONNULL MUST_USE int tls_settings_copy(const struct tls_settings *settings,
                                       struct tls_settings *out);

/** Free a copy. */
NONNULL void tls_settings_deinit(struct tls_settings *settings);
