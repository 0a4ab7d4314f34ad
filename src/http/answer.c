/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/negotiation.h"
#include "http_internal.h"

/* For what is not a page of the site. */
#define POLICY_NOTHING "default-src 'none'; frame-ancestors 'none'"

/* Queue the response and let go of it. */
static enum MHD_Result answer_answer(struct request *request, unsigned status,
                                     const char *content_type, const char *policy,
                                     struct MHD_Response *response)
{
    if (response == NULL) {
        return MHD_NO; /* without memory the connection is closed, never half a page sent */
    }
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                                     content_type);
    web_security_add_headers(request->security, response, policy);
    if (result == MHD_YES) {
        result = MHD_queue_response(request->connection, status, response);
    }
    MHD_destroy_response(response);
    return result;
}

static struct MHD_Response *answer_static(const char *body, size_t len)
{
    return MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result answer_constant(struct request *request, unsigned status, const char *content_type,
                                const char *body)
{
    return answer_answer(request, status, content_type, POLICY_NOTHING,
                         answer_static(body, strlen(body)));
}

enum MHD_Result answer_refusal(struct request *request, unsigned status, const char *header,
                               const char *value, const char *body)
{
    struct MHD_Response *response = answer_static(body, strlen(body));

    if (response != NULL) {
        (void)MHD_add_response_header(response, header, value);
    }
    return answer_answer(request, status, TYPE_TEXT, POLICY_NOTHING, response);
}

enum MHD_Result answer_site(struct request *request, const struct site_page *page)
{
    return answer_answer(request, MHD_HTTP_OK, TYPE_HTML, page->policy,
                         answer_static(page->html, strlen(page->html)));
}

struct header {
    const char *name;
    struct text value;
};

static enum MHD_Result answer_collect(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct header *header = context;

    (void)kind;
    if (value != NULL && strcasecmp(name, header->name) == 0) {
        text_append_format(&header->value, "%s%s", header->value.len > 0 ? "," : "", value);
    }
    return MHD_YES;
}

struct text request_header(struct request *request, const char *name)
{
    struct header header = {.name = name};

    (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, answer_collect, &header);
    return header.value;
}

bool request_accepts_gzip(struct request *request)
{
    struct text wanted = request_header(request, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    bool accepts = negotiate_gzip(wanted.data);

    text_deinit(&wanted);
    return accepts;
}

void request_note_refusal(struct request *request, enum web_refusal reason, const char *detail)
{
    refusals_note(&request->server->refusals, reason, request->client->address, detail);
}

static enum MHD_Result refuse_page(struct request *request, int result)
{
    if (result != PAGE_OVER_BUDGET) {
        return answer_constant(request, MHD_HTTP_INTERNAL_SERVER_ERROR, TYPE_TEXT,
                               "Out of memory.\n");
    }
    clients_end_slowest(&request->server->clients);
    return answer_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_HEADER_RETRY_AFTER, "1",
                          "Too many pages are being sent; try again.\n");
}

static void answer_release(void *page)
{
    page_release(page);
}

static enum MHD_Result send_page(struct request *request, const char *content_type,
                                 struct page *page)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        page->text.len, page->text.data, answer_release, page);

    if (response == NULL) {
        page_release(page);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
    if (page->is_packed) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    }
    return answer_answer(request, MHD_HTTP_OK, content_type, POLICY_NOTHING, response);
}

enum MHD_Result answer_page(struct request *request, const char *content_type, struct page *page,
                            int got)
{
    return got != 0 ? refuse_page(request, got) : send_page(request, content_type, page);
}

/* Configurations and mistakes in them, which are small. */
enum MHD_Result answer_text(struct request *request, unsigned status, const char *content_type,
                            struct text *text)
{
    struct MHD_Response *response = NULL;

    if (!text->failed && text->len > 0) {
        response = MHD_create_response_from_buffer(text->len, text->data, MHD_RESPMEM_MUST_FREE);
    }
    if (response == NULL) {
        text_deinit(text);
        return refuse_page(request, -ENOMEM);
    }
    return answer_answer(request, status, content_type, POLICY_NOTHING, response);
}
