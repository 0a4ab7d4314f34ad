/* SPDX-License-Identifier: Apache-2.0 */
#include "http/web_security.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tls/tls_credentials.h"
#include "web_security_internal.h"

#define KEY_SIZE    32 /* bytes of a key of HMAC-SHA-256 */
#define DIGEST_SIZE 32 /* of HMAC-SHA-256 */

/* A user's password, once it has been verified. */
struct memory {
    bool known;
    unsigned char digest[DIGEST_SIZE];
};

struct web_security {
    atomic_uint holders;
    struct web_config config;
    struct tls_credentials *tls; /* NULL: HTTP without TLS */
    const char *slowest_hash;    /* the hash that takes longest, for users that do not exist */
    unsigned char key[KEY_SIZE]; /* of the digests */
    struct crypt_data crypt;     /* of the thread that verifies */
    pthread_mutex_t lock;        /* over the rest */
    struct memory *memories;     /* [config.user_count] */
    uint64_t rate_credit_ns;
    uint64_t rate_seen_ns;
};

bool web_security_has_tls(const struct web_security *security)
{
    return security->tls != NULL;
}

void web_security_begin_session(struct web_security *security, gnutls_session_t session)
{
    tls_credentials_begin_session(security->tls, session);
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
        if (security->slowest_hash == NULL ||
            strncmp(hash + COST_AT, security->slowest_hash + COST_AT, 2) > 0) {
            security->slowest_hash = hash;
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

bool web_security_is_verified(struct web_security *security, const char *user, const char *password)
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

static void web_security_remember(struct web_security *security, size_t user, const char *password)
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
    const char *hash = exists ? security->config.users[found].hash : security->slowest_hash;
    const char *made = crypt_rn(password, hash, &security->crypt, sizeof security->crypt);
    bool right = exists && made != NULL && strlen(made) == strlen(hash) &&
                 gnutls_memcmp(made, hash, strlen(hash)) == 0;

    if (right) {
        web_security_remember(security, found, password);
    }
    return right;
}

static bool same_user(const struct web_user *a, const struct web_user *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->hash, b->hash) == 0;
}

void web_security_inherit_verified(struct web_security *security, struct web_security *from)
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
bool web_security_is_within_rate(struct web_security *security)
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
    int result = create_users(security);
    if (result == 0 && security->config.tls.cert.key != NULL) {
        result = tls_credentials_create(&security->tls, &security->config.tls,
                                        security->config.path, error);
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
    tls_credentials_free(security->tls);
    web_config_deinit(&security->config);
    free(security->memories);
    (void)pthread_mutex_destroy(&security->lock);
    free(security);
}
