/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/negotiation.h"
#include "http_internal.h"

#define TOP_LIMIT_DEFAULT 10   /* entries of a list; chosen */
#define TOP_LIMIT_MAX     1000 /* as top.max_series */
#define HISTORY_MINUTES   60

static enum exposition wanted_exposition(struct request *request)
{
    struct text accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);
    enum exposition format = negotiate_exposition(accept.data);

    text_deinit(&accept);
    return format;
}

static int make_metrics(void *context, const struct page_key *key, struct text *page)
{
    struct registry *registry = context;
    enum exposition format = (enum exposition)key->kind;
    uint64_t started_ns = clock_monotonic_ns();
    int result = registry_write_page(registry, format, page);

    if (result == 0) {
        registry_note_scrape(registry, format, clock_monotonic_ns() - started_ns);
    }
    return result;
}

static enum MHD_Result serve_stored(struct request *request, const char *content_type,
                                    const struct page_key *key)
{
    struct http_server *server = request->server;
    struct page *page = NULL;
    int got = page_store_get(&server->pages, key, server->registry, &page);

    return answer_page(request, content_type, page, got);
}

static enum MHD_Result serve_metrics(struct request *request)
{
    static const char *const types[EXPOSITION_COUNT] = {
        [EXPOSITION_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
        [EXPOSITION_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        [EXPOSITION_PROTOBUF] = ("application/vnd.google.protobuf; "
                                 "proto=io.prometheus.client.MetricFamily; encoding=delimited"),
    };
    const struct page_key key = {
        .make = make_metrics,
        .kind = wanted_exposition(request),
        .gzip = request_accepts_gzip(request),
        .budget = PAGE_OF_METRICS,
    };

    return serve_stored(request, types[key.kind], &key);
}

/* A number of 1 to TOP_LIMIT_MAX; NULL leaves the default. */
static bool parse_limit(const char *text, unsigned *limit)
{
    char *end;

    if (text == NULL) {
        return true;
    }
    unsigned long value = strtoul(text, &end, 10);
    *limit = (unsigned)value;
    return *text >= '0' && *text <= '9' && *end == '\0' && value >= 1 && value <= TOP_LIMIT_MAX;
}

static int make_top(void *context, const struct page_key *key, struct text *page)
{
    return registry_write_top(context, key->kind, page);
}

static int make_findings(void *context, const struct page_key *key, struct text *page)
{
    return registry_write_findings(context, key->kind, page);
}

static int make_status(void *context, const struct page_key *key, struct text *page)
{
    return registry_write_status(context, key->kind, page);
}

static int make_history(void *context, const struct page_key *key, struct text *page)
{
    return registry_write_history(context, key->kind, page);
}

static enum MHD_Result serve_json(struct request *request, unsigned limit,
                                  int (*make)(void *context, const struct page_key *key,
                                              struct text *page))
{
    if (!parse_limit(
            MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "limit"),
            &limit)) {
        return answer_constant(request, MHD_HTTP_BAD_REQUEST, TYPE_TEXT,
                               "limit: expected a number from 1 to 1000.\n");
    }
    const struct page_key key = {
        .make = make,
        .kind = limit,
        .gzip = request_accepts_gzip(request),
        .budget = PAGE_OF_JSON,
    };
    return serve_stored(request, TYPE_JSON, &key);
}

static enum MHD_Result serve_top(struct request *request)
{
    return serve_json(request, TOP_LIMIT_DEFAULT, make_top);
}

static enum MHD_Result serve_findings(struct request *request)
{
    return serve_json(request, TOP_LIMIT_MAX, make_findings);
}

static enum MHD_Result serve_status_json(struct request *request)
{
    return serve_json(request, TOP_LIMIT_DEFAULT, make_status);
}

static enum MHD_Result serve_history(struct request *request)
{
    return serve_json(request, HISTORY_MINUTES, make_history);
}

static enum MHD_Result serve_landing(struct request *request)
{
    return answer_site(request, &site_landing);
}

static enum MHD_Result serve_status(struct request *request)
{
    return answer_site(request, &site_status);
}

/* As comments: it is of another file. */
static void add_web_configuration(struct request *request, struct text *page)
{
    struct text web = {0};
    char *rest;

    web_security_print(request->security, &web);
    for (char *line = web.len > 0 ? strtok_r(web.data, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        text_append_format(page, "# %s\n", line);
    }
    page->failed |= web.failed;
    text_deinit(&web);
}

static enum MHD_Result serve_configuration(struct request *request)
{
    struct http_server *server = request->server;
    struct text page = {0};

    (void)pthread_mutex_lock(&server->lock);
    text_append_bytes(&page, (struct bytes){(const uint8_t *)server->configuration.data,
                                            server->configuration.len});
    (void)pthread_mutex_unlock(&server->lock);
    add_web_configuration(request, &page);
    return answer_text(request, MHD_HTTP_OK, TYPE_YAML, &page);
}

static enum MHD_Result serve_healthy(struct request *request)
{
    return answer_constant(request, MHD_HTTP_OK, TYPE_TEXT, "dnstap_exporter is healthy.\n");
}

static enum MHD_Result serve_ready(struct request *request)
{
    if (atomic_load(&request->server->ready)) {
        return answer_constant(request, MHD_HTTP_OK, TYPE_TEXT, "dnstap_exporter is ready.\n");
    }
    return answer_constant(request, MHD_HTTP_SERVICE_UNAVAILABLE, TYPE_TEXT,
                           "dnstap_exporter is not ready.\n");
}

/* Suspends the request until http_server_answer_reload(). */
static enum MHD_Result wait_for_reload(struct request *request)
{
    struct http_server *server = request->server;

    MHD_suspend_connection(request->connection);
    (void)pthread_mutex_lock(&server->lock);
    request->reload = server->ending ? RELOAD_FAILED : RELOAD_WAITS;
    if (!server->ending) {
        request->next = server->reloading;
        server->reloading = request;
        wakeup_signal(&server->reload);
    }
    bool waits = request->reload == RELOAD_WAITS;
    (void)pthread_mutex_unlock(&server->lock);
    if (!waits) {
        MHD_resume_connection(request->connection);
    }
    return MHD_YES;
}

/* Whether a page of another site makes the browser ask (RFC 6454 section 7). */
static bool is_cross_origin(struct request *request)
{
    struct text origin = request_header(request, MHD_HTTP_HEADER_ORIGIN);
    struct text host = request_header(request, MHD_HTTP_HEADER_HOST);
    const char *authority = strstr(text_string(&origin), "://");
    bool is_other = origin.len > 0 &&
                    (authority == NULL || strcasecmp(authority + 3, text_string(&host)) != 0);

    text_deinit(&origin);
    text_deinit(&host);
    return is_other;
}

static enum MHD_Result serve_reload(struct request *request)
{
    if (is_cross_origin(request)) {
        request_note_refusal(request, WEB_REFUSAL_CROSS_ORIGIN, NULL);
        return answer_constant(request, MHD_HTTP_FORBIDDEN, TYPE_TEXT,
                               "Cross-origin requests are refused.\n");
    }
    if (!request->server->lifecycle) {
        return answer_constant(request, MHD_HTTP_FORBIDDEN, TYPE_TEXT,
                               "Reloading by request is off; see --web.enable-lifecycle.\n");
    }
    if (request->reload == RELOAD_NOT_ASKED) {
        return wait_for_reload(request);
    }
    if (request->reload == RELOAD_DONE) {
        return answer_constant(request, MHD_HTTP_OK, TYPE_TEXT, "Configuration reloaded.\n");
    }
    struct text page = request->reload_error;
    request->reload_error = (struct text){0};
    text_append_char(&page, '\n');
    return answer_text(request, MHD_HTTP_INTERNAL_SERVER_ERROR, TYPE_TEXT, &page);
}

/* TLS or a password already stops DNS rebinding: the browser checks the certificate's name, or has
 * no password for that origin. */
static bool is_rebound(struct request *request)
{
    struct http_server *server = request->server;
    struct text host;

    if (!web_security_needs_host_check(request->security)) {
        return false;
    }
    host = request_header(request, MHD_HTTP_HEADER_HOST);
    (void)pthread_mutex_lock(&server->lock);
    bool allowed = host_names_allow(server->hosts, text_string(&host));
    (void)pthread_mutex_unlock(&server->lock);
    if (!allowed) {
        request_note_refusal(request, WEB_REFUSAL_HOST, text_string(&host));
    }
    text_deinit(&host);
    return !allowed;
}

enum methods { METHODS_READ, METHODS_WRITE };

static const struct {
    const char *path;
    enum MHD_Result (*serve)(struct request *request);
    enum methods methods;
    bool is_public; /* it says nothing of clients or the configuration */
} routes[] = {
    {"/metrics", serve_metrics, METHODS_READ, false},
    {"/", serve_landing, METHODS_READ, false},
    {"/status", serve_status, METHODS_READ, false},
    {"/config", serve_configuration, METHODS_READ, false},
    {"/api/v1/top", serve_top, METHODS_READ, false},
    {"/api/v1/status", serve_status_json, METHODS_READ, false},
    {"/api/v1/findings", serve_findings, METHODS_READ, false},
    {"/api/v1/history", serve_history, METHODS_READ, false},
    {"/-/healthy", serve_healthy, METHODS_READ, true},
    {"/-/ready", serve_ready, METHODS_READ, true},
    {"/-/reload", serve_reload, METHODS_WRITE, false},
};

static const struct {
    const char *names[2];
    const char *allow;
    const char *refusal;
} methods[] = {
    [METHODS_READ] = {{MHD_HTTP_METHOD_GET, MHD_HTTP_METHOD_HEAD},
                      "GET, HEAD, OPTIONS",
                      "Only GET and HEAD.\n"},
    [METHODS_WRITE] = {{MHD_HTTP_METHOD_POST, MHD_HTTP_METHOD_PUT},
                       "POST, PUT, OPTIONS",
                       "Only POST and PUT.\n"},
};

/* The path of a request target (RFC 9112 section 3.2), which may be a whole URL. OPTIONS may ask
 * for "*", the server. */
static const char *path_of(const char *target, const char *method)
{
    const char *authority = strstr(target, "://");

    if (strcmp(target, "*") == 0 && strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        return "/";
    }
    if (target[0] == '/' || authority == NULL) {
        return target;
    }
    const char *path = strchr(authority + 3, '/');
    return path != NULL ? path : "/";
}

enum MHD_Result pages_serve(struct request *request, const char *target, const char *method)
{
    const char *url = path_of(target, method);

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        enum methods allowed = routes[i].methods;
        if (strcmp(url, routes[i].path) != 0) {
            continue;
        }
        if (!routes[i].is_public && request->reload == RELOAD_NOT_ASKED && is_rebound(request)) {
            return answer_constant(request, MHD_HTTP_MISDIRECTED_REQUEST, TYPE_TEXT,
                                   "The Host of this request is neither an address nor a name of "
                                   "this machine; web.hosts allows further names.\n");
        }
        if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0) {
            return answer_refusal(request, MHD_HTTP_NO_CONTENT, MHD_HTTP_HEADER_ALLOW,
                                  methods[allowed].allow, "");
        }
        if (strcmp(method, methods[allowed].names[0]) == 0 ||
            strcmp(method, methods[allowed].names[1]) == 0) {
            return routes[i].serve(request);
        }
        return answer_refusal(request, MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_HEADER_ALLOW,
                              methods[allowed].allow, methods[allowed].refusal);
    }
    return answer_constant(request, MHD_HTTP_NOT_FOUND, TYPE_TEXT, "There is no such page.\n");
}
