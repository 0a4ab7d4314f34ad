/* SPDX-License-Identifier: Apache-2.0 */
#include "http/web_security.h"

#include <arpa/inet.h>
#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "web_security_internal.h"

#define KEY_SIZE    32
#define DIGEST_SIZE 32 /* of HMAC-SHA-256 */

/* A user's password, once it has been verified. */
struct memory {
    bool known;
    unsigned char digest[DIGEST_SIZE];
};

struct web_security {
    atomic_uint holders;
    struct web_config config;
    gnutls_certificate_credentials_t credentials; /* NULL without TLS */
    gnutls_priority_t priority;
    const char *costliest;       /* the hash that takes longest, for users that do not exist */
    unsigned char key[KEY_SIZE]; /* of the digests */
    struct crypt_data crypt;     /* of the thread that verifies */
    pthread_mutex_t lock;        /* over the rest */
    struct memory *memories;     /* [config.user_count] */
    uint64_t rate_credit_ns;
    uint64_t rate_seen_ns;
};

/* --- Certificates --- */

static int complain(const struct web_config *config, const struct web_pem *pem, const char *why,
                    struct text *error)
{
    text_add_format(error, "%s:%zu: %s: %s%s%s", config->path, pem->line, pem->key,
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
static int load_pem(const struct web_config *config, const struct web_pem *pem, gnutls_datum_t *out,
                    struct text *error)
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
        if (result == -EIO) {
            gnutls_free(out->data);
            text_add_format(&why, "%s: cannot be read", pem->path);
        }
    }
    if (result < 0 && result != -ENOMEM) {
        text_add_format(error, "%s:%zu: %s: %s", config->path, pem->line, pem->key,
                        text_string(&why));
        result = -EINVAL;
    }
    text_deinit(&why);
    return result;
}

static bool is_certificate(const gnutls_datum_t *pem)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    int result = gnutls_x509_crt_list_import2(&list, &count, pem, GNUTLS_X509_FMT_PEM, 0);

    for (unsigned i = 0; result >= 0 && i < count; i++) {
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    return result >= 0 && count > 0;
}

static int load_certificate(struct web_security *security, struct text *error)
{
    const struct web_config *config = &security->config;
    gnutls_datum_t cert = {0};
    gnutls_datum_t key = {0};
    int result = load_pem(config, &config->cert, &cert, error);

    if (result == 0 && !is_certificate(&cert)) {
        result = complain(config, &config->cert, "not a certificate in PEM", error);
    }
    if (result == 0) {
        result = load_pem(config, &config->key, &key, error);
    }
    if (result == 0) {
        int loaded = gnutls_certificate_set_x509_key_mem2(security->credentials, &cert, &key,
                                                          GNUTLS_X509_FMT_PEM, NULL, 0);
        if (loaded < 0) {
            const char *why = loaded == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
                                  ? "not the key of the certificate"
                                  : "not a private key in PEM";
            result = complain(config, &config->key, why, error);
        }
    }
    gnutls_free(cert.data);
    if (key.data != NULL) {
        gnutls_memset(key.data, 0, key.size);
    }
    gnutls_free(key.data);
    return result;
}

static int load_client_ca(struct web_security *security, struct text *error)
{
    const struct web_config *config = &security->config;
    gnutls_datum_t ca = {0};

    if (config->client_ca.key == NULL) {
        return 0;
    }
    int result = load_pem(config, &config->client_ca, &ca, error);
    if (result == 0 && gnutls_certificate_set_x509_trust_mem(security->credentials, &ca,
                                                             GNUTLS_X509_FMT_PEM) <= 0) {
        result = complain(config, &config->client_ca, "not a certificate in PEM", error);
    }
    gnutls_free(ca.data);
    return result;
}

static bool is_allowed(const struct web_security *security, const char *name)
{
    for (size_t i = 0; i < security->config.allowed_san_count; i++) {
        if (strcmp(security->config.allowed_sans[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The name as the list has it; an address in text. */
static bool is_allowed_san(const struct web_security *security, unsigned type, const char *name,
                           size_t len)
{
    char text[INET6_ADDRSTRLEN];

    if (type == GNUTLS_SAN_IPADDRESS) {
        return (len == 4 || len == 16) &&
               inet_ntop(len == 4 ? AF_INET : AF_INET6, name, text, sizeof text) != NULL &&
               is_allowed(security, text);
    }
    return (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME ||
            type == GNUTLS_SAN_URI) &&
           strnlen(name, len) == len && is_allowed(security, name);
}

#define SAN_SIZE 1024

static bool has_allowed_san(const struct web_security *security, gnutls_x509_crt_t certificate)
{
    for (unsigned i = 0;; i++) {
        char name[SAN_SIZE + 1] = "";
        size_t len = SAN_SIZE;
        unsigned type = 0;
        int result = gnutls_x509_crt_get_subject_alt_name2(certificate, i, name, &len, &type, NULL);

        if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            return false;
        }
        if (result >= 0 && is_allowed_san(security, type, name, len)) {
            return true;
        }
    }
}

static bool is_peer_allowed(const struct web_security *security, const gnutls_datum_t *der)
{
    gnutls_x509_crt_t certificate;

    if (security->config.allowed_san_count == 0) {
        return true;
    }
    if (gnutls_x509_crt_init(&certificate) < 0) {
        return false;
    }
    bool allowed = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 &&
                   has_allowed_san(security, certificate);
    gnutls_x509_crt_deinit(certificate);
    return allowed;
}

static bool is_peer_genuine(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
    };
    unsigned status = 0;

    return gnutls_certificate_verify_peers(session, &purpose, 1, &status) >= 0 && status == 0;
}

/* Called in the handshake; anything but 0 ends it. That there is a certificate where one is
 * required GnuTLS sees to. */
static int verify_client(gnutls_session_t session)
{
    const struct web_security *security = gnutls_session_get_ptr(session);
    bool verifies = security->config.client_auth == WEB_CLIENT_AUTH_VERIFY_IF_GIVEN ||
                    security->config.client_auth == WEB_CLIENT_AUTH_REQUIRE_AND_VERIFY;
    unsigned count = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &count);

    if (peers == NULL || count == 0) {
        return 0;
    }
    return (!verifies || is_peer_genuine(session)) && is_peer_allowed(security, &peers[0])
               ? 0
               : GNUTLS_E_CERTIFICATE_ERROR;
}

static int set_priority(struct web_security *security)
{
    const struct web_config *config = &security->config;
    struct text priority = {0};

    text_add_string(&priority, "NORMAL:-VERS-ALL");
    for (unsigned version = config->tls_max; version >= config->tls_min; version--) {
        text_add_format(&priority, ":+VERS-TLS1.%u", version % 10);
    }
    text_add_string(&priority, config->server_precedence ? ":%SERVER_PRECEDENCE" : "");
    int result = priority.failed ? GNUTLS_E_MEMORY_ERROR
                                 : gnutls_priority_init(&security->priority, priority.data, NULL);
    text_deinit(&priority);
    return result < 0 ? -ENOMEM : 0;
}

static int create_tls(struct web_security *security, struct text *error)
{
    if (security->config.cert.key == NULL) {
        return 0;
    }
    if (gnutls_certificate_allocate_credentials(&security->credentials) < 0) {
        return -ENOMEM;
    }
    gnutls_certificate_set_verify_function(security->credentials, verify_client);
    int result = load_certificate(security, error);
    if (result == 0) {
        result = load_client_ca(security, error);
    }
    return result == 0 ? set_priority(security) : result;
}

bool web_security_has_tls(const struct web_security *security)
{
    return security->credentials != NULL;
}

void web_security_begin_session(struct web_security *security, gnutls_session_t session)
{
    static const gnutls_certificate_request_t requests[] = {
        [WEB_CLIENT_AUTH_NONE] = GNUTLS_CERT_IGNORE,
        [WEB_CLIENT_AUTH_REQUEST] = GNUTLS_CERT_REQUEST,
        [WEB_CLIENT_AUTH_REQUIRE_ANY] = GNUTLS_CERT_REQUIRE,
        [WEB_CLIENT_AUTH_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
        [WEB_CLIENT_AUTH_REQUIRE_AND_VERIFY] = GNUTLS_CERT_REQUIRE,
    };

    gnutls_session_set_ptr(session, security);
    (void)gnutls_priority_set(session, security->priority);
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, security->credentials);
    gnutls_certificate_server_set_request(session, requests[security->config.client_auth]);
}

/* --- Users --- */

/* Bcrypt's hashes say their cost in two digits after "$2y$". */
#define COST_AT 4

static int create_users(struct web_security *security)
{
    const struct web_config *config = &security->config;

    security->memories = calloc(config->user_count + 1, sizeof *security->memories);
    if (security->memories == NULL || gnutls_rnd(GNUTLS_RND_KEY, security->key, KEY_SIZE) < 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->user_count; i++) {
        const char *hash = config->users[i].hash;
        if (security->costliest == NULL ||
            strncmp(hash + COST_AT, security->costliest + COST_AT, 2) > 0) {
            security->costliest = hash;
        }
    }
    return 0;
}

bool web_security_has_users(const struct web_security *security)
{
    return security->config.user_count > 0;
}

/* The user's number, or user_count where there is none; looks at all of them in either case. */
static size_t find_user(const struct web_security *security, const char *name)
{
    size_t found = security->config.user_count;

    for (size_t i = 0; i < security->config.user_count; i++) {
        if (strcmp(security->config.users[i].name, name) == 0) {
            found = i;
        }
    }
    return found;
}

static bool digest_of(const struct web_security *security, const char *password,
                      unsigned char out[DIGEST_SIZE])
{
    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, security->key, KEY_SIZE, password, strlen(password),
                            out) >= 0;
}

bool web_security_remembers(struct web_security *security, const char *user, const char *password)
{
    unsigned char digest[DIGEST_SIZE];
    size_t found = find_user(security, user);

    if (found == security->config.user_count || !digest_of(security, password, digest)) {
        return false;
    }
    const struct memory *memory = &security->memories[found];
    (void)pthread_mutex_lock(&security->lock);
    bool same = memory->known && gnutls_memcmp(digest, memory->digest, DIGEST_SIZE) == 0;
    (void)pthread_mutex_unlock(&security->lock);
    return same;
}

static void remember(struct web_security *security, size_t user, const char *password)
{
    struct memory memory = {.known = true};

    if (digest_of(security, password, memory.digest)) {
        (void)pthread_mutex_lock(&security->lock);
        security->memories[user] = memory;
        (void)pthread_mutex_unlock(&security->lock);
    }
}

bool web_security_verify(struct web_security *security, const char *user, const char *password)
{
    size_t found = find_user(security, user);
    bool exists = found < security->config.user_count;
    const char *hash = exists ? security->config.users[found].hash : security->costliest;
    const char *made = crypt_rn(password, hash, &security->crypt, sizeof security->crypt);
    bool right = exists && made != NULL && strlen(made) == strlen(hash) &&
                 gnutls_memcmp(made, hash, strlen(hash)) == 0;

    if (right) {
        remember(security, found, password);
    }
    return right;
}

static bool same_user(const struct web_user *a, const struct web_user *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->hash, b->hash) == 0;
}

void web_security_inherit(struct web_security *security, struct web_security *from)
{
    memcpy(security->key, from->key, KEY_SIZE);
    (void)pthread_mutex_lock(&from->lock);
    for (size_t i = 0; i < security->config.user_count; i++) {
        for (size_t j = 0; j < from->config.user_count; j++) {
            if (same_user(&security->config.users[i], &from->config.users[j])) {
                security->memories[i] = from->memories[j];
            }
        }
    }
    (void)pthread_mutex_unlock(&from->lock);
}

void web_security_print(const struct web_security *security, struct text *out)
{
    web_config_print(&security->config, out);
}

/* --- Rate --- */

static uint64_t rate_credit_max(const struct web_security *security)
{
    return security->config.rate_interval_ns * security->config.rate_burst;
}

/* A token bucket that is full at first; what is in it is counted in time. */
bool web_security_admits(struct web_security *security)
{
    uint64_t interval_ns = security->config.rate_interval_ns;

    if (interval_ns == 0) {
        return true;
    }
    (void)pthread_mutex_lock(&security->lock);
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t credit_ns = security->rate_credit_ns + (now_ns - security->rate_seen_ns);
    security->rate_seen_ns = now_ns;
    security->rate_credit_ns = credit_ns < rate_credit_max(security) ? credit_ns
                                                                     : rate_credit_max(security);
    bool admitted = security->rate_credit_ns >= interval_ns;
    security->rate_credit_ns -= admitted ? interval_ns : 0;
    (void)pthread_mutex_unlock(&security->lock);
    return admitted;
}

/* --- Headers --- */

void web_security_add_headers(const struct web_security *security, struct MHD_Response *response,
                              const char *policy)
{
    for (size_t i = 0; i < security->config.header_count; i++) {
        const struct web_header *header = &security->config.headers[i];
        if (strcmp(header->name, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY) == 0) {
            policy = NULL;
        }
        (void)MHD_add_response_header(response, header->name, header->value);
    }
    if (policy != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, policy);
    }
}

/* --- All together --- */

int web_security_create(struct web_security **out, struct web_config *config, struct text *error)
{
    struct web_security *security = calloc(1, sizeof *security);

    if (security == NULL) {
        return -ENOMEM;
    }
    atomic_init(&security->holders, 1);
    (void)pthread_mutex_init(&security->lock, NULL);
    security->config = *config;
    *config = (struct web_config){0};
    security->rate_credit_ns = rate_credit_max(security);
    security->rate_seen_ns = clock_monotonic_ns();
    int result = create_tls(security, error);
    if (result == 0) {
        result = create_users(security);
    }
    if (result < 0) {
        web_security_release(security);
        return result;
    }
    *out = security;
    return 0;
}

struct web_security *web_security_keep(struct web_security *security)
{
    atomic_fetch_add_explicit(&security->holders, 1, memory_order_relaxed);
    return security;
}

void web_security_release(struct web_security *security)
{
    if (security == NULL ||
        atomic_fetch_sub_explicit(&security->holders, 1, memory_order_acq_rel) > 1) {
        return;
    }
    web_config_deinit(&security->config);
    free(security->memories);
    if (security->credentials != NULL) {
        gnutls_certificate_free_credentials(security->credentials);
    }
    if (security->priority != NULL) {
        gnutls_priority_deinit(security->priority);
    }
    (void)pthread_mutex_destroy(&security->lock);
    free(security);
}
