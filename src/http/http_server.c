/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "build_info.h"

#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_TEXT    "text/plain; charset=utf-8"
#define TYPE_HTML    "text/html; charset=utf-8"
#define TYPE_JSON    "application/json"

/* Bytes of pages that are being sent. Clients that do not read keep theirs in memory: no new one is
 * begun while they are more than this, or, but for /metrics, than half of it. */
#define PAGES_MAX         ((size_t)8 * 1024 * 1024)

#define TOP_LIMIT_DEFAULT 10
#define TOP_LIMIT_MAX     1000

struct http_server {
    struct registry *registry;
    struct MHD_Daemon *daemon;
    atomic_bool ready;
    size_t pages; /* bytes of pages that are being sent; of the daemon's thread */
};

struct request {
    struct http_server *server;
    size_t page; /* bytes of its page */
};

static const char landing_page[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>dnstap_exporter</title>\n"
    "<style>body{font-family:sans-serif;max-width:40em;margin:2em auto;padding:0 1em;"
    "color-scheme:light dark}</style>\n"
    "</head>\n"
    "<body>\n"
    "<h1>dnstap_exporter</h1>\n"
    "<p>Prometheus metrics of DNS servers, from their dnstap streams. Version " BUILD_VERSION
    " (" BUILD_REVISION ").</p>\n"
    "<ul>\n"
    "<li><a href=\"/metrics\">/metrics</a>: what Prometheus scrapes</li>\n"
    "<li><a href=\"/api/v1/top\">/api/v1/top</a>: top clients, names and domains as JSON</li>\n"
    "<li><a href=\"/-/healthy\">/-/healthy</a>: the program runs</li>\n"
    "<li><a href=\"/-/ready\">/-/ready</a>: the inputs listen</li>\n"
    "</ul>\n"
    "</body>\n"
    "</html>\n";

/* Queue the response and let go of it. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     const char *content_type, struct MHD_Response *response)
{
    if (response == NULL) {
        return MHD_NO; /* without memory the connection is closed, never half a page sent */
    }
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                                     content_type);
    if (result == MHD_YES) {
        result = MHD_queue_response(connection, status, response);
    }
    MHD_destroy_response(response);
    return result;
}

/* `body` is a constant. */
static enum MHD_Result send_constant(struct MHD_Connection *connection, unsigned status,
                                     const char *content_type, const char *body)
{
    return send_response(connection, status, content_type,
                         MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body,
                                                         MHD_RESPMEM_PERSISTENT));
}

/* `body` is a constant; the header says what to do instead. */
static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status,
                              const char *header, const char *value, const char *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);

    if (response != NULL) {
        (void)MHD_add_response_header(response, header, value);
    }
    return send_response(connection, status, TYPE_TEXT, response);
}

static enum MHD_Result refuse_page(struct MHD_Connection *connection)
{
    return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_HEADER_RETRY_AFTER, "1",
                  "Too many pages are being sent; try again.\n");
}

/* Takes over the page's memory; `written` is what writing it returned. */
static enum MHD_Result send_page(struct request *request, struct MHD_Connection *connection,
                                 const char *content_type, struct text *page, int written)
{
    if (written < 0) {
        text_deinit(page);
        return send_constant(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, TYPE_TEXT,
                             "Out of memory.\n");
    }
    request->page = page->space;
    request->server->pages += page->space;
    struct MHD_Response *response = MHD_create_response_from_buffer(page->len, page->data,
                                                                    MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        text_deinit(page);
    }
    return send_response(connection, MHD_HTTP_OK, content_type, response);
}

static enum MHD_Result serve_metrics(struct request *request, struct MHD_Connection *connection)
{
    struct http_server *server = request->server;
    uint64_t started_ns = clock_monotonic_ns();
    struct text page = {0};

    if (server->pages >= PAGES_MAX) {
        return refuse_page(connection);
    }
    int written = registry_write_text(server->registry, &page);

    if (written == 0) {
        registry_note_scrape(server->registry, clock_monotonic_ns() - started_ns);
    }
    return send_page(request, connection, TYPE_METRICS, &page, written);
}

/* A number of 1 to TOP_LIMIT_MAX; NULL is the default. */
static bool parse_limit(const char *text, size_t *limit)
{
    char *end;

    if (text == NULL) {
        *limit = TOP_LIMIT_DEFAULT;
        return true;
    }
    unsigned long value = strtoul(text, &end, 10);
    *limit = value;
    return *text >= '0' && *text <= '9' && *end == '\0' && value >= 1 && value <= TOP_LIMIT_MAX;
}

static enum MHD_Result serve_top(struct request *request, struct MHD_Connection *connection)
{
    struct http_server *server = request->server;
    struct text page = {0};
    size_t limit;

    if (!parse_limit(MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "limit"),
                     &limit)) {
        return send_constant(connection, MHD_HTTP_BAD_REQUEST, TYPE_TEXT,
                             "limit: expected a number from 1 to 1000.\n");
    }
    if (server->pages >= PAGES_MAX / 2) {
        return refuse_page(connection);
    }
    int written = registry_write_top(server->registry, limit, &page);
    return send_page(request, connection, TYPE_JSON, &page, written);
}

static enum MHD_Result serve_landing_page(struct request *request,
                                          struct MHD_Connection *connection)
{
    (void)request;
    return send_constant(connection, MHD_HTTP_OK, TYPE_HTML, landing_page);
}

static enum MHD_Result serve_healthy(struct request *request, struct MHD_Connection *connection)
{
    (void)request;
    return send_constant(connection, MHD_HTTP_OK, TYPE_TEXT, "dnstap_exporter is healthy.\n");
}

static enum MHD_Result serve_ready(struct request *request, struct MHD_Connection *connection)
{
    if (atomic_load(&request->server->ready)) {
        return send_constant(connection, MHD_HTTP_OK, TYPE_TEXT, "dnstap_exporter is ready.\n");
    }
    return send_constant(connection, MHD_HTTP_SERVICE_UNAVAILABLE, TYPE_TEXT,
                         "dnstap_exporter is not ready.\n");
}

static const struct {
    const char *path;
    enum MHD_Result (*serve)(struct request *request, struct MHD_Connection *connection);
} routes[] = {
    {"/metrics", serve_metrics},   {"/api/v1/top", serve_top}, {"/", serve_landing_page},
    {"/-/healthy", serve_healthy}, {"/-/ready", serve_ready},
};

static enum MHD_Result refuse_method(struct MHD_Connection *connection)
{
    return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_HEADER_ALLOW, "GET, HEAD",
                  "Only GET and HEAD.\n");
}

static enum MHD_Result route(struct request *request, struct MHD_Connection *connection,
                             const char *url, const char *method)
{
    bool readable = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
                    strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(url, routes[i].path) == 0) {
            return readable ? routes[i].serve(request, connection) : refuse_method(connection);
        }
    }
    return send_constant(connection, MHD_HTTP_NOT_FOUND, TYPE_TEXT, "There is no such page.\n");
}

/* Called first when the headers are there, then for each piece of an upload, and once more at its
 * end. An answer before the end closes the connection, so uploads are read over and forgotten. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **request)
{
    (void)version;
    (void)upload_data;
    if (*request == NULL) {
        struct request *begun = malloc(sizeof *begun);
        if (begun == NULL) {
            return MHD_NO;
        }
        *begun = (struct request){.server = context};
        *request = begun;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    return route(*request, connection, url, method);
}

/* The page has been sent, or its client is gone. */
static void forget(void *context, struct MHD_Connection *connection, void **request,
                   enum MHD_RequestTerminationCode why)
{
    struct http_server *server = context;
    struct request *ended = *request;

    (void)connection;
    (void)why;
    if (ended != NULL) {
        server->pages -= ended->page;
        free(ended);
        *request = NULL;
    }
}

int http_server_create(struct http_server **out, const struct http_setup *setup,
                       struct registry *registry, struct text *error)
{
    struct http_server *server = calloc(1, sizeof *server);
    unsigned per_address = setup->connections_max / 2 + setup->connections_max % 2;
    int fd;

    if (server == NULL) {
        return -ENOMEM;
    }
    server->registry = registry;
    int result = socket_listen_tcp(setup->address, &fd, error);
    if (result < 0) {
        free(server);
        return result;
    }
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, handle, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, forget, server,
        MHD_OPTION_CONNECTION_LIMIT, setup->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        per_address, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((setup->timeout_ns + NS_PER_SECOND - 1) / NS_PER_SECOND), MHD_OPTION_END);
    if (server->daemon == NULL) {
        (void)close(fd);
        free(server);
        text_add_format(error, "cannot start the web server on %s", setup->address);
        return -EIO;
    }
    *out = server;
    return 0;
}

void http_server_set_ready(struct http_server *server, bool ready)
{
    atomic_store(&server->ready, ready);
}

void http_server_free(struct http_server *server)
{
    if (server != NULL) {
        MHD_stop_daemon(server->daemon);
        free(server);
    }
}
