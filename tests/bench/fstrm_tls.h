/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * fstrm_tls.h - TLS for the sending end of a Frame Stream
 *
 * GnuTLS with its own reads and writes, and what it prefers: TLS 1.3, AES-GCM. The server's
 * certificate is not verified. Every failure ends the process with a message.
 */

#include "fstrm_client.h"

/** The handshake, over a client that is connected; a line on standard error says what was agreed.
 *  From now on everything that the client sends is encrypted. */
void fstrm_tls_begin(struct fstrm_client *client);

/** End the session; the client has to be closed still. */
void fstrm_tls_end(struct fstrm_client *client);
