/* SPDX-License-Identifier: Apache-2.0 */
#include "login_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "http_internal.h"

#define QUEUE_MAX  16
#define ORIGIN_MAX 4 /* of them from one address */

#define NICENESS   10

struct login_queue {
    pthread_t thread;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t changed;
    struct request *waiting[QUEUE_MAX]; /* [count], the first is next */
    unsigned count;
    bool ending;
};

static bool login_has_room(const struct login_queue *queue, const struct request *request)
{
    unsigned of_origin = 0;

    for (unsigned i = 0; i < queue->count; i++) {
        of_origin += client_same_origin(queue->waiting[i]->client, request->client);
    }
    return !queue->ending && queue->count < QUEUE_MAX && of_origin < ORIGIN_MAX;
}

/* The request is suspended before it is in the queue: its status may come at once. */
static bool login_enqueue(struct login_queue *queue, struct request *request)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool taken = login_has_room(queue, request);
    if (taken) {
        MHD_suspend_connection(request->connection);
        queue->waiting[queue->count++] = request;
        (void)pthread_cond_signal(&queue->changed);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return taken;
}

bool login_check(struct login_queue *queue, struct request *request)
{
    struct login *login = &request->login;

    if (!web_security_has_users(request->security)) {
        login->state = LOGIN_ACCEPTED;
        return true;
    }
    login->user = MHD_basic_auth_get_username_password(request->connection, &login->password);
    if (login->user == NULL || login->password == NULL) {
        login->state = LOGIN_REFUSED;
    } else if (web_security_remembers(request->security, login->user, login->password)) {
        login->state = LOGIN_ACCEPTED;
    } else {
        if (login_enqueue(queue, request)) {
            return false;
        }
        login->state = LOGIN_BUSY;
    }
    return true;
}

void login_deinit(struct login *login)
{
    if (login->password != NULL) {
        gnutls_memset(login->password, 0, strlen(login->password));
    }
    MHD_free(login->password);
    MHD_free(login->user);
}

/* --- The thread --- */

/* NULL at the end. */
static struct request *login_next(struct login_queue *queue)
{
    struct request *request = NULL;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->ending) {
        (void)pthread_cond_wait(&queue->changed, &queue->lock);
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
    struct login_queue *queue = context;
    struct request *request;

    (void)setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread only, on Linux */
    while ((request = login_next(queue)) != NULL) {
        struct login *login = &request->login;
        struct web_security *security = request->security;
        bool right = web_security_remembers(security, login->user, login->password) ||
                     web_security_verify(security, login->user, login->password);
        login->state = right ? LOGIN_ACCEPTED : LOGIN_REFUSED;
        MHD_resume_connection(request->connection);
    }
    return NULL;
}

int login_queue_create(struct login_queue **out)
{
    struct login_queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL) {
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_cond_init(&queue->changed, NULL);
    int result = pthread_create(&queue->thread, NULL, verify_all, queue);
    if (result != 0) {
        free(queue);
        return -result;
    }
    *out = queue;
    return 0;
}

void login_queue_end(struct login_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->ending = true;
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    (void)pthread_join(queue->thread, NULL);
    for (unsigned i = 0; i < queue->count; i++) {
        queue->waiting[i]->login.state = LOGIN_BUSY;
        MHD_resume_connection(queue->waiting[i]->connection);
    }
}

void login_queue_free(struct login_queue *queue)
{
    if (queue != NULL) {
        (void)pthread_cond_destroy(&queue->changed);
        (void)pthread_mutex_destroy(&queue->lock);
        free(queue);
    }
}
