/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/output.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/socket.h"
#include "decode/frame_stream.h"
#include "ingest/handshake.h"

#define RETRY_NS      NS_PER_SECOND       /* from one attempt to connect to the next */
#define HANDSHAKE_NS  (5 * NS_PER_SECOND) /* to connect and be accepted */
#define FAREWELL_NS   NS_PER_SECOND       /* for what is queued at the end */
#define FINISH_NS     (NS_PER_SECOND / 2) /* for the receiver to answer STOP */
#define LOOK_MS       500                 /* how late it may be noticed that an idle one has gone */
#define CONTROL_SPACE (8 + FRAME_STREAM_CONTROL_MAX)

struct output {
    const struct config_output *config;
    struct output_tally *tally;
    pthread_t thread;
    pthread_mutex_t lock; /* over the next four */
    pthread_cond_t changed;
    struct span_queue queue;
    bool ending;
    uint64_t deadline_ns; /* monotonic; once it is ending */
    /* Of the thread. */
    int fd;          /* -1: not connected */
    size_t sent;     /* bytes of the front that are sent or given up */
    uint32_t passed; /* frames among them */
    bool complained; /* that it cannot connect */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_ending(struct output *output)
{
    (void)pthread_mutex_lock(&output->lock);
    bool ending = output->ending;
    (void)pthread_mutex_unlock(&output->lock);
    return ending;
}

/* By when something that may take until `wanted_ns` has to be done. */
static uint64_t deadline(struct output *output, uint64_t wanted_ns)
{
    (void)pthread_mutex_lock(&output->lock);
    uint64_t deadline_ns = output->ending ? least(wanted_ns, output->deadline_ns) : wanted_ns;
    (void)pthread_mutex_unlock(&output->lock);
    return deadline_ns;
}

/* --- The connection --- */

/* Wait until the socket is ready, in pieces, so that the end is noticed. False at the deadline. */
static bool wait_ready(struct output *output, short events, uint64_t until_ns)
{
    struct pollfd wanted = {.fd = output->fd, .events = events};

    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t end_ns = deadline(output, until_ns);
        if (now_ns >= end_ns) {
            return false;
        }
        int ms = (int)least((end_ns - now_ns) / NS_PER_MS + 1, LOOK_MS);
        if (poll(&wanted, 1, ms) > 0) {
            return true;
        }
    }
}

static void disconnect(struct output *output)
{
    (void)close(output->fd);
    output->fd = -1;
    atomic_store(&output->tally->connected, false);
}

/* All of it; nobody else writes to a socket that has just been opened, or is about to be closed. */
static int send_control(struct output *output, enum handshake_word word)
{
    struct handshake_reply frame;

    handshake_say(word, &frame);
    ssize_t sent = send(output->fd, frame.data, frame.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == (ssize_t)frame.len ? 0 : sent < 0 ? -errno : -EPIPE;
}

/* The receiver says nothing but control frames. */
static int expect_control(struct output *output, enum handshake_word word, uint64_t until_ns)
{
    uint8_t data[CONTROL_SPACE];
    size_t len = 0;
    struct frame_stream stream;

    frame_stream_init(&stream, 0);
    while (len < sizeof data && wait_ready(output, POLLIN, until_ns)) {
        ssize_t got = recv(output->fd, data + len, sizeof data - len, MSG_DONTWAIT);
        if (got <= 0) {
            return got < 0 ? -errno : -ECONNRESET;
        }
        len += (size_t)got;
        struct bytes input = {data, len};
        struct bytes control;
        enum frame_stream_event event = frame_stream_next(&stream, &input, &control);
        if (event != FRAME_STREAM_NEED_MORE) {
            return event == FRAME_STREAM_CONTROL && handshake_hears(word, control) ? 0 : -EPROTO;
        }
    }
    return -ETIMEDOUT;
}

static int connect_and_shake_hands(struct output *output)
{
    const struct config_output *config = output->config;
    uint64_t until_ns = clock_monotonic_ns() + HANDSHAKE_NS;
    socklen_t len = sizeof(int);
    int failure = 0;

    int result = config->path != NULL ? socket_connect_unix(config->path, &output->fd)
                                      : socket_connect_tcp(config->address, &output->fd);
    if (result < 0) {
        output->fd = -1;
        return result;
    }
    if (!wait_ready(output, POLLOUT, until_ns)) {
        return -ETIMEDOUT;
    }
    if (getsockopt(output->fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0 || failure != 0) {
        return failure != 0 ? -failure : -errno;
    }
    result = send_control(output, HANDSHAKE_READY);
    if (result == 0) {
        result = expect_control(output, HANDSHAKE_ACCEPT, until_ns);
    }
    return result == 0 ? send_control(output, HANDSHAKE_START) : result;
}

/* One line for each time that it comes and goes, however often it is tried. */
static bool open_connection(struct output *output)
{
    int result = connect_and_shake_hands(output);

    if (result == 0) {
        log_info("output connected", "output", output->config->name, NULL);
        atomic_store(&output->tally->connected, true);
        output->complained = false;
        return true;
    }
    if (output->fd >= 0) {
        disconnect(output);
    }
    if (!output->complained) {
        log_warn("output cannot connect, it is tried every second", "output", output->config->name,
                 "error", strerror(-result), NULL);
        output->complained = true;
    }
    return false;
}

/* --- The queue --- */

/* Wait until there is a span, for at most LOOK_MS. False where there is none. */
static bool wait_for_span(struct output *output, struct span *span)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * (long)NS_PER_MS;
    until.tv_sec += until.tv_nsec / (long)NS_PER_SECOND;
    until.tv_nsec %= (long)NS_PER_SECOND;

    (void)pthread_mutex_lock(&output->lock);
    bool there = span_queue_front(&output->queue, span);
    if (!there && !output->ending) {
        (void)pthread_cond_timedwait(&output->changed, &output->lock, &until);
        there = span_queue_front(&output->queue, span);
    }
    (void)pthread_mutex_unlock(&output->lock);
    return there;
}

/* The rest of the front's frames are there, or given up. */
static void finish_span(struct output *output, _Atomic uint64_t *counter, const struct span *span)
{
    output_tally_add(counter, span->frames - output->passed);
    output->sent = 0;
    output->passed = 0;
    (void)pthread_mutex_lock(&output->lock);
    span_queue_pop(&output->queue);
    (void)pthread_mutex_unlock(&output->lock);
}

/* The connection broke: what was sent whole has been passed on, what was sent in part is given up,
 * and the next connection goes on behind it. */
static void give_up_part(struct output *output, const struct span *span)
{
    size_t at = 0;
    uint32_t frames = 0;
    bool cut = false;

    while (at < output->sent) {
        struct cursor cursor = cursor_over((struct bytes){span->bytes.data + at, 4});
        at += 4 + (size_t)cursor_be32(&cursor);
        frames++;
        cut = at > output->sent;
    }
    output_tally_add(&output->tally->frames, frames - output->passed - cut);
    output_tally_add(&output->tally->dropped[OUTPUT_DROP_CUT], cut);
    output->sent = at;
    output->passed = frames;
    if (at == span->bytes.len) {
        finish_span(output, &output->tally->frames, span);
    }
}

static void lose_connection(struct output *output, const struct span *span, int result)
{
    log_warn("output lost", "output", output->config->name, "error", strerror(-result), NULL);
    disconnect(output);
    if (span != NULL) {
        give_up_part(output, span);
    }
}

static void send_span(struct output *output, const struct span *span)
{
    while (output->sent < span->bytes.len) {
        ssize_t sent = send(output->fd, span->bytes.data + output->sent,
                            span->bytes.len - output->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            output->sent += (size_t)sent;
        } else if (errno == EAGAIN) {
            if (!wait_ready(output, POLLOUT, UINT64_MAX)) {
                return; /* only the end is a reason to stop waiting */
            }
        } else if (errno != EINTR) {
            lose_connection(output, span, -errno);
            return;
        }
    }
    finish_span(output, &output->tally->frames, span);
}

/* An idle receiver that hung up; it has nothing to say otherwise. */
static void look_whether_gone(struct output *output)
{
    uint8_t byte;
    ssize_t got = recv(output->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        lose_connection(output, NULL, got == 0 ? -ECONNRESET : -errno);
    }
}

/* --- The thread --- */

static bool is_time_left(struct output *output)
{
    return clock_monotonic_ns() < deadline(output, UINT64_MAX);
}

/* Until the next attempt, or until the output ends. */
static void pause_before_retry(struct output *output)
{
    const struct timespec piece = {.tv_nsec = 50 * (long)NS_PER_MS};
    uint64_t until_ns = clock_monotonic_ns() + RETRY_NS;

    while (clock_monotonic_ns() < until_ns && !is_ending(output)) {
        (void)nanosleep(&piece, NULL);
    }
}

static void count_rest(struct output *output)
{
    struct span span;

    if (output->sent > 0 && span_queue_front(&output->queue, &span)) {
        give_up_part(output, &span);
    }
    while (span_queue_front(&output->queue, &span)) {
        finish_span(output, &output->tally->dropped[OUTPUT_DROP_SHUTDOWN], &span);
    }
}

static void say_farewell(struct output *output)
{
    if (output->fd < 0) {
        return;
    }
    if (output->sent == 0 && send_control(output, HANDSHAKE_STOP) == 0) {
        output->deadline_ns = UINT64_MAX; /* FINISH has its own time */
        (void)expect_control(output, HANDSHAKE_FINISH, clock_monotonic_ns() + FINISH_NS);
    }
    disconnect(output);
}

static void *run(void *context)
{
    struct output *output = context;
    struct span span;

    while (is_time_left(output)) {
        if (output->fd < 0 && !open_connection(output)) {
            if (is_ending(output)) {
                break;
            }
            pause_before_retry(output);
        } else if (wait_for_span(output, &span)) {
            send_span(output, &span);
        } else if (is_ending(output)) {
            break;
        } else {
            look_whether_gone(output);
        }
    }
    say_farewell(output);
    count_rest(output);
    return NULL;
}

void output_push(struct output *output, const struct span *span)
{
    (void)pthread_mutex_lock(&output->lock);
    bool was_empty = output->queue.head == output->queue.tail;
    bool pushed = span_queue_push(&output->queue, span);
    if (pushed && was_empty) {
        (void)pthread_cond_signal(&output->changed);
    }
    (void)pthread_mutex_unlock(&output->lock);
    if (!pushed) {
        output_tally_add(&output->tally->dropped[OUTPUT_DROP_QUEUE_FULL], span->frames);
    }
}

static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int result = -pthread_cond_init(condition, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return result;
}

static void release(struct output *output)
{
    span_queue_deinit(&output->queue);
    (void)pthread_cond_destroy(&output->changed);
    (void)pthread_mutex_destroy(&output->lock);
    free(output);
}

int output_create(struct output **out, const struct config_output *config,
                  struct output_tally *tally)
{
    struct output *output = calloc(1, sizeof *output);

    if (output == NULL) {
        return -ENOMEM;
    }
    output->config = config;
    output->tally = tally;
    output->fd = -1;
    (void)pthread_mutex_init(&output->lock, NULL);
    int result = init_condition(&output->changed);
    if (result == 0) {
        result = span_queue_init(&output->queue, config->queue);
    }
    if (result == 0) {
        result = -pthread_create(&output->thread, NULL, run, output);
    }
    if (result < 0) {
        release(output);
        return result;
    }
    *out = output;
    return 0;
}

void output_end(struct output *output)
{
    (void)pthread_mutex_lock(&output->lock);
    output->ending = true;
    output->deadline_ns = clock_monotonic_ns() + FAREWELL_NS;
    (void)pthread_cond_signal(&output->changed);
    (void)pthread_mutex_unlock(&output->lock);
}

void output_free(struct output *output)
{
    (void)pthread_join(output->thread, NULL);
    release(output);
}
