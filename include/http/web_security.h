/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_security.h - what the web server demands of its clients: TLS, certificates, passwords
 *
 * Made from a web configuration and never changed; a reload makes another. Each request and each
 * TLS session keeps the one it began with.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "http/web_config.h"

struct web_security; /* opaque: src/http/web_security.c */

/** Take over the settings, which leaves *config empty, and load certificates and keys. Returns 0
 * and *out for web_security_release(); or -EINVAL and one line in *error that names file, line and
 * key; or -ENOMEM. */
NONNULL MUST_USE int web_security_create(struct web_security **out, struct web_config *config,
                                         struct text *error);

/** Whether there is a certificate: HTTPS then, HTTP otherwise. */
NONNULL bool web_security_has_tls(const struct web_security *security);

/** Whether clients have to prove who they are: by a password or a certificate that is verified. */
NONNULL bool web_security_authenticates_clients(const struct web_security *security);

/** When the certificate, or one of its chain, expires, in seconds since 1970; 0: there is none. */
NONNULL int64_t web_security_expiry(const struct web_security *security);

/** Whether a file that it was made from has changed since: the configuration, the certificate, its
 * key, the authorities. Each change is told once. One thread. */
NONNULL bool web_security_is_outdated(struct web_security *security);

/** Add the settings in YAML, with every secret as `<secret>`. */
NONNULL void web_security_print(const struct web_security *security, struct text *out);

/** One more holder. Returns its argument. Any thread. */
NONNULL struct web_security *web_security_keep(struct web_security *security);

/** One holder less; the last one frees it. NULL is fine. Any thread. */
void web_security_release(struct web_security *security);
