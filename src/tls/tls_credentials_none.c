/* SPDX-License-Identifier: Apache-2.0 */
/* A build without GnuTLS refuses a configuration that has a certificate. */
#include "tls/tls_credentials.h"

#include <errno.h>
#include <stddef.h>

int tls_credentials_create(struct tls_credentials **out, const struct tls_settings *settings,
                           const char *path, struct text *error)
{
    bool has_cert = settings->pem_cert.key[0] != '\0';
    const struct tls_pem *pem = has_cert ? &settings->pem_cert : &settings->pem_ca;

    (void)out;
    text_append_format(error, "%s:%zu: %s: this build has no GnuTLS", path, pem->line, pem->key);
    return -EINVAL;
}

void tls_credentials_free(struct tls_credentials *tls)
{
    (void)tls;
}

int64_t tls_credentials_expiry(const struct tls_credentials *tls)
{
    (void)tls;
    return 0;
}

void tls_credentials_begin_session(struct tls_credentials *tls, struct tls_session *session,
                                   void *gnutls_session)
{
    (void)tls;
    (void)gnutls_session;
    *session = (struct tls_session){0};
}

void *tls_credentials_no_certificate(void)
{
    return NULL;
}
