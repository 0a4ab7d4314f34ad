/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of inputs, accepted or dialled, until a worker has them. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest_internal.h"
#include "relay/connection_failure.h"
#include "stream/socket.h"

#define ACCEPTS_PER_TURN 32  /* chosen: others get their turn in a flood */
#define FAILURE_PAUSE_MS 100 /* chosen: no busy loop while accept() fails */
#define ROOM_PAUSE_MS    10  /* chosen: for a worker to close a connection */

/* --- Handing over --- */

static void ingest_admit(struct ingest *ingest, unsigned input)
{
    ingest_make_room(ingest, input, ingest->setup.settings->connections_max,
                     WORKER_CLOSE_FOR_LIMIT);
    ingest_make_room(ingest, CONNECTION_TABLE_ALL, ingest->descriptors_max,
                     WORKER_CLOSE_FOR_DESCRIPTORS);
}

/* A host that vanished must not hold its place for hours: it is asked after a minute of silence,
 * and has half a minute to answer. The kernel's defaults are two hours and eleven minutes. And what
 * is sent goes at once: a flight of TLS is more than one piece, whose last one would wait for the
 * peer's delayed acknowledgement, 40 ms. */
static void set_tcp_options(int fd)
{
    static const struct {
        int level, option, value;
    } settings[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},    {IPPROTO_TCP, TCP_KEEPIDLE, 60}, /* seconds */
        {IPPROTO_TCP, TCP_KEEPINTVL, 10}, {IPPROTO_TCP, TCP_KEEPCNT, 3},
        {IPPROTO_TCP, TCP_NODELAY, 1}, /* see above */
    };

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        (void)setsockopt(fd, settings[i].level, settings[i].option, &settings[i].value,
                         sizeof settings[i].value);
    }
}

static struct worker_message message_for(const struct ingest *ingest, unsigned input,
                                         enum worker_order order)
{
    const struct input_settings *settings = &ingest->inputs.places[input].settings;

    return (struct worker_message){
        .order = order,
        .input = input,
        .sampled = settings->sampling > 1,
        .input_name = settings->name,
        .queues = ingest->queues_of[input],
    };
}

/* The stream is a worker's from now on. */
static void hand_over(struct ingest *ingest, unsigned input, struct byte_stream *stream)
{
    struct worker_message message = message_for(ingest, input, WORKER_OPEN);
    bool is_unix = ingest->inputs.places[input].settings.endpoint.kind == ENDPOINT_UNIX;
    struct peer peer = peer_of(byte_stream_fd(stream), is_unix, &message.peer);
    unsigned worker = peers_worker(&ingest->peers, &peer, ingest->worker_count);

    ingest_admit(ingest, input);
    message.stream = stream;
    message.entry = connection_table_add(&ingest->connections, input, worker, clock_monotonic_ns());
    if (message.entry == NULL) {
        byte_stream_free(stream);
        return;
    }
    worker_tell(ingest->workers[worker], &message);
}

/* The worker of the input counts a connection that never came to one. */
static void refuse(struct ingest *ingest, const struct opening *opening, enum close_reason why)
{
    struct worker_message message = message_for(ingest, opening->input, WORKER_REFUSE);

    message.peer = opening->peer;
    message.why = why;
    worker_tell(ingest->workers[opening->input % ingest->worker_count], &message);
}

static uint64_t handshake_deadline_ns(const struct ingest *ingest)
{
    return clock_monotonic_ns() + ingest->setup.settings->handshake_timeout_ns;
}

/* First the handshake of TLS. */
static void open_accepted(struct ingest *ingest, unsigned input, struct byte_stream *stream)
{
    struct opening opening = {
        .stream = stream,
        .deadline_ns = handshake_deadline_ns(ingest),
        .input = input,
        .generation = ingest->generations[input],
    };

    (void)peer_of(byte_stream_fd(stream), false, &opening.peer);
    if (!opener_give(ingest->opener, &opening)) {
        refuse(ingest, &opening, CLOSED_TLS_LIMIT);
        byte_stream_free(stream);
    }
}

static void take_accepted(struct ingest *ingest, unsigned input, int fd)
{
    const struct input_place *place = &ingest->inputs.places[input];
    struct byte_stream *stream;

    if (place->settings.endpoint.kind == ENDPOINT_TCP) {
        set_tcp_options(fd);
    }
    if (byte_stream_create(&stream, fd, false, place->tls) < 0) {
        (void)close(fd);
    } else if (place->tls != NULL) {
        open_accepted(ingest, input, stream);
    } else {
        hand_over(ingest, input, stream);
    }
}

/* --- Dialling --- */

static void note_failure(struct ingest *ingest, unsigned input, enum connection_failure why,
                         const char *error)
{
    const struct input_settings *settings = &ingest->inputs.places[input].settings;
    char place[ENDPOINT_TEXT_SIZE];

    atomic_fetch_add_explicit(&ingest->setup.gauges[input].connection_failures[why], 1,
                              memory_order_relaxed);
    if (dialler_note_failure(&ingest->diallers[input])) {
        log_warn("input cannot connect, it goes on trying", "input", settings->name, "connect",
                 endpoint_print(&settings->endpoint, place), "error", error, NULL);
    }
}

static void dial(struct ingest *ingest, unsigned input)
{
    const struct input_place *place = &ingest->inputs.places[input];
    struct opening opening = {
        .deadline_ns = handshake_deadline_ns(ingest),
        .is_dialled = true,
        .input = input,
        .generation = ingest->generations[input],
    };
    int fd;
    int result = socket_connect(&place->settings.endpoint, &fd);

    if (result == 0) {
        if (place->settings.endpoint.kind == ENDPOINT_TCP) {
            set_tcp_options(fd); /* who only receives does not notice that the host is gone */
        }
        result = byte_stream_create(&opening.stream, fd, true, place->tls);
        if (result < 0) {
            (void)close(fd);
        }
    }
    if (result < 0) {
        note_failure(ingest, input, CONNECTION_FAILURE_CONNECT, strerror(-result));
    } else if (!opener_give(ingest->opener, &opening)) {
        byte_stream_free(opening.stream);
        note_failure(ingest, input, CONNECTION_FAILURE_TIMEOUT,
                     "too many TLS handshakes at the same time");
    }
}

void ingest_dial(struct ingest *ingest, uint64_t now_ns)
{
    for (unsigned i = 0; i < ingest->inputs.count; i++) {
        struct dialler *dialler = &ingest->diallers[i];
        if (!ingest_is_in_use(ingest, i) || !ingest_is_dialled(ingest, i)) {
            continue;
        }
        if (dialler->is_connected && connection_table_count(&ingest->connections, i) == 0) {
            dialler_note_end(dialler, now_ns);
            ingest_note_connected(ingest, i, false);
        }
        if (dialler_is_due(dialler, now_ns)) {
            dial(ingest, i);
        }
    }
}

/* --- Streams that were opened --- */

static void settle_dialled(struct ingest *ingest, const struct opening *opening)
{
    unsigned input = opening->input;

    switch (opening->result) {
    case OPENING_OPEN:
        dialler_note_connected(&ingest->diallers[input], clock_monotonic_ns());
        ingest_note_connected(ingest, input, true);
        hand_over(ingest, input, opening->stream);
        return;
    case OPENING_ENDED:
    case OPENING_FAILED:
        note_failure(ingest, input, connection_failure_of(opening->stream),
                     byte_stream_error(opening->stream));
        break;
    case OPENING_TIMED_OUT:
    case OPENING_EVICTED:
        note_failure(ingest, input, CONNECTION_FAILURE_TIMEOUT, "Connection timed out");
        break;
    }
    byte_stream_free(opening->stream);
}

static void settle_accepted(struct ingest *ingest, const struct opening *opening)
{
    enum close_reason why = CLOSED_EOF;

    switch (opening->result) {
    case OPENING_OPEN:
        hand_over(ingest, opening->input, opening->stream);
        return;
    case OPENING_ENDED:
        break;
    case OPENING_FAILED:
        why = connection_stream_failure(opening->stream);
        break;
    case OPENING_TIMED_OUT:
        why = CLOSED_HANDSHAKE_TIMEOUT;
        break;
    case OPENING_EVICTED:
        why = CLOSED_TLS_LIMIT;
        break;
    }
    refuse(ingest, opening, why);
    byte_stream_free(opening->stream);
}

/* The input may have become another one meanwhile. */
static void settle(struct ingest *ingest, const struct opening *opening)
{
    bool is_stale = opening->generation != ingest->generations[opening->input];

    if (opening->is_dialled && !is_stale) {
        settle_dialled(ingest, opening);
    } else if (!is_stale) {
        settle_accepted(ingest, opening);
    } else {
        if (!opening->is_dialled) {
            refuse(ingest, opening, CLOSED_INPUT);
        }
        byte_stream_free(opening->stream);
    }
}

static void settle_all(struct ingest *ingest)
{
    struct opening opening;

    while (opener_take(ingest->opener, &opening)) {
        settle(ingest, &opening);
    }
}

/* --- Accepting --- */

static void ingest_pause(uint64_t ms)
{
    const struct timespec pause = {.tv_nsec = (long)(ms * NS_PER_MS)};

    (void)nanosleep(&pause, NULL);
}

/* Out of descriptors or memory, the listener stays readable: a pause keeps that from being a busy
 * loop. */
static void pause_after_failure(struct ingest *ingest, unsigned input, int error)
{
    if (!ingest->failing) {
        log_error("cannot accept connections of servers", "input",
                  ingest->inputs.places[input].settings.name, "error", strerror(error), NULL);
        ingest->failing = true;
    }
    ingest_pause(FAILURE_PAUSE_MS);
}

static void accept_from(struct ingest *ingest, unsigned input)
{
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(ingest->inputs.places[input].listener.fd, NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            ingest->failing = false;
            take_accepted(ingest, input, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN) {
                pause_after_failure(ingest, input, errno);
            }
            return;
        }
    }
}

void ingest_accept(struct ingest *ingest)
{
    struct epoll_event events[INPUTS_MAX + 1];
    int count = epoll_wait(ingest->epoll_fd, events, INPUTS_MAX + 1, 0);

    ingest->made_room = false;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == INGEST_OPENER_EVENT) {
            settle_all(ingest);
        } else {
            accept_from(ingest, events[i].data.u32);
        }
    }
    if (ingest->made_room) { /* a flood of connections gets its turn, and not the whole core */
        ingest_pause(ROOM_PAUSE_MS);
    }
}
