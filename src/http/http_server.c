/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_internal.h"
#include "tls/tls_credentials.h"

/* How long requests under way may take at the end. */
#define SHUTDOWN_GRACE_MS 1000

/* Between two requests: longer than a minute, at which many scrape. */
#define IDLE_S   75

#define NICENESS 5 /* of the threads that serve */

/* Bytes of a connection. */
#define CONNECTION_POOL ((size_t)32 * 1024) /* libmicrohttpd's */
#define TLS_BUFFERS     ((size_t)48 * 1024) /* GnuTLS' session and one record each way */

static struct web_security *current_security(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    struct web_security *security = web_security_keep(server->security);
    (void)pthread_mutex_unlock(&server->lock);
    return security;
}

/* --- Requests --- */

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

static void set_timeout(struct MHD_Connection *connection, unsigned seconds)
{
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

static struct request *http_server_begin(struct http_server *server,
                                         struct MHD_Connection *connection)
{
    struct request *request = calloc(1, sizeof *request);

    if (request != NULL) {
        request->server = server;
        request->connection = connection;
        request->client = client_of(connection);
        request->security = current_security(server);
        set_timeout(connection, server->timeout_s);
        atomic_fetch_add(&server->requests, 1);
    }
    return request;
}

static enum MHD_Result refuse_login(struct request *request)
{
    if (request->auth.state == BASIC_AUTH_BUSY) {
        request_note_refusal(request, WEB_REFUSAL_BUSY, NULL);
        return answer_refusal(request, MHD_HTTP_TOO_MANY_REQUESTS, MHD_HTTP_HEADER_RETRY_AFTER, "1",
                              "Too many passwords are being verified; try again.\n");
    }
    if (request->auth.is_given) { /* browsers ask without a password first */
        request_note_refusal(request, WEB_REFUSAL_PASSWORD, NULL);
    }
    return answer_refusal(request, MHD_HTTP_UNAUTHORIZED, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                          "Basic realm=\"dnstap_exporter\", charset=\"UTF-8\"",
                          "A user name and a password are needed.\n");
}

static enum MHD_Result serve(struct request *request, const char *url, const char *method)
{
    if (request->is_malformed || url[0] == '\0') {
        request_note_refusal(request, WEB_REFUSAL_MALFORMED, NULL);
        return answer_constant(request, MHD_HTTP_BAD_REQUEST, TYPE_TEXT,
                               "Bad request: it needs one Host, at most one length, and no NUL.\n");
    }
    if (request->auth.state == BASIC_AUTH_NOT_ASKED) {
        if (!web_security_is_within_rate(request->security)) {
            request_note_refusal(request, WEB_REFUSAL_RATE_LIMIT, NULL);
            return answer_refusal(request, MHD_HTTP_TOO_MANY_REQUESTS, MHD_HTTP_HEADER_RETRY_AFTER,
                                  "1", "More requests than rate_limit has it; try again.\n");
        }
        if (!basic_auth_check(request->server->auth_queue, request)) {
            return MHD_YES;
        }
    }
    return request->auth.state == BASIC_AUTH_ACCEPTED ? pages_serve(request, url, method)
                                                      : refuse_login(request);
}

struct framing {
    unsigned hosts, lengths, encodings;
};

static enum MHD_Result note_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct framing *framing = context;

    (void)kind;
    (void)value;
    framing->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    framing->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    framing->encodings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* Whether it has not one Host, or more than one way to say how long it is (RFC 9112 sections 3.2
 * and 6.3): a proxy may take it for another request. */
static bool is_malformed(struct MHD_Connection *connection, const char *version)
{
    struct framing framing = {0};
    bool is_old = strcmp(version, MHD_HTTP_VERSION_1_1) != 0;

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, note_header, &framing);
    return (framing.hosts != 1 && !is_old) || framing.hosts > 1 || framing.lengths > 1 ||
           framing.lengths + framing.encodings > 1;
}

/* A NUL in a path or an argument makes it empty, which no page has. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    size_t len = MHD_http_unescape(text);

    if (strlen(text) < len) {
        text[0] = '\0';
        len = 0;
    }
    return len;
}

/* Called first when the headers are there, then for each piece of an upload, once more at its end,
 * and again when the connection was suspended. An answer before the end closes the connection, so
 * uploads are read over and forgotten. */
static enum MHD_Result http_server_handle(void *context, struct MHD_Connection *connection,
                                          const char *url, const char *method, const char *version,
                                          const char *upload_data, size_t *upload_data_size,
                                          void **request)
{
    (void)upload_data;
    if (client_of(connection) == NULL) {
        return MHD_NO; /* there was no memory for it */
    }
    if (*request == NULL) {
        *request = http_server_begin(context, connection);
        if (*request == NULL) {
            return MHD_NO;
        }
        ((struct request *)*request)->is_malformed = is_malformed(connection, version);
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    client_begin_response(&((struct http_server *)context)->clients, client_of(connection));
    return serve(*request, url, method);
}

/* The page has been sent, or its client is gone. */
static void http_server_forget(void *context, struct MHD_Connection *connection, void **request,
                               enum MHD_RequestTerminationCode why)
{
    struct http_server *server = context;
    struct request *ended = *request;

    (void)why;
    if (ended != NULL) {
        set_timeout(connection, IDLE_S);
        client_end_response(&server->clients, ended->client);
        atomic_fetch_sub(&server->requests, 1);
        basic_auth_deinit(&ended->auth);
        text_deinit(&ended->reload_error);
        web_security_release(ended->security);
        free(ended);
        *request = NULL;
    }
}

/* --- Connections --- */

/* Ingest goes first: it has to be done while frames wait, a page may take a moment longer. Of this
 * thread only, on Linux. */
static void lower_priority(void)
{
    static _Thread_local bool lowered;

    if (!lowered) {
        (void)setpriority(PRIO_PROCESS, 0, NICENESS);
        lowered = true;
    }
}

static enum web_refusal reason_of_handshake(const struct tls_session *tls)
{
    switch (tls->failure) {
    case TLS_FAILURE_VERSION:
        return WEB_REFUSAL_TLS_VERSION;
    case TLS_FAILURE_NO_CERTIFICATE:
        return WEB_REFUSAL_NO_CLIENT_CERTIFICATE;
    case TLS_FAILURE_UNKNOWN_CA:
    case TLS_FAILURE_EXPIRED:
    case TLS_FAILURE_NAME:
    case TLS_FAILURE_CERTIFICATE:
        return WEB_REFUSAL_CLIENT_CERTIFICATE;
    case TLS_FAILURE_NONE:
    case TLS_FAILURE_NOT_TLS:
    case TLS_FAILURE_REFUSED:
    case TLS_FAILURE_PROTOCOL:
    case TLS_FAILURE_COUNT:
        break;
    }
    return tls->state == TLS_AWAITS_HELLO ? WEB_REFUSAL_NOT_TLS : WEB_REFUSAL_TLS_HANDSHAKE;
}

/* Libmicrohttpd says nothing of sessions that do not begin. Who connects and says nothing is a
 * check whether the port is open. */
static void note_failed_handshake(struct http_server *server, const struct client *client)
{
    const struct tls_session *tls = &client->tls;

    if (tls->credentials != NULL && tls->state != TLS_OPEN && client_has_sent(client) &&
        !client_is_closing(&server->clients, client)) {
        refusals_note(&server->refusals, reason_of_handshake(tls), client->address, NULL);
    }
}

/* A connection takes the rules in force when it begins, and holds them until it ends. */
static void notify_connection(void *context, struct MHD_Connection *connection,
                              void **connection_context, enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = context;
    struct client *client = *connection_context;

    lower_priority();
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client != NULL) {
            note_failed_handshake(server, client);
            client_close(&server->clients, client);
        }
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    client = client_open(&server->clients, connection, current_security(server));
    *connection_context = client;
    if (client != NULL && info != NULL && info->tls_session != NULL) {
        web_security_begin_session(client->security, &client->tls, info->tls_session);
    }
}

/* --- The server --- */

static struct MHD_Daemon *start_daemon(struct http_server *server, const struct http_setup *setup,
                                       int fd)
{
    unsigned max = setup->connections_max + CLIENTS_CLOSING_MAX;
    unsigned per_address = clients_per_address(&server->clients) + CLIENTS_CLOSING_MAX;
    bool tls = web_security_has_tls(server->security);
    struct MHD_OptionItem tls_options[] = {
        /* Libmicrohttpd wants a certificate of its own at the start, or this. */
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_credentials_no_certificate()},
        {MHD_OPTION_END, 0, NULL},
    };

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
            (tls ? MHD_USE_TLS : 0),
        0, NULL, NULL, http_server_handle, server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, http_server_forget, server, MHD_OPTION_NOTIFY_CONNECTION,
        notify_connection, server, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
        MHD_OPTION_CONNECTION_LIMIT, max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, server->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_POOL, MHD_OPTION_ARRAY, tls ? tls_options : tls_options + 1, MHD_OPTION_END);
}

static int start_daemons(struct http_server *server, const struct http_setup *setup,
                         struct text *error)
{
    server->daemons = calloc(setup->socket_count, sizeof(struct MHD_Daemon *));
    if (server->daemons == NULL) {
        return -ENOMEM;
    }
    while (server->daemon_count < setup->socket_count) {
        struct MHD_Daemon *daemon = start_daemon(server, setup,
                                                 setup->sockets[server->daemon_count]);
        if (daemon == NULL) {
            text_append_string(error, "cannot start the web server");
            return -EIO;
        }
        server->daemons[server->daemon_count++] = daemon;
    }
    return 0;
}

/* Libmicrohttpd's pool, GnuTLS' buffers where there is TLS, the kernel's not counted. */
size_t http_server_memory(unsigned connections_max, bool tls)
{
    return (connections_max + (size_t)CLIENTS_CLOSING_MAX) *
           (CONNECTION_POOL + (tls ? TLS_BUFFERS : 0) + sizeof(struct client) +
            sizeof(struct request));
}

/* Those that no daemon has taken over: the first `taken` ones it has. */
static void close_sockets(const struct http_setup *setup, unsigned taken)
{
    for (unsigned i = taken; i < setup->socket_count; i++) {
        (void)close(setup->sockets[i]);
    }
}

int http_server_create(struct http_server **out, const struct http_setup *setup,
                       struct registry *registry, struct web_security *security, struct text *error)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        web_security_release(security);
        close_sockets(setup, 0);
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&server->lock, NULL);
    server->reload.fd = -1;
    server->registry = registry;
    server->security = security;
    server->lifecycle = setup->lifecycle;
    server->timeout_s = (unsigned)((setup->timeout_ns + NS_PER_SECOND - 1) / NS_PER_SECOND);
    clients_init(&server->clients, setup->connections_max);
    refusals_init(&server->refusals, registry);
    registry_set_certificate_expiry(registry, web_security_expiry(security));
    page_store_init(
        &server->pages,
        (const size_t[]){[PAGE_OF_METRICS] = setup->page_max, [PAGE_OF_JSON] = setup->json_max});
    int result = http_server_set_hosts(server, setup->hosts);
    if (result == 0) {
        result = wakeup_init(&server->reload);
    }
    if (result == 0) {
        result = basic_auth_queue_create(&server->auth_queue);
    }
    if (result == 0) {
        result = start_daemons(server, setup, error);
    }
    if (result < 0) {
        close_sockets(setup, server->daemon_count);
        http_server_free(server);
        return result;
    }
    *out = server;
    return 0;
}

void http_server_set_ready(struct http_server *server, bool ready)
{
    atomic_store(&server->ready, ready);
}

void http_server_set_configuration(struct http_server *server, struct text *configuration)
{
    (void)pthread_mutex_lock(&server->lock);
    struct text old = server->configuration;
    server->configuration = *configuration;
    (void)pthread_mutex_unlock(&server->lock);
    *configuration = (struct text){0};
    text_deinit(&old);
}

int http_server_set_hosts(struct http_server *server, const struct config_strings *hosts)
{
    struct host_names *names = host_names_create(hosts);

    if (names == NULL) {
        return -ENOMEM;
    }
    (void)pthread_mutex_lock(&server->lock);
    struct host_names *old = server->hosts;
    server->hosts = names;
    (void)pthread_mutex_unlock(&server->lock);
    host_names_free(old);
    return 0;
}

void http_server_set_page_max(struct http_server *server, size_t page_max, size_t json_max)
{
    page_store_set_max(&server->pages,
                       (const size_t[]){[PAGE_OF_METRICS] = page_max, [PAGE_OF_JSON] = json_max});
}

void http_server_set_security(struct http_server *server, struct web_security *security)
{
    registry_set_certificate_expiry(server->registry, web_security_expiry(security));
    (void)pthread_mutex_lock(&server->lock);
    struct web_security *old = server->security;
    web_security_inherit_verified(security, old);
    server->security = security;
    (void)pthread_mutex_unlock(&server->lock);
    web_security_release(old);
    clients_end_sessions(&server->clients);
}

void http_server_advance(struct http_server *server)
{
    clients_advance(&server->clients);
    page_store_advance(&server->pages);
}

int http_server_reload_fd(const struct http_server *server)
{
    return server->reload.fd;
}

void http_server_begin_reload(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->served = server->reloading;
    server->reloading = NULL;
    wakeup_clear(&server->reload);
    (void)pthread_mutex_unlock(&server->lock);
}

void http_server_answer_reload(struct http_server *server, bool done, const struct text *error)
{
    while (server->served != NULL) {
        struct request *request = server->served;
        server->served = request->next;
        request->reload = done ? RELOAD_DONE : RELOAD_FAILED;
        text_append_bytes(&request->reload_error,
                          (struct bytes){(const uint8_t *)error->data, error->len});
        MHD_resume_connection(request->connection);
    }
}

/* Nobody new is let in, those who wait are answered, and the rest get a moment. */
static void http_server_shut_down_gracefully(struct http_server *server)
{
    const struct timespec pause = {.tv_nsec = 10 * (long)NS_PER_MS};
    struct text ending = {0};

    text_append_string(&ending, "dnstap_exporter is shutting down.");
    for (unsigned i = 0; i < server->daemon_count; i++) {
        MHD_socket fd = MHD_quiesce_daemon(server->daemons[i]);
        if (fd != MHD_INVALID_SOCKET) {
            (void)close(fd);
        }
    }
    (void)pthread_mutex_lock(&server->lock);
    server->ending = true;
    (void)pthread_mutex_unlock(&server->lock);
    http_server_begin_reload(server);
    http_server_answer_reload(server, false, &ending);
    text_deinit(&ending);
    basic_auth_queue_end(server->auth_queue);
    for (unsigned ms = 0; ms < SHUTDOWN_GRACE_MS && atomic_load(&server->requests) > 0; ms += 10) {
        (void)nanosleep(&pause, NULL);
    }
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->auth_queue != NULL) {
        http_server_shut_down_gracefully(server);
    }
    for (unsigned i = 0; i < server->daemon_count; i++) {
        MHD_stop_daemon(server->daemons[i]);
    }
    basic_auth_queue_free(server->auth_queue);
    page_store_deinit(&server->pages);
    clients_deinit(&server->clients);
    refusals_deinit(&server->refusals);
    host_names_free(server->hosts);
    free(server->daemons);
    web_security_release(server->security);
    text_deinit(&server->configuration);
    wakeup_deinit(&server->reload);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}
