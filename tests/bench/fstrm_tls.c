/* SPDX-License-Identifier: Apache-2.0 */
#include "fstrm_tls.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

static gnutls_certificate_credentials_t credentials; /* without a certificate, of all sessions */

static int check(int result)
{
    if (result < 0) {
        (void)fprintf(stderr, "TLS: %s\n", gnutls_strerror(result));
        exit(1);
    }
    return result;
}

static ssize_t send_tls(const struct fstrm_client *client, const void *data, size_t len)
{
    return check((int)gnutls_record_send(client->tls, data, len));
}

static ssize_t receive_tls(const struct fstrm_client *client, void *data, size_t size)
{
    return check((int)gnutls_record_recv(client->tls, data, size));
}

void fstrm_tls_begin(struct fstrm_client *client)
{
    gnutls_session_t session;

    if (credentials == NULL) {
        check(gnutls_certificate_allocate_credentials(&credentials));
    }
    check(gnutls_init(&session, GNUTLS_CLIENT));
    check(gnutls_set_default_priority(session));
    check(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
    gnutls_transport_set_int(session, client->fd);
    check(gnutls_handshake(session));
    char *agreed = gnutls_session_get_desc(session);
    (void)fprintf(stderr, "tls=%s\n", agreed);
    gnutls_free(agreed);
    client->tls = session;
    client->send = send_tls;
    client->receive = receive_tls;
}

void fstrm_tls_end(struct fstrm_client *client)
{
    (void)gnutls_bye(client->tls, GNUTLS_SHUT_WR); /* the receiver may have closed */
    gnutls_deinit(client->tls);
    client->tls = NULL;
}
