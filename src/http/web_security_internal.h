/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_security_internal.h - asking a client for its papers
 */

#include <microhttpd.h>

#include "http/web_security.h"

struct tls_session; /* tls/tls_credentials.h */
struct web_users;   /* web_users_internal.h */

/** Put a TLS session, a gnutls_session_t, that begins under these rules. It must end before the
 * last holder lets go, and before *session. */
NONNULL void web_security_begin_session(struct web_security *security, struct tls_session *session,
                                        void *gnutls_session);

/** Whether anybody gets everything: there is neither TLS nor a password. */
NONNULL bool web_security_needs_host_check(const struct web_security *security);

/** The users, one of whom every request needs; NULL: everybody is served. */
NONNULL struct web_users *web_security_users(const struct web_security *security);

/** Remember the passwords that `from` does, of the users that are still the same; before the first
 * request comes under `security`. */
NONNULL void web_security_inherit_verified(struct web_security *security,
                                           struct web_security *from);

/** Whether one more request is within the rate limit, and if so, count it. Any thread. */
NONNULL bool web_security_is_within_rate(struct web_security *security);

/** Add the configured headers; `policy`, where not NULL, is the page's Content-Security-Policy if
 * none is configured. */
void web_security_add_headers(const struct web_security *security, struct MHD_Response *response,
                              const char *policy);
