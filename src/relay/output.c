/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/output.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
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
#include "relay/connection_failure.h"
#include "stream/socket.h"
#include "stream/byte_stream.h"
#include "stream/session.h"

#define RETRY_NS          NS_PER_SECOND       /* from one attempt to connect to the next */
#define HANDSHAKE_NS      (5 * NS_PER_SECOND) /* to connect and be accepted */
#define SHUTDOWN_GRACE_NS NS_PER_SECOND       /* for what is queued at the end */
#define FINISH_NS         (NS_PER_SECOND / 2) /* for the receiver to answer STOP */
#define LOOK_MS           500 /* how late it may be noticed that an idle one has gone */
#define HEARD_SIZE        (8 + FRAME_STREAM_CONTROL_MAX) /* a control frame with escape and length */

struct output {
    struct output_setup setup;
    struct output_counters *counters;
    pthread_t thread;
    struct frame_queue queue;     /* woken when the exporter shuts down */
    _Atomic uint64_t deadline_ns; /* monotonic; UINT64_MAX until the shutdown */
    /* Of the thread. */
    struct tls_context *tls;    /* NULL: without TLS */
    struct byte_stream *stream; /* NULL: not connected */
    struct session session;
    uint8_t heard[HEARD_SIZE]; /* [heard_len]: the beginning of a control frame */
    size_t heard_len;
    bool write_waits;    /* a write returned AGAIN: only its bytes may come next */
    bool is_last_try;    /* the shutdown has had its attempt to connect */
    uint64_t attempt_ns; /* monotonic: not before then */
    size_t sent;         /* bytes of the front that are sent or given up */
    uint32_t passed;     /* frames among them */
    bool reported;       /* that it cannot connect */
};

static uint64_t output_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_deadline(struct output *output, uint64_t deadline_ns)
{
    atomic_store(&output->deadline_ns, deadline_ns);
    frame_queue_wake(&output->queue);
}

/* By when all has to be done. */
static uint64_t output_deadline(struct output *output)
{
    return atomic_load(&output->deadline_ns);
}

static bool is_ending(struct output *output)
{
    return output_deadline(output) != UINT64_MAX;
}

/* --- The connection --- */

/* Errors are texts here; NULL is none. */
static const char timed_out[] = "Connection timed out";

/* Wait for what the stream waits for, in pieces, so that a shutdown is noticed. False at the
 * deadline. */
static bool wait_ready(struct output *output, uint64_t until_ns)
{
    struct pollfd wanted = {.fd = byte_stream_fd(output->stream),
                            .events = (short)byte_stream_poll_events(output->stream)};

    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t end_ns = output_least(until_ns, output_deadline(output));
        if (now_ns >= end_ns) {
            return false;
        }
        if ((wanted.events & POLLIN) != 0 && byte_stream_pending(output->stream)) {
            return true; /* behind a ticket of TLS, where poll() does not see it */
        }
        int ms = (int)output_least((end_ns - now_ns) / NS_PER_MS + 1, LOOK_MS);
        if (poll(&wanted, 1, ms) > 0) {
            return true;
        }
    }
}

static void output_disconnect(struct output *output)
{
    byte_stream_free(output->stream);
    output->stream = NULL;
    atomic_store(&output->counters->connected, false);
}

/* What a result other than OK and AGAIN means. */
static const char *stream_error(const struct output *output, enum byte_stream_result result)
{
    return result == BYTE_STREAM_ERROR ? byte_stream_error(output->stream) : strerror(ECONNRESET);
}

/* Do a step of the stream until it is done. */
static const char *output_finish(struct output *output, uint64_t until_ns,
                                 enum byte_stream_result (*step)(struct output *output))
{
    enum byte_stream_result result;

    while ((result = step(output)) == BYTE_STREAM_AGAIN) {
        if (!wait_ready(output, until_ns)) {
            return timed_out;
        }
    }
    return result == BYTE_STREAM_OK ? NULL : stream_error(output, result);
}

static enum byte_stream_result step_open(struct output *output)
{
    return byte_stream_open(output->stream);
}

static enum byte_stream_result step_flush(struct output *output)
{
    return session_flush(&output->session, output->stream);
}

static enum byte_stream_result step_end(struct output *output)
{
    return byte_stream_end(output->stream);
}

static enum byte_stream_result step_read(struct output *output)
{
    size_t count = 0;
    enum byte_stream_result result = byte_stream_read(
        output->stream, output->heard + output->heard_len, HEARD_SIZE - output->heard_len, &count);

    output->heard_len += count;
    return result;
}

/* The receiver says nothing but control frames. Wait until one of them leads to `state`. */
static const char *expect_state(struct output *output, enum session_state state, uint64_t until_ns)
{
    while (output->session.state != state) {
        struct bytes input = {output->heard, output->heard_len};
        struct bytes none;
        enum session_event event = session_next(&output->session, &input, &none);

        if (event == SESSION_NEED_MORE && output->heard_len < HEARD_SIZE) {
            const char *error = output_finish(output, until_ns, step_read);
            if (error != NULL) {
                return error;
            }
        } else if (event != SESSION_PROGRESS) {
            return strerror(EPROTO);
        } else {
            memmove(output->heard, input.data, input.len);
            output->heard_len = input.len;
        }
    }
    return NULL;
}

/* One end of a TCP connection, as text. */
struct end {
    char host[INET6_ADDRSTRLEN];
    char port[6];
};

static bool get_end(int fd, int (*get)(int fd, struct sockaddr *address, socklen_t *len),
                    struct end *out)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    return get(fd, (struct sockaddr *)&address, &len) == 0 &&
           getnameinfo((const struct sockaddr *)&address, len, out->host, sizeof out->host,
                       out->port, sizeof out->port, NI_NUMERICHOST | NI_NUMERICSERV) == 0;
}

static bool is_loopback(const struct end *end)
{
    return strncmp(end->host, "127.", 4) == 0;
}

static bool is_input_port(const struct output_setup *setup, const char *port)
{
    unsigned long number = strtoul(port, NULL, 10);

    for (unsigned i = 0; i < INPUTS_MAX && number > 0; i++) {
        if (atomic_load_explicit(&setup->input_ports[i], memory_order_relaxed) == number) {
            return true;
        }
    }
    return false;
}

/* Whether the receiver is this very process, under whatever name: frames would go round for ever.
 */
static bool is_ourselves(const struct output *output)
{
    int fd = byte_stream_fd(output->stream);
    struct ucred credentials = {0};
    socklen_t len = sizeof credentials;
    struct end own;
    struct end peer;

    if (output->setup.settings->endpoint.kind == ENDPOINT_UNIX) {
        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0 &&
               credentials.pid == getpid();
    }
    return get_end(fd, getsockname, &own) && get_end(fd, getpeername, &peer) &&
           (strcmp(own.host, peer.host) == 0 || (is_loopback(&own) && is_loopback(&peer))) &&
           is_input_port(&output->setup, peer.port);
}

static const char *output_begin_session(struct output *output, uint64_t until_ns)
{
    session_init(&output->session, SESSION_SENDER, 0);
    output->write_waits = false;
    output->heard_len = 0;
    const char *error = output_finish(output, until_ns, step_flush);
    if (error == NULL) {
        error = expect_state(output, SESSION_OPEN, until_ns);
    }
    if (error == NULL && output->heard_len > 0) {
        error = strerror(EPROTO); /* it has nothing more to say */
    }
    return error == NULL ? output_finish(output, until_ns, step_flush) : error;
}

/* The receiver answers READY with something else than ACCEPT. */
static bool speaks_tls(const struct output *output)
{
    return output->tls == NULL &&
           connection_failure_is_tls((struct bytes){output->heard, output->heard_len});
}

/* *why is the counted reason of an error. */
static const char *output_connect(struct output *output, enum connection_failure *why)
{
    uint64_t until_ns = clock_monotonic_ns() + HANDSHAKE_NS;
    int fd;
    int result = socket_connect(&output->setup.settings->endpoint, &fd);

    *why = CONNECTION_FAILURE_CONNECT;
    if (result < 0) {
        return strerror(-result);
    }
    result = byte_stream_create(&output->stream, fd, true, output->tls);
    if (result < 0) {
        (void)close(fd);
        return strerror(-result);
    }
    const char *error = output_finish(output, until_ns, step_open);
    if (error != NULL) {
        *why = error == timed_out ? CONNECTION_FAILURE_TIMEOUT
                                  : connection_failure_of(output->stream);
        return error;
    }
    error = is_ourselves(output) ? "the receiver is this exporter itself"
                                 : output_begin_session(output, until_ns);
    *why = error == timed_out ? CONNECTION_FAILURE_TIMEOUT : CONNECTION_FAILURE_HANDSHAKE;
    if (error != NULL && speaks_tls(output)) {
        *why = CONNECTION_FAILURE_TLS;
        error = "the receiver speaks TLS: give the output a tls";
    } else if (byte_stream_tls_failure(output->stream) != TLS_FAILURE_NONE) {
        *why = connection_failure_of(output->stream); /* it did not take our certificate */
    }
    return error;
}

/* One line for each time that it comes and goes, however often it is tried. */
static bool output_open_connection(struct output *output)
{
    enum connection_failure why;

    output->attempt_ns = clock_monotonic_ns() + RETRY_NS;
    tls_context_renew_and_log(&output->tls, "output", output->setup.settings->name);
    const char *error = output_connect(output, &why);

    if (error == NULL) {
        log_info("output connected", "output", output->setup.settings->name, NULL);
        atomic_store(&output->counters->connected, true);
        output->reported = false;
        return true;
    }
    output_counters_add(&output->counters->connection_failures[why], 1);
    if (!output->reported) {
        log_warn("output cannot connect, retrying every second", "output",
                 output->setup.settings->name, "error", error, NULL);
        output->reported = true;
    }
    if (output->stream != NULL) {
        output_disconnect(output);
    }
    return false;
}

/* --- The queue --- */

/* Wait until there is a batch, for at most LOOK_MS. False where there is none. */
static bool wait_for_batch(struct output *output, struct frame_batch *batch)
{
    uint64_t until_ns = is_ending(output) ? 0 : clock_monotonic_ns() + LOOK_MS * NS_PER_MS;

    return frame_queue_wait(&output->queue, until_ns, batch);
}

/* The rest of the front's frames are there, or given up. */
static void finish_batch(struct output *output, _Atomic uint64_t *counter,
                         const struct frame_batch *batch)
{
    output_counters_add(counter, batch->frames - output->passed);
    output->sent = 0;
    output->passed = 0;
    frame_queue_pop(&output->queue);
}

/* The connection broke: what was sent whole has been passed on, what was sent in part is given up,
 * and the next connection goes on behind it. */
static void give_up_part(struct output *output, const struct frame_batch *batch)
{
    size_t at = 0;
    uint32_t frames = 0;
    bool cut = false;

    while (at < output->sent) {
        struct cursor cursor = cursor_over((struct bytes){batch->bytes.data + at, 4});
        at += 4 + (size_t)cursor_be32(&cursor);
        frames++;
        cut = at > output->sent;
    }
    output_counters_add(&output->counters->frames, frames - output->passed - cut);
    output_counters_add(&output->counters->dropped[OUTPUT_DROP_CUT], cut);
    output->sent = at;
    output->passed = frames;
    if (at == batch->bytes.len) {
        finish_batch(output, &output->counters->frames, batch);
    }
}

static void lose_connection(struct output *output, const char *error)
{
    log_warn("output lost", "output", output->setup.settings->name, "error", error, NULL);
    output_disconnect(output);
}

static void send_batch(struct output *output, const struct frame_batch *batch)
{
    while (output->sent < batch->bytes.len) {
        struct bytes left = {batch->bytes.data + output->sent, batch->bytes.len - output->sent};
        size_t count = 0;
        enum byte_stream_result result = byte_stream_write(output->stream, left, &count);

        output->sent += count;
        output->write_waits = result == BYTE_STREAM_AGAIN;
        if (result == BYTE_STREAM_AGAIN) {
            if (!wait_ready(output, UINT64_MAX)) {
                return; /* only the end is a reason to stop waiting */
            }
        } else if (result != BYTE_STREAM_OK) {
            lose_connection(output, stream_error(output, result));
            give_up_part(output, batch);
            return;
        }
    }
    finish_batch(output, &output->counters->frames, batch);
}

/* Once it has accepted, a receiver has nothing to say before STOP: whatever is there to read, the
 * end or a word, is the end of the connection. */
static bool is_still_there(struct output *output)
{
    enum byte_stream_result result = step_read(output);

    if (result == BYTE_STREAM_AGAIN) {
        return true;
    }
    lose_connection(output,
                    result == BYTE_STREAM_OK ? strerror(EPROTO) : stream_error(output, result));
    return false;
}

/* --- The thread --- */

/* Until the next attempt. The shutdown gets one at once. */
static void wait_for_attempt(struct output *output)
{
    const struct timespec piece = {.tv_nsec = 50 * (long)NS_PER_MS};

    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        bool is_last_try = !output->is_last_try && is_ending(output);

        output->is_last_try |= is_last_try;
        if (is_last_try || now_ns >= output->attempt_ns || now_ns >= output_deadline(output)) {
            return;
        }
        (void)nanosleep(&piece, NULL);
    }
}

static void count_rest(struct output *output)
{
    struct frame_batch batch;

    if (output->sent > 0 && frame_queue_wait(&output->queue, 0, &batch)) {
        give_up_part(output, &batch);
    }
    while (frame_queue_wait(&output->queue, 0, &batch)) {
        finish_batch(output, &output->counters->dropped[OUTPUT_DROP_SHUTDOWN], &batch);
    }
}

/* The last frames may have filled the socket. FINISH has its own time. */
static void output_stop_session(struct output *output)
{
    session_stop(&output->session);
    if (output_finish(output, UINT64_MAX, step_flush) == NULL) {
        uint64_t until_ns = clock_monotonic_ns() + FINISH_NS;
        set_deadline(output, UINT64_MAX);
        if (expect_state(output, SESSION_ENDED, until_ns) == NULL) {
            (void)output_finish(output, until_ns, step_end);
        }
    }
}

static void output_shut_down(struct output *output)
{
    if (output->stream == NULL) {
        return;
    }
    if (output->sent == 0 && !output->write_waits) {
        output_stop_session(output);
    }
    output_disconnect(output);
}

/* Sends what there is, or waits a while for it. False at the end. */
static bool output_step(struct output *output)
{
    struct frame_batch batch;

    if (output->stream == NULL) {
        wait_for_attempt(output);
        return output_open_connection(output) || !is_ending(output);
    }
    bool there = wait_for_batch(output, &batch);
    if (!is_still_there(output)) {
        return true;
    }
    if (there) {
        send_batch(output, &batch);
    }
    return there || !is_ending(output);
}

static void *output_run(void *context)
{
    struct output *output = context;

    while (clock_monotonic_ns() < output_deadline(output) && output_step(output)) {
    }
    output_shut_down(output);
    count_rest(output);
    return NULL;
}

static void output_release(struct output *output)
{
    frame_queue_deinit(&output->queue);
    tls_context_release(output->tls);
    free(output);
}

size_t output_memory(const struct output_settings *settings)
{
    return sizeof(struct output) + byte_stream_memory(tls_settings_are_on(&settings->tls)) +
           settings->queue;
}

static int output_start(struct output *output, struct text *error)
{
    const struct output_setup *setup = &output->setup;
    const struct output_settings *settings = setup->settings;
    int result = tls_context_load(&output->tls, &settings->tls, setup->config_path,
                                  settings->endpoint.host, error);

    return result == 0 ? -pthread_create(&output->thread, NULL, output_run, output) : result;
}

int output_create(struct output **out, const struct output_setup *setup, struct text *error)
{
    struct output *output = calloc(1, sizeof *output);

    if (output == NULL) {
        return -ENOMEM;
    }
    output->setup = *setup;
    output->counters = setup->counters;
    output->deadline_ns = UINT64_MAX;
    int result = frame_queue_init(&output->queue, setup->settings->queue,
                                  &setup->counters->dropped[OUTPUT_DROP_QUEUE_FULL]);
    if (result < 0) {
        free(output);
        return result;
    }
    result = output_start(output, error);
    if (result < 0) {
        output_release(output);
        return result;
    }
    *out = output;
    return 0;
}

struct frame_queue *output_queue(struct output *output)
{
    return &output->queue;
}

void output_end(struct output *output)
{
    set_deadline(output, clock_monotonic_ns() + SHUTDOWN_GRACE_NS);
}

void output_free(struct output *output)
{
    (void)pthread_join(output->thread, NULL);
    output_release(output);
}
