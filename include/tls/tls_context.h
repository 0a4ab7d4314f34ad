/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tls_context.h - the TLS of an endpoint: settings, and what was last loaded from their files
 *
 * Never changed: when a file changes, another context takes its place, and sessions that have begun
 * keep theirs. Any thread may keep, use and release one.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "tls/tls_credentials.h"
#include "tls/tls_settings.h"

struct tls_context; /* opaque: src/tls/tls_context.c; its users are counted */

/** Load the files of `settings`, which are copied; *out is NULL where there is no TLS in them.
 *  `path` is the file of the settings, for errors; NULL: there is none, and no TLS. A client
 * expects the server's certificate for settings->server_name, or `host` without one. Returns 0 and
 * *out for tls_context_release(); or -EINVAL and one line in *error; or -ENOMEM. */
MUST_USE int tls_context_load(struct tls_context **out, const struct tls_settings *settings,
                              const char *path, const char *host, struct text *error);

/** Count one user more. Returns `context`. */
NONNULL struct tls_context *tls_context_keep(struct tls_context *context);

/** Count one user less; the last one frees it. NULL is fine. */
void tls_context_release(struct tls_context *context);

/** Load the files again, if one has changed since the context was made: *context is another one
 *  then, and the caller's hold on the old one has gone over to it. Call it once a second, from one
 *  thread. Returns whether it is another one; where a file cannot be used, false and one line in
 *  *error, once for each change. */
NONNULL MUST_USE bool tls_context_renew(struct tls_context **context, struct text *error);

/** The same for an input or an output, whose `kind` is "input" or "output": what has come of it
 *  goes to the log. NULL in *context is fine. */
NONNULL void tls_context_renew_and_log(struct tls_context **context, const char *kind,
                                       const char *name);

/** Of a client: the one who connects. */
NONNULL bool tls_context_is_client(const struct tls_context *context);

/** Its certificate and rules, which it owns. */
NONNULL struct tls_credentials *tls_context_credentials(const struct tls_context *context);
