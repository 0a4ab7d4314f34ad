/* SPDX-License-Identifier: Apache-2.0 */
/* The ceiling of an input over TLS: a receiver that has GnuTLS decrypt what comes, with its own
 * reads from the socket, and does not look at it. It answers the beginning and the end of a Frame
 * Stream. One connection after the other, blocking. */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 * 1024)

static const uint8_t accept_frame[] =
    "\0\0\0\0\0\0\0\x22\0\0\0\1\0\0\0\1\0\0\0\x16protobuf:dnstap.Dnstap";
static const uint8_t stop_frame[] = {0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 3};
static const uint8_t finish_frame[] = {0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void check(int result)
{
    if (result < 0) {
        (void)fprintf(stderr, "drain_tls: %s\n", gnutls_strerror(result));
        exit(1);
    }
}

static int listen_at(const char *port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                        .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0) {
        die(port);
    }
    return fd;
}

/* Whether the bytes end with STOP, behind which the sender waits: no other read ends with it. */
static bool is_end(const uint8_t *data, size_t len)
{
    return len >= sizeof stop_frame &&
           memcmp(data + len - sizeof stop_frame, stop_frame, sizeof stop_frame) == 0;
}

static void drain(gnutls_session_t session)
{
    static uint8_t buffer[READ_SIZE];
    bool has_begun = false;
    ssize_t got;

    while ((got = gnutls_record_recv(session, buffer, sizeof buffer)) > 0) {
        if (!has_begun) { /* READY */
            check((int)gnutls_record_send(session, accept_frame, sizeof accept_frame - 1));
            has_begun = true;
        } else if (is_end(buffer, (size_t)got)) {
            check((int)gnutls_record_send(session, finish_frame, sizeof finish_frame));
        }
    }
}

static void receive(gnutls_certificate_credentials_t credentials, int fd)
{
    gnutls_session_t session;

    check(gnutls_init(&session, GNUTLS_SERVER));
    check(gnutls_set_default_priority(session));
    check(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
    gnutls_transport_set_int(session, fd);
    check(gnutls_handshake(session));
    drain(session);
    gnutls_deinit(session);
}

int main(int argc, char *argv[])
{
    gnutls_certificate_credentials_t credentials;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: drain_tls CERTIFICATE KEY PORT\n");
        return 2;
    }
    check(gnutls_certificate_allocate_credentials(&credentials));
    check(gnutls_certificate_set_x509_key_file(credentials, argv[1], argv[2], GNUTLS_X509_FMT_PEM));
    int listening = listen_at(argv[3]);
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fd < 0) {
            die("accept");
        }
        receive(credentials, fd);
        (void)close(fd);
    }
}
