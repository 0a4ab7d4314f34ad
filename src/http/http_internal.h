/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * http_internal.h - a request, and what the files of this module do with it
 */

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "base/wakeup.h"
#include "clients_internal.h"
#include "http/http_server.h"
#include "basic_auth_internal.h"
#include "host_names_internal.h"
#include "page_store_internal.h"
#include "refusals_internal.h"
#include "site_internal.h"
#include "web_security_internal.h"

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_JSON "application/json"
#define TYPE_YAML "application/yaml; charset=utf-8"

struct http_server {
    struct registry *registry;
    struct MHD_Daemon **daemons; /* [daemon_count] */
    unsigned daemon_count;
    struct basic_auth_queue *auth_queue;
    struct clients clients;
    struct refusals refusals;
    struct page_store pages;
    bool lifecycle;
    unsigned timeout_s;   /* while a request is under way */
    struct wakeup reload; /* somebody asked for one */
    atomic_bool ready;
    atomic_uint requests; /* under way */
    pthread_mutex_t lock; /* over all below */
    struct web_security *security;
    struct host_names *hosts;
    struct text configuration;
    struct request *reloading; /* those that wait for a reload */
    bool ending;
    /* Of the thread that reloads. */
    struct request *served; /* those that wait for the one under way */
};

enum reload_state { RELOAD_NOT_ASKED, RELOAD_WAITS, RELOAD_DONE, RELOAD_FAILED };

/* Of the thread of its connection; while that is suspended, of who is to resume it. */
struct request {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct client *client;
    struct web_security *security; /* in force when it came */
    struct basic_auth auth;
    enum reload_state reload;
    struct text reload_error;
    bool is_malformed;    /* its headers contradict each other, or HTTP/1.1 (RFC 9112) */
    struct request *next; /* in server->reloading */
};

/* --- src/http/answer.c: each queues the answer to a request --- */

/** `body` is a constant. */
NONNULL enum MHD_Result answer_constant(struct request *request, unsigned status,
                                        const char *content_type, const char *body);

/** `body` is a constant; the header says what to do instead. */
NONNULL enum MHD_Result answer_refusal(struct request *request, unsigned status, const char *header,
                                       const char *value, const char *body);

/** A page of the store; `got` is what getting it returned, and where that is negative there is
 * none. */
enum MHD_Result answer_page(struct request *request, const char *content_type, struct page *page,
                            int got);

/** Takes over the text's memory. */
NONNULL enum MHD_Result answer_text(struct request *request, unsigned status,
                                    const char *content_type, struct text *text);

/** Whether the client accepts gzip. */
NONNULL bool request_accepts_gzip(struct request *request);

/** One of the site's pages, which outlives the answer. */
NONNULL enum MHD_Result answer_site(struct request *request, const struct site_page *page);

/** All values of a request's header, with commas between them (RFC 9110 section 5.3). */
NONNULL struct text request_header(struct request *request, const char *name);

/** Note that the request is refused. `detail` is what it had, for the log; NULL: nothing. */
void request_note_refusal(struct request *request, enum web_refusal reason, const char *detail);

/* --- src/http/pages.c --- */

/** Answer a request for `target`, a path, a URL or "*", or suspend it. */
NONNULL enum MHD_Result pages_serve(struct request *request, const char *target,
                                    const char *method);
