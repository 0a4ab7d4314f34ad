/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_security_internal.h - asking a client for its papers
 */

#include <gnutls/abstract.h>
#include <microhttpd.h>

#include "http/web_security.h"

/** Put a session that begins under these rules. It must end before the last holder lets go. */
NONNULL void web_security_begin_session(struct web_security *security, gnutls_session_t session);

/** Whether there are users, so that every request needs one. */
NONNULL bool web_security_has_users(const struct web_security *security);

/** Whether this password has been verified for this user before; takes no time. Any thread. */
NONNULL bool web_security_is_verified(struct web_security *security, const char *user,
                                      const char *password);

/** Whether this is the user's password. Takes as long for a user that does not exist, some 50 ms of
 * CPU at bcrypt's cost of 10. One thread at a time. */
NONNULL bool web_security_verify(struct web_security *security, const char *user,
                                 const char *password);

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
