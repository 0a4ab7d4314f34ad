/* SPDX-License-Identifier: Apache-2.0 */
#include "http/web_security.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file_watch.h"
#include "rate_limit_internal.h"
#include "tls/tls_credentials.h"
#include "web_headers_internal.h"
#include "web_security_internal.h"
#include "web_users_internal.h"

#define WATCHED_FILES 4

struct web_security {
    atomic_uint holders;
    struct web_config config;
    struct tls_credentials *tls; /* NULL: HTTP without TLS */
    struct web_users *users;     /* NULL: everybody is served */
    struct rate_limit rate;
    struct file_watch watches[WATCHED_FILES];
};

/* NULL where there is none. */
static const char *watched_path(const struct web_security *security, unsigned index)
{
    const struct tls_settings *tls = &security->config.tls;
    const char *const paths[WATCHED_FILES] = {
        security->config.path,
        tls->pem_cert.path,
        tls->pem_key.path,
        tls->pem_ca.path,
    };

    return paths[index];
}

/* That of the configuration began before it was read. */
static void watch_certificates(struct web_security *security)
{
    security->watches[0] = security->config.watch;
    for (unsigned i = 1; i < WATCHED_FILES; i++) {
        if (watched_path(security, i) != NULL) {
            file_watch_begin(&security->watches[i], watched_path(security, i));
        }
    }
}

bool web_security_is_outdated(struct web_security *security)
{
    bool is_outdated = false;

    for (unsigned i = 0; i < WATCHED_FILES; i++) {
        const char *path = watched_path(security, i);
        is_outdated |= path != NULL && file_watch_is_due(&security->watches[i], path);
    }
    return is_outdated;
}

bool web_security_needs_host_check(const struct web_security *security)
{
    return security->tls == NULL && security->users == NULL;
}

bool web_security_has_tls(const struct web_security *security)
{
    return security->tls != NULL;
}

void web_security_begin_session(struct web_security *security, struct tls_session *session,
                                void *gnutls_session)
{
    tls_credentials_begin_session(security->tls, session, gnutls_session);
}

bool web_security_authenticates_clients(const struct web_security *security)
{
    return security->users != NULL ||
           (security->tls != NULL &&
            security->config.tls.client_auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY);
}

int64_t web_security_expiry(const struct web_security *security)
{
    return security->tls != NULL ? tls_credentials_expiry(security->tls) : 0;
}

struct web_users *web_security_users(const struct web_security *security)
{
    return security->users;
}

void web_security_inherit_verified(struct web_security *security, struct web_security *from)
{
    if (security->users != NULL && from->users != NULL) {
        web_users_inherit(security->users, from->users);
    }
}

bool web_security_is_within_rate(struct web_security *security)
{
    return rate_limit_take(&security->rate, clock_monotonic_ns());
}

void web_security_add_headers(const struct web_security *security, struct MHD_Response *response,
                              const char *policy)
{
    web_headers_add(&security->config.headers, response, policy);
}

void web_security_print(const struct web_security *security, struct text *out)
{
    web_config_print(&security->config, out);
}

int web_security_create(struct web_security **out, struct web_config *config, struct text *error)
{
    struct web_security *security = calloc(1, sizeof *security);
    int result = 0;

    if (security == NULL) {
        web_config_deinit(config);
        return -ENOMEM;
    }
    atomic_init(&security->holders, 1);
    security->config = *config;
    *config = (struct web_config){0};
    watch_certificates(security);
    rate_limit_init(&security->rate, security->config.rate_interval_ns,
                    security->config.rate_burst);
    if (security->config.users.count > 0) {
        result = web_users_create(&security->users, &security->config.users, error);
    }
    if (result == 0 && security->config.tls.pem_cert.key[0] != '\0') {
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
    web_users_free(security->users);
    rate_limit_deinit(&security->rate);
    web_config_deinit(&security->config);
    free(security);
}
