/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_credentials.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

struct tls_credentials {
    const struct tls_settings *settings;
    const char *path; /* of the configuration, for errors */
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    time_t expiry;
};

static bool is_given(const struct tls_pem *pem)
{
    return pem->key[0] != '\0';
}

/* The error names file, line and key. */
static int tls_credentials_report(const struct tls_credentials *tls, const struct tls_pem *pem,
                                  const char *why, struct text *error)
{
    text_append_format(error, "%s:%zu: %s: %s%s%s", tls->path, pem->line, pem->key,
                       pem->path != NULL ? pem->path : "", pem->path != NULL ? ": " : "", why);
    return -EINVAL;
}

/* Certificates and keys are small; a file that never ends must not be read for ever. */
#define PEM_SIZE_MAX ((size_t)1024 * 1024)

/* Read the stream to its end. */
static int read_pem(FILE *stream, gnutls_datum_t *out)
{
    unsigned char *data = gnutls_malloc(PEM_SIZE_MAX);

    if (data == NULL) {
        return -ENOMEM;
    }
    *out = (gnutls_datum_t){data, (unsigned)fread(data, 1, PEM_SIZE_MAX, stream)};
    return ferror(stream) == 0 ? 0 : -EIO;
}

/* The caller ends *out with gnutls_free(). */
static int load_pem(const struct tls_credentials *tls, const struct tls_pem *pem,
                    gnutls_datum_t *out, struct text *error)
{
    struct text why = {0};
    FILE *stream;

    if (pem->text != NULL) {
        *out = (gnutls_datum_t){gnutls_malloc(strlen(pem->text)), (unsigned)strlen(pem->text)};
        if (out->data == NULL) {
            return -ENOMEM;
        }
        memcpy(out->data, pem->text, out->size);
        return 0;
    }
    int result = file_open_regular(pem->path, PEM_SIZE_MAX, &stream, &why);
    if (result == 0) {
        result = read_pem(stream, out);
        (void)fclose(stream);
        if (result < 0) {
            gnutls_free(out->data);
            text_append_format(&why, "%s: cannot be read", pem->path);
        }
    }
    if (result < 0 && result != -ENOMEM) {
        text_append_format(error, "%s:%zu: %s: %s", tls->path, pem->line, pem->key,
                           text_string(&why));
        result = -EINVAL;
    }
    text_deinit(&why);
    return result;
}

/* False where there is no certificate. */
static bool read_expiry(const gnutls_datum_t *pem, time_t *expiry)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    int result = gnutls_x509_crt_list_import2(&list, &count, pem, GNUTLS_X509_FMT_PEM, 0);

    for (unsigned i = 0; result >= 0 && i < count; i++) {
        time_t of_this = gnutls_x509_crt_get_expiration_time(list[i]);
        *expiry = i == 0 || of_this < *expiry ? of_this : *expiry;
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    return result >= 0 && count > 0;
}

static int load_certificate(struct tls_credentials *tls, struct text *error)
{
    const struct tls_settings *settings = tls->settings;
    gnutls_datum_t cert = {0};
    gnutls_datum_t key = {0};

    if (!is_given(&settings->pem_cert)) {
        return 0; /* a client needs none */
    }
    int result = load_pem(tls, &settings->pem_cert, &cert, error);

    if (result == 0 && !read_expiry(&cert, &tls->expiry)) {
        result = tls_credentials_report(tls, &settings->pem_cert, "not a certificate in PEM",
                                        error);
    }
    if (result == 0) {
        result = load_pem(tls, &settings->pem_key, &key, error);
    }
    if (result == 0) {
        int loaded = gnutls_certificate_set_x509_key_mem2(tls->credentials, &cert, &key,
                                                          GNUTLS_X509_FMT_PEM, NULL, 0);
        if (loaded < 0) {
            const char *why = loaded == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
                                  ? "not the key of the certificate"
                                  : "not a private key in PEM";
            result = tls_credentials_report(tls, &settings->pem_key, why, error);
        }
    }
    gnutls_free(cert.data);
    if (key.data != NULL) {
        gnutls_memset(key.data, 0, key.size);
    }
    gnutls_free(key.data);
    return result;
}

static bool verifies_clients(const struct tls_credentials *tls)
{
    return tls->settings->client_auth == TLS_CLIENT_AUTH_VERIFY_IF_GIVEN ||
           tls->settings->client_auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;
}

/* As Go's servers do. */
static int load_system_ca(struct tls_credentials *tls, struct text *error)
{
    if (gnutls_certificate_set_x509_system_trust(tls->credentials) > 0) {
        return 0;
    }
    text_append_format(error,
                       "%s: tls_server_config: no client_ca_file, and the system has no "
                       "authorities; the package ca-certificates has some",
                       tls->path);
    return -EINVAL;
}

static int load_ca(struct tls_credentials *tls, struct text *error)
{
    const struct tls_settings *settings = tls->settings;
    gnutls_datum_t ca = {0};

    if (!is_given(&settings->pem_ca)) {
        return verifies_clients(tls) ? load_system_ca(tls, error) : 0;
    }
    int result = load_pem(tls, &settings->pem_ca, &ca, error);
    if (result == 0 &&
        gnutls_certificate_set_x509_trust_mem(tls->credentials, &ca, GNUTLS_X509_FMT_PEM) <= 0) {
        result = tls_credentials_report(tls, &settings->pem_ca, "not a certificate in PEM", error);
    }
    gnutls_free(ca.data);
    return result;
}

static bool is_allowed(const struct tls_credentials *tls, const char *name)
{
    for (size_t i = 0; i < tls->settings->allowed_sans.count; i++) {
        if (strcmp(tls->settings->allowed_sans.items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The name as the list has it; an address in text. */
static bool is_allowed_san(const struct tls_credentials *tls, unsigned type, const char *name,
                           size_t len)
{
    char text[INET6_ADDRSTRLEN];

    if (type == GNUTLS_SAN_IPADDRESS) {
        return (len == 4 || len == 16) &&
               inet_ntop(len == 4 ? AF_INET : AF_INET6, name, text, sizeof text) != NULL &&
               is_allowed(tls, text);
    }
    return (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME ||
            type == GNUTLS_SAN_URI) &&
           strnlen(name, len) == len && is_allowed(tls, name);
}

#define SAN_SIZE 1024 /* chosen: longer than a DNS name (255) and common URIs */

static bool has_allowed_san(const struct tls_credentials *tls, gnutls_x509_crt_t certificate)
{
    for (unsigned i = 0;; i++) {
        char name[SAN_SIZE + 1] = "";
        size_t len = SAN_SIZE;
        unsigned type = 0;
        int result = gnutls_x509_crt_get_subject_alt_name2(certificate, i, name, &len, &type, NULL);

        if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            return false;
        }
        if (result >= 0 && is_allowed_san(tls, type, name, len)) {
            return true;
        }
    }
}

static bool is_peer_allowed(const struct tls_credentials *tls, const gnutls_datum_t *der)
{
    gnutls_x509_crt_t certificate;

    if (tls->settings->allowed_sans.count == 0) {
        return true;
    }
    if (gnutls_x509_crt_init(&certificate) < 0) {
        return false;
    }
    bool allowed = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 &&
                   has_allowed_san(tls, certificate);
    gnutls_x509_crt_deinit(certificate);
    return allowed;
}

/* The alert may not fit into the socket, whose peer has read nothing then. */
static int refuse(gnutls_session_t session, enum tls_failure why, gnutls_alert_description_t alert)
{
    struct tls_session *ours = gnutls_session_get_ptr(session);

    ours->failure = why;
    (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/* The peer has no certificate, and has to have one. */
static int refuse_without_certificate(gnutls_session_t session)
{
    bool is_tls13 = gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;

    return refuse(session, TLS_FAILURE_NO_CERTIFICATE,
                  is_tls13 ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE);
}

/* What is wrong with the peer's certificate by its authorities, its time, and for a client its name
 * (RFC 5280 section 6, RFC 6125). */
static enum tls_failure verify_certificate(gnutls_session_t session,
                                           const struct tls_settings *settings)
{
    const char *purpose = settings->is_client ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st expected[] = {
        {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)purpose},
        {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)settings->server_name},
    };
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, expected, settings->is_client ? 2 : 1, &status) <
        0) {
        return TLS_FAILURE_CERTIFICATE;
    }
    return (status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0 ? TLS_FAILURE_UNKNOWN_CA
           : (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) != 0 ? TLS_FAILURE_EXPIRED
           : (status & GNUTLS_CERT_UNEXPECTED_OWNER) != 0                      ? TLS_FAILURE_NAME
           : status != 0 ? TLS_FAILURE_CERTIFICATE
                         : TLS_FAILURE_NONE;
}

static int refuse_certificate(gnutls_session_t session, enum tls_failure why)
{
    return refuse(session, why,
                  why == TLS_FAILURE_UNKNOWN_CA ? GNUTLS_A_UNKNOWN_CA
                  : why == TLS_FAILURE_EXPIRED  ? GNUTLS_A_CERTIFICATE_EXPIRED
                                                : GNUTLS_A_BAD_CERTIFICATE);
}

/* Called in the handshake; anything but 0 ends it. */
static int verify_peer(gnutls_session_t session)
{
    const struct tls_session *ours = gnutls_session_get_ptr(session);
    const struct tls_credentials *tls = ours->credentials;
    enum tls_client_auth asked = tls->settings->client_auth;
    bool requires = asked == TLS_CLIENT_AUTH_REQUIRE_ANY ||
                    asked == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;
    enum tls_failure failure = TLS_FAILURE_NONE;
    unsigned count = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &count);

    if (peers == NULL || count == 0) {
        return requires || tls->settings->is_client ? refuse_without_certificate(session) : 0;
    }
    if (verifies_clients(tls) || tls->settings->is_client) {
        failure = verify_certificate(session, tls->settings);
    }
    if (failure == TLS_FAILURE_NONE && !is_peer_allowed(tls, &peers[0])) {
        failure = TLS_FAILURE_NAME;
    }
    return failure == TLS_FAILURE_NONE ? 0 : refuse_certificate(session, failure);
}

/* --- The version that a client offers --- */

#define EXTENSION_SUPPORTED_VERSIONS 43 /* RFC 8446 section 4.2 */
#define VERSION_TLS10                0x0301

static unsigned version_at(const unsigned char *data)
{
    return (unsigned)data[0] << 8 | data[1];
}

struct offer {
    unsigned least, most; /* that are taken */
    bool is_list;         /* the client lists its versions */
    bool fits;            /* one of them is taken */
};

/* Versions that are not known, among them grease (RFC 8701), do not fit. */
static int note_offered(void *context, unsigned type, const unsigned char *data, unsigned size)
{
    struct offer *offer = context;

    if (type == EXTENSION_SUPPORTED_VERSIONS) {
        offer->is_list = true;
        for (unsigned i = 1; i + 1 < size; i += 2) {
            unsigned version = version_at(data + i);
            offer->fits |= version >= offer->least && version <= offer->most;
        }
    }
    return 0;
}

/* Without a list the hello names the newest one, and all before it are offered. */
static bool offers_version(const struct tls_settings *settings, const gnutls_datum_t *hello)
{
    struct offer offer = {
        .least = VERSION_TLS10 + settings->min_version,
        .most = VERSION_TLS10 + settings->max_version,
    };

    (void)gnutls_ext_raw_parse(&offer, note_offered, hello, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
    return offer.is_list ? offer.fits : hello->size < 2 || version_at(hello->data) >= offer.least;
}

/* Called before each message of the handshake is processed, and after. */
static int note_handshake(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                          const gnutls_datum_t *message)
{
    struct tls_session *ours = gnutls_session_get_ptr(session);
    bool is_hello = type == GNUTLS_HANDSHAKE_CLIENT_HELLO || type == GNUTLS_HANDSHAKE_SERVER_HELLO;

    if (incoming != 0 && is_hello && when == GNUTLS_HOOK_PRE) {
        ours->state = TLS_HANDSHAKE;
        if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO &&
            !offers_version(ours->credentials->settings, message)) {
            return refuse(session, TLS_FAILURE_VERSION, GNUTLS_A_PROTOCOL_VERSION);
        }
    } else if (incoming != 0 && type == GNUTLS_HANDSHAKE_FINISHED && when == GNUTLS_HOOK_POST) {
        ours->state = TLS_OPEN;
    }
    return 0;
}

static int set_priority(struct tls_credentials *tls)
{
    const struct tls_settings *settings = tls->settings;
    struct text priority = {0};

    text_append_string(&priority, "NORMAL:-VERS-ALL");
    for (unsigned i = settings->max_version + 1; i > settings->min_version; i--) {
        text_append_format(&priority, ":+VERS-TLS1.%u", i - 1);
    }
    text_append_string(&priority, settings->server_precedence ? ":%SERVER_PRECEDENCE" : "");
    int result = priority.failed ? GNUTLS_E_MEMORY_ERROR
                                 : gnutls_priority_init(&tls->priority, priority.data, NULL);
    text_deinit(&priority);
    return result < 0 ? -ENOMEM : 0;
}

int tls_credentials_create(struct tls_credentials **out, const struct tls_settings *settings,
                           const char *path, struct text *error)
{
    struct tls_credentials *tls = calloc(1, sizeof *tls);

    if (tls == NULL) {
        return -ENOMEM;
    }
    tls->settings = settings;
    tls->path = path;
    int result = gnutls_certificate_allocate_credentials(&tls->credentials) < 0 ? -ENOMEM : 0;
    if (result == 0) {
        gnutls_certificate_set_verify_function(tls->credentials, verify_peer);
        result = load_certificate(tls, error);
    }
    if (result == 0) {
        result = load_ca(tls, error);
    }
    if (result == 0) {
        result = set_priority(tls);
    }
    if (result < 0) {
        tls_credentials_free(tls);
        return result;
    }
    *out = tls;
    return 0;
}

void tls_credentials_free(struct tls_credentials *tls)
{
    if (tls == NULL) {
        return;
    }
    if (tls->credentials != NULL) {
        gnutls_certificate_free_credentials(tls->credentials);
    }
    if (tls->priority != NULL) {
        gnutls_priority_deinit(tls->priority);
    }
    free(tls);
}

int64_t tls_credentials_expiry(const struct tls_credentials *tls)
{
    return tls->expiry;
}

/* What the server may choose its certificate by (RFC 6066 section 3): a name, and no address. */
static void offer_server_name(const struct tls_settings *settings, gnutls_session_t session)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char *name = settings->server_name;

    if (inet_pton(AF_INET, name, address) != 1 && inet_pton(AF_INET6, name, address) != 1) {
        (void)gnutls_server_name_set(session, GNUTLS_NAME_DNS, name, strlen(name));
    }
}

void tls_credentials_begin_session(struct tls_credentials *tls, struct tls_session *session,
                                   void *gnutls_session)
{
    bool asks = tls->settings->client_auth != TLS_CLIENT_AUTH_NONE;

    *session = (struct tls_session){.credentials = tls};
    gnutls_session_set_ptr(gnutls_session, session);
    (void)gnutls_priority_set(gnutls_session, tls->priority);
    (void)gnutls_credentials_set(gnutls_session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    if (tls->settings->is_client) {
        offer_server_name(tls->settings, gnutls_session);
    } else { /* whether one is required verify_peer() sees to, which sends an alert */
        gnutls_certificate_server_set_request(gnutls_session,
                                              asks ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
    }
    gnutls_handshake_set_hook_function(gnutls_session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH,
                                       note_handshake);
}

static int no_certificate(gnutls_session_t session, const gnutls_datum_t *ca_names,
                          int ca_name_count, const gnutls_pk_algorithm_t *algorithms,
                          int algorithm_count, gnutls_pcert_st **certificate,
                          unsigned *certificate_count, gnutls_privkey_t *key)
{
    (void)session;
    (void)ca_names;
    (void)ca_name_count;
    (void)algorithms;
    (void)algorithm_count;
    *certificate = NULL;
    *certificate_count = 0;
    *key = NULL;
    return -1;
}

void *tls_credentials_no_certificate(void)
{
    return (void *)(uintptr_t)no_certificate;
}
