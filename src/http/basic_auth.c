/* SPDX-License-Identifier: Apache-2.0 */
#include "basic_auth_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/wakeup.h"
#include "http_internal.h"
#include "web_users_internal.h"

#define QUEUE_MAX  16 /* chosen: 16 verifications of a second each */
#define ORIGIN_MAX 4  /* of them from one address */

#define NICENESS   10 /* chosen: DNS servers and workers go first */

struct basic_auth_queue {
    pthread_t thread;
    pthread_mutex_t lock;               /* over all below */
    struct wakeup changed;              /* a request waits, or the server shuts down */
    struct request *waiting[QUEUE_MAX]; /* [count], the first is next */
    unsigned count;
    bool ending;
};

static bool basic_auth_has_room(const struct basic_auth_queue *queue, const struct request *request)
{
    unsigned of_origin = 0;

    for (unsigned i = 0; i < queue->count; i++) {
        of_origin += client_same_origin(queue->waiting[i]->client, request->client);
    }
    return !queue->ending && queue->count < QUEUE_MAX && of_origin < ORIGIN_MAX;
}

/* The request is suspended before it is in the queue: its status may come at once. */
static bool basic_auth_enqueue(struct basic_auth_queue *queue, struct request *request)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool taken = basic_auth_has_room(queue, request);
    if (taken) {
        MHD_suspend_connection(request->connection);
        queue->waiting[queue->count++] = request;
        wakeup_signal(&queue->changed);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return taken;
}

/* NAME:PASSWORD; RFC 7617 section 2 has no control characters in them, and a NUL would end them
 * early. */
static bool split_credentials(struct basic_auth *auth, const char *decoded, size_t len)
{
    const char *colon = memchr(decoded, ':', len);

    if (colon == NULL || memchr(decoded, '\0', len) != NULL) {
        return false;
    }
    auth->user = strndup(decoded, (size_t)(colon - decoded));
    auth->password = strndup(colon + 1, len - (size_t)(colon + 1 - decoded));
    return auth->user != NULL && auth->password != NULL;
}

#define SCHEME     "Basic "
#define SCHEME_LEN (sizeof SCHEME - 1)

/* False where there are none, or what is none. */
static bool read_credentials(struct request *request, struct basic_auth *auth)
{
    struct text header = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    char *decoded = malloc(header.len + 1);
    bool has_scheme = strncasecmp(text_string(&header), SCHEME, SCHEME_LEN) == 0;
    bool is_read = false;

    auth->is_given = header.len > 0;
    if (decoded != NULL && has_scheme) {
        int len = b64_pton(header.data + SCHEME_LEN, (unsigned char *)decoded, header.len);
        is_read = len >= 0 && split_credentials(auth, decoded, (size_t)len);
        explicit_bzero(decoded, header.len);
    }
    free(decoded);
    text_deinit(&header);
    return is_read;
}

bool basic_auth_check(struct basic_auth_queue *queue, struct request *request)
{
    struct basic_auth *auth = &request->auth;
    struct web_users *users = web_security_users(request->security);

    if (users == NULL) {
        auth->state = BASIC_AUTH_ACCEPTED;
        return true;
    }
    if (!read_credentials(request, auth)) {
        auth->state = BASIC_AUTH_REFUSED;
    } else if (web_users_is_verified(users, auth->user, auth->password)) {
        auth->state = BASIC_AUTH_ACCEPTED;
    } else {
        if (basic_auth_enqueue(queue, request)) {
            return false;
        }
        auth->state = BASIC_AUTH_BUSY;
    }
    return true;
}

void basic_auth_deinit(struct basic_auth *auth)
{
    if (auth->password != NULL) {
        explicit_bzero(auth->password, strlen(auth->password));
    }
    free(auth->password);
    free(auth->user);
}

/* --- The thread --- */

/* NULL at the end. */
static struct request *basic_auth_next(struct basic_auth_queue *queue)
{
    struct request *request = NULL;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->ending) {
        (void)pthread_mutex_unlock(&queue->lock);
        wakeup_wait(&queue->changed, UINT64_MAX);
        wakeup_clear(&queue->changed);
        (void)pthread_mutex_lock(&queue->lock);
    }
    if (!queue->ending) {
        request = queue->waiting[0];
        queue->count--;
        memmove(queue->waiting, queue->waiting + 1, queue->count * sizeof(struct request *));
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return request;
}

static void *verify_all(void *context)
{
    struct basic_auth_queue *queue = context;
    struct request *request;

    (void)setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread only, on Linux */
    while ((request = basic_auth_next(queue)) != NULL) {
        struct basic_auth *auth = &request->auth;
        struct web_users *users = web_security_users(request->security);
        bool right = web_users_is_verified(users, auth->user, auth->password) ||
                     web_users_verify(users, auth->user, auth->password);
        auth->state = right ? BASIC_AUTH_ACCEPTED : BASIC_AUTH_REFUSED;
        MHD_resume_connection(request->connection);
    }
    return NULL;
}

int basic_auth_queue_create(struct basic_auth_queue **out)
{
    struct basic_auth_queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL) {
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&queue->lock, NULL);
    int result = wakeup_init(&queue->changed);
    if (result == 0) {
        result = -pthread_create(&queue->thread, NULL, verify_all, queue);
        if (result < 0) {
            wakeup_deinit(&queue->changed);
        }
    }
    if (result < 0) {
        free(queue);
        return result;
    }
    *out = queue;
    return 0;
}

void basic_auth_queue_end(struct basic_auth_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->ending = true;
    wakeup_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    (void)pthread_join(queue->thread, NULL);
    for (unsigned i = 0; i < queue->count; i++) {
        queue->waiting[i]->auth.state = BASIC_AUTH_BUSY;
        MHD_resume_connection(queue->waiting[i]->connection);
    }
}

void basic_auth_queue_free(struct basic_auth_queue *queue)
{
    if (queue != NULL) {
        wakeup_deinit(&queue->changed);
        (void)pthread_mutex_destroy(&queue->lock);
        free(queue);
    }
}
