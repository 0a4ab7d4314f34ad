/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tls_credentials.h - a certificate, and the peers that its owner trusts
 *
 * Made from the settings and never changed: a reload makes another. Any thread may begin sessions.
 * tls_credentials.c is the one with GnuTLS, tls_credentials_none.c the one of builds without it.
 */

#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"
#include "tls/tls_settings.h"

struct tls_credentials; /* opaque: src/tls/tls_credentials.c */

/** How far a session's handshake has come. */
enum tls_state {
    TLS_AWAITS_HELLO, /* nothing has come that is TLS */
    TLS_HANDSHAKE,    /* it is under way, or failed */
    TLS_OPEN,
};

/** Why a session failed. */
enum tls_failure {
    TLS_FAILURE_NONE,
    TLS_FAILURE_NOT_TLS,        /* what the peer sends is no TLS */
    TLS_FAILURE_VERSION,        /* the peer has no version that is taken */
    TLS_FAILURE_NO_CERTIFICATE, /* the peer has none, and one is required */
    TLS_FAILURE_UNKNOWN_CA,     /* no authority that is trusted has signed the peer's */
    TLS_FAILURE_EXPIRED,        /* the peer's is out of its time */
    TLS_FAILURE_NAME,           /* the peer's has not the name, or none of the allowed ones */
    TLS_FAILURE_CERTIFICATE,    /* the peer's is not valid otherwise */
    TLS_FAILURE_REFUSED,        /* the peer sent an alert */
    TLS_FAILURE_PROTOCOL,       /* anything else */
    TLS_FAILURE_COUNT
};

/** A session, from its begin to its end: its pointer (gnutls_session_set_ptr()). */
struct tls_session {
    const struct tls_credentials *credentials;
    enum tls_state state;
    enum tls_failure failure; /* of a peer that was refused */
};

/** Load certificates and keys. `settings`, which have a certificate, and `path`, the file that they
 * are of, must outlive the credentials. Returns 0 and *out for tls_credentials_free(); or -EINVAL
 * and one line in *error that names file, line and key; or -ENOMEM. */
NONNULL MUST_USE int tls_credentials_create(struct tls_credentials **out,
                                            const struct tls_settings *settings, const char *path,
                                            struct text *error);

/** Free the credentials, after the last session under them. NULL is fine. */
void tls_credentials_free(struct tls_credentials *tls);

/** When the certificate, or one of its chain, expires, in seconds since 1970. */
NONNULL int64_t tls_credentials_expiry(const struct tls_credentials *tls);

/** Put a session that begins, a gnutls_session_t, under these credentials, which outlive it, as
 * *session does. A peer that is refused gets a TLS alert (RFC 8446 section 6.2). */
NONNULL void tls_credentials_begin_session(struct tls_credentials *tls, struct tls_session *session,
                                           void *gnutls_session);

/** A gnutls_certificate_retrieve_function2 that has no certificate, for who asks for one before the
 *  session has its credentials. */
void *tls_credentials_no_certificate(void);
