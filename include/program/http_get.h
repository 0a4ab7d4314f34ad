/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * http_get.h - one document of an exporter, by plain HTTP
 *
 * For the command top alone. Ours and not libcurl: its libraries would be loaded into the service,
 * too, and take more memory there than this program's own code.
 */

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/text.h"

/** Read "http://HOST:PORT/PREFIX", "HOST:PORT", or the absolute path of a unix socket. `prefix`,
 * which must have as much room as `text`, gets what is behind the port, without a slash at the end.
 * Returns false where it is none of these. */
NONNULL MUST_USE bool http_get_parse(const char *text, struct endpoint *out, char *prefix);

/** Get `path` behind `prefix`. Returns 0 and the body in *body, which is cleared first; or a
 * negative errno and what went wrong in *error. */
NONNULL MUST_USE int http_get(const struct endpoint *endpoint, const char *prefix, const char *path,
                              struct text *body, struct text *error);
