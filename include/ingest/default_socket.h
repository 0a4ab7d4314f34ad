/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * default_socket.h - where the built-in input's socket is
 */

#include <sys/types.h>

#include "base/attr.h"
#include "base/text.h"

/** Find a place for the socket, and make its folder, which is then that of `user`, whom only root may
 * choose: /run/dnstap_exporter, or where that is not allowed the user's $XDG_RUNTIME_DIR, or
 * /tmp/dnstap_exporter-UID. Returns 0 and its path in *path, or a negative errno of the last try. */
NONNULL MUST_USE int default_socket_place(uid_t user, struct text *path);
