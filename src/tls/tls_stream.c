/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_stream.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Chosen: a record of the largest size, with its header, comes in one read or two. */
#define BUFFER_SIZE ((size_t)16 * 1024)

/* Measured: what GnuTLS takes for a session is 11 KiB, 42 with a client's certificate and a record
 * of the largest size that is not whole, 52 in a handshake with the longest message that is taken;
 * and 85 if a client that is trusted has certificates of 40 KiB. */
#define GNUTLS_SIZE ((size_t)80 * 1024)

/* Chosen: certificates with their chains, and a list of authorities, have room. GnuTLS keeps a
 * message of the handshake until all of it has come, and takes one of up to 16 MiB. */
#define HANDSHAKE_MAX ((size_t)48 * 1024)

/* Chosen: a server sends one at most, for a name that it does not know (RFC 6066 section 3). */
#define HANDSHAKE_WARNINGS_MAX 4

struct tls_stream {
    struct tls_context *context; /* kept */
    int fd;
    gnutls_session_t gnutls;
    struct tls_session session;
    bool is_open;           /* the handshake is done */
    size_t handshake_bytes; /* of it, from the peer */
    unsigned warnings;      /* alerts in it that do not end it */
    enum tls_failure failure;
    char error[128];
    int socket_error;   /* errno of the last call that failed */
    bool has_ended;     /* the read after bytes ended or failed: it is told with the next one */
    int end;            /* what GnuTLS returned then */
    size_t first, last; /* buffer[first..last) has come from the socket, and GnuTLS has not asked */
    uint8_t buffer[BUFFER_SIZE];
};

/* --- The socket --- */

static ssize_t note_socket_error(struct tls_stream *stream)
{
    stream->socket_error = errno;
    gnutls_transport_set_errno(stream->gnutls, errno);
    return -1;
}

static ssize_t pull(gnutls_transport_ptr_t pointer, void *data, size_t size)
{
    struct tls_stream *stream = pointer;

    if (stream->first == stream->last) {
        ssize_t got = recv(stream->fd, stream->buffer, BUFFER_SIZE, 0);
        if (got <= 0) {
            return got == 0 ? 0 : note_socket_error(stream);
        }
        stream->first = 0;
        stream->last = (size_t)got;
    }
    size_t left = stream->last - stream->first;
    size_t count = left < size ? left : size;
    if (!stream->is_open) {
        stream->handshake_bytes += count;
        if (stream->handshake_bytes > HANDSHAKE_MAX) {
            errno = EMSGSIZE;
            return note_socket_error(stream);
        }
    }
    memcpy(data, stream->buffer + stream->first, count);
    stream->first += count;
    return (ssize_t)count;
}

/* All records of a flight at once. One by one, a peer that refuses the first would have closed the
 * socket before the last is sent, and why it refused would stay unread. */
static ssize_t push(gnutls_transport_ptr_t pointer, const giovec_t *parts, int count)
{
    struct tls_stream *stream = pointer;
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)parts, /* sendmsg() does not write there */
        .msg_iovlen = (size_t)count,
    };

    ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    return sent >= 0 ? sent : note_socket_error(stream);
}

/* GnuTLS calls it for handshakes with a time-out only, which there are none of here. */
static int pull_timeout(gnutls_transport_ptr_t pointer, unsigned ms)
{
    (void)pointer;
    (void)ms;
    return 1;
}

/* --- Beginning and end --- */

size_t tls_stream_memory(void)
{
    return sizeof(struct tls_stream) + GNUTLS_SIZE;
}

int tls_stream_create(struct tls_stream **out, struct tls_context *context, int fd)
{
    struct tls_stream *stream = calloc(1, sizeof *stream);
    unsigned role = tls_context_is_client(context) ? GNUTLS_CLIENT : GNUTLS_SERVER;

    if (stream == NULL) {
        return -ENOMEM;
    }
    if (gnutls_init(&stream->gnutls, role | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS) < 0) {
        free(stream);
        return -ENOMEM;
    }
    stream->context = tls_context_keep(context);
    stream->fd = fd;
    gnutls_transport_set_ptr(stream->gnutls, stream);
    gnutls_transport_set_pull_function(stream->gnutls, pull);
    gnutls_transport_set_vec_push_function(stream->gnutls, push);
    gnutls_transport_set_pull_timeout_function(stream->gnutls, pull_timeout);
    tls_credentials_begin_session(tls_context_credentials(context), &stream->session,
                                  stream->gnutls);
    /* Without a list of authorities a client sends its certificate, whoever has signed it, and is
     * refused for that, and not for having none. */
    gnutls_certificate_send_x509_rdn_sequence(stream->gnutls, 1);
    *out = stream;
    return 0;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (stream != NULL) {
        gnutls_deinit(stream->gnutls);
        tls_context_release(stream->context);
        free(stream);
    }
}

/* --- Failures --- */

static const char *describe_failure(enum tls_failure failure)
{
    static const char *const texts[TLS_FAILURE_COUNT] = {
        [TLS_FAILURE_NOT_TLS] = "the peer does not speak TLS",
        [TLS_FAILURE_VERSION] = "the peer has no version of TLS that is taken: see tls.min_version",
        [TLS_FAILURE_NO_CERTIFICATE] = "the peer has no certificate",
        [TLS_FAILURE_UNKNOWN_CA] = "the peer's certificate is of no authority in tls.ca_file",
        [TLS_FAILURE_EXPIRED] = "the peer's certificate has expired, or is not valid yet",
        [TLS_FAILURE_NAME] = "the peer's certificate has another name: see tls.server_name",
        [TLS_FAILURE_CERTIFICATE] = "the peer's certificate is not valid",
    };

    return texts[failure];
}

/* What cannot be read before a hello has come. */
static bool is_foreign(const struct tls_stream *stream, int result)
{
    return stream->session.state == TLS_AWAITS_HELLO && result != GNUTLS_E_PULL_ERROR &&
           result != GNUTLS_E_PUSH_ERROR && result != GNUTLS_E_PREMATURE_TERMINATION &&
           result != GNUTLS_E_MEMORY_ERROR;
}

/* The alert behind a call that returned `result`, or -1. OpenSSL's client refuses a certificate of
 * TLS 1.3 with an alert in plain (RFC 8446 appendix D.4 lets it change to encryption later), which
 * GnuTLS tries to decrypt: those are the last bytes that it has taken. */
static int alert_of(const struct tls_stream *stream, int result)
{
    static const uint8_t fatal[] = {21, 3, 3, 0, 2, 2}; /* a record, RFC 8446 sections 5.1 and 6 */

    if (result == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        return (int)gnutls_alert_get(stream->gnutls);
    }
    if (result != GNUTLS_E_DECRYPTION_FAILED || stream->is_open || stream->first <= sizeof fatal) {
        return -1;
    }
    const uint8_t *record = stream->buffer + stream->first - sizeof fatal - 1;
    return memcmp(record, fatal, sizeof fatal) == 0 ? record[sizeof fatal] : -1;
}

static enum tls_failure failure_of(const struct tls_stream *stream, int result, int alert)
{
    if (stream->session.failure != TLS_FAILURE_NONE) {
        return stream->session.failure;
    }
    if (alert >= 0) {
        return alert == GNUTLS_A_PROTOCOL_VERSION ? TLS_FAILURE_VERSION : TLS_FAILURE_REFUSED;
    }
    if (stream->is_open) {
        return TLS_FAILURE_NONE; /* the socket's, or a broken record */
    }
    if (is_foreign(stream, result)) {
        return TLS_FAILURE_NOT_TLS;
    }
    return result == GNUTLS_E_UNSUPPORTED_VERSION_PACKET ? TLS_FAILURE_VERSION
                                                         : TLS_FAILURE_PROTOCOL;
}

static void describe(struct tls_stream *stream, int result, int alert)
{
    const char *text = describe_failure(stream->failure);

    if (alert >= 0) {
        const char *name = gnutls_alert_get_name((gnutls_alert_description_t)alert);
        (void)snprintf(stream->error, sizeof stream->error, "the peer's TLS alert %d: %s%s", alert,
                       name != NULL ? name : "unknown",
                       stream->failure == TLS_FAILURE_VERSION ? "; see tls.min_version"
                                                              : "; see tls.cert_file");
        return;
    }
    if (text == NULL) {
        bool is_socket = result == GNUTLS_E_PULL_ERROR || result == GNUTLS_E_PUSH_ERROR;
        bool is_closed = result == GNUTLS_E_PREMATURE_TERMINATION ||
                         (is_socket && stream->socket_error == ECONNRESET);
        text = is_closed && !stream->is_open ? "the peer closed the connection in the handshake of "
                                               "TLS: it may speak none, or another version"
               : is_socket                   ? strerror(stream->socket_error)
                                             : gnutls_strerror(result);
    }
    (void)snprintf(stream->error, sizeof stream->error, "%s", text);
}

/* What a call of GnuTLS that returned `result`, which is negative, comes to. */
static enum tls_result stream_fail(struct tls_stream *stream, int result)
{
    bool is_warning = result == GNUTLS_E_WARNING_ALERT_RECEIVED && stream->is_open;

    if (result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED || is_warning) {
        return TLS_AGAIN;
    }
    if (result == GNUTLS_E_PREMATURE_TERMINATION && stream->is_open) {
        return TLS_TRUNCATED;
    }
    int alert = alert_of(stream, result);
    stream->failure = failure_of(stream, result, alert);
    describe(stream, result, alert);
    return TLS_ERROR;
}

enum tls_failure tls_stream_failure(const struct tls_stream *stream)
{
    return stream->failure;
}

const char *tls_stream_error(const struct tls_stream *stream)
{
    return stream->error;
}

/* --- The session --- */

/* Behind an alert that is a warning the handshake goes on with what has come in one piece with it.
 */
static int shake_hands(struct tls_stream *stream)
{
    int result = gnutls_handshake(stream->gnutls);

    while (result == GNUTLS_E_WARNING_ALERT_RECEIVED && stream->warnings < HANDSHAKE_WARNINGS_MAX) {
        stream->warnings++;
        result = gnutls_handshake(stream->gnutls);
    }
    return result;
}

enum tls_result tls_stream_handshake(struct tls_stream *stream)
{
    if (stream->is_open) {
        return TLS_OK;
    }
    int result = shake_hands(stream);

    if (result == GNUTLS_E_PREMATURE_TERMINATION && stream->session.state == TLS_AWAITS_HELLO &&
        !tls_context_is_client(stream->context)) {
        return TLS_END; /* the client has said nothing */
    }
    if (result < 0) {
        enum tls_result failed = stream_fail(stream, result);
        if (stream->failure ==
            TLS_FAILURE_NOT_TLS) { /* a peer that knows TLS can tell what is here */
            (void)gnutls_alert_send(stream->gnutls, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
        }
        return failed;
    }
    stream->is_open = true;
    return TLS_OK;
}

/* Whether the socket is likely to have more: the last read filled the buffer. */
static bool is_full(const struct tls_stream *stream)
{
    return stream->last == BUFFER_SIZE;
}

static enum tls_result end_read(struct tls_stream *stream, int end)
{
    return end == 0 ? TLS_END : stream_fail(stream, end);
}

enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t size,
                                size_t *count)
{
    ssize_t got = 0;

    *count = 0;
    if (stream->has_ended) {
        return end_read(stream, stream->end);
    }
    do {
        got = gnutls_record_recv(stream->gnutls, data + *count, size - *count);
        *count += got > 0 ? (size_t)got : 0;
    } while (got > 0 && *count < size && (tls_stream_pending(stream) || is_full(stream)));
    if (*count == 0) {
        return end_read(stream, (int)got);
    }
    stream->has_ended = got == 0 || (got < 0 && gnutls_error_is_fatal((int)got) != 0);
    stream->end = (int)got;
    return TLS_OK;
}

enum tls_result tls_stream_write(struct tls_stream *stream, struct bytes data, size_t *count)
{
    ssize_t sent = gnutls_record_send(stream->gnutls, data.data, data.len);

    *count = sent > 0 ? (size_t)sent : 0;
    if (sent == GNUTLS_E_PUSH_ERROR) {
        uint8_t byte; /* the peer has closed the socket: its alert may say why */
        ssize_t got = gnutls_record_recv(stream->gnutls, &byte, 1);
        sent = got == GNUTLS_E_FATAL_ALERT_RECEIVED ? got : sent;
    }
    return sent >= 0 ? TLS_OK : stream_fail(stream, (int)sent);
}

enum tls_result tls_stream_end(struct tls_stream *stream)
{
    int result = gnutls_bye(stream->gnutls, GNUTLS_SHUT_WR);

    return result < 0 ? stream_fail(stream, result) : TLS_OK;
}

bool tls_stream_wants_write(const struct tls_stream *stream)
{
    return gnutls_record_get_direction(stream->gnutls) != 0;
}

bool tls_stream_pending(const struct tls_stream *stream)
{
    return stream->first < stream->last || stream->has_ended ||
           gnutls_record_check_pending(stream->gnutls) > 0;
}
