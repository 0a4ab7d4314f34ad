/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define EVENTS_PER_TURN   64  /* chosen */
#define MESSAGES_PER_TURN 16  /* chosen: connections go on in a flood */
#define LAST_READS_MAX    64  /* chosen: more than a socket's buffer holds */
#define TICK_MS           500 /* how late a time-out may be noticed */
#define DRAIN_NS          NS_PER_SECOND
#define DRAIN_PAUSE_NS    NS_PER_MS /* chosen: no busy loop while a connection waits */

struct worker {
    pthread_t thread;
    struct shard *shard;
    struct worker_settings *settings;
    int epoll_fd;
    int mailbox[2];                 /* a pipe of struct worker_message */
    uint8_t *buffer;                /* [CONNECTION_READ_SIZE] */
    struct connection *connections; /* doubly linked */
    bool has_pending;               /* some stream has bytes that epoll does not see */
    struct connection_log log;
    _Atomic uint64_t heartbeat_ns; /* when it last ticked */
    bool stopping;
};

static const char *const close_reason_messages[CLOSE_REASON_COUNT] = {
    [CLOSED_FINISH] = "the server said STOP",
    [CLOSED_EOF] = "the server went away without STOP",
    [CLOSED_EOF_IN_FRAME] = "the server went away within a frame",
    [CLOSED_HANDSHAKE] = "no Frame Streams handshake",
    [CLOSED_TLS] = "the server speaks TLS, this input does not: give the input a tls, or with "
                   "Unbound set dnstap-tls: no",
    [CLOSED_NOT_TLS] = "the server does not speak TLS, this input does: with Unbound set "
                       "dnstap-tls: yes, with CoreDNS tls://",
    [CLOSED_TLS_VERSION] = "the server's versions of TLS are older than tls.min_version",
    [CLOSED_TLS_NO_CERTIFICATE] = "the server has no client certificate, and tls.client_ca_file "
                                  "asks for one: with Unbound set dnstap-tls-client-cert-file",
    [CLOSED_TLS_UNKNOWN_CA] = "the server's client certificate is of no authority in "
                              "tls.client_ca_file",
    [CLOSED_TLS_EXPIRED] = "the server's client certificate has expired, or is not valid yet: "
                           "renew it, or set the clock",
    [CLOSED_TLS_WRONG_NAME] = "the server's client certificate has none of the names in "
                              "tls.client_allowed_sans",
    [CLOSED_TLS_CERTIFICATE] =
        "the server's client certificate is not valid: openssl verify -CAfile "
        "says why",
    [CLOSED_TLS_REFUSED] = "the server refused TLS, most often because it does not trust the "
                           "certificate of tls.cert_file, or expects another name in it: with "
                           "Unbound see dnstap-tls-cert-bundle and dnstap-tls-server-name",
    [CLOSED_TLS_HANDSHAKE] = "the handshake of TLS failed",
    [CLOSED_TLS_LIMIT] = "too many TLS handshakes at the same time, and this one was the oldest",
    [CLOSED_HTTP] = "an HTTP client: metrics are served at web.listen_addresses",
    [CLOSED_POWERDNS] = ("PowerDNS' own protobuf messages: use newFrameStreamTcpLogger or "
                         "newFrameStreamUnixLogger in place of newRemoteLogger"),
    [CLOSED_CONTENT_TYPE] = ("the content type is not " DNSTAP_CONTENT_TYPE),
    [CLOSED_HANDSHAKE_TIMEOUT] = "the handshake was not done in time",
    [CLOSED_CONTROL] = "a Frame Streams control frame that is broken or out of place",
    [CLOSED_FRAME_LENGTH] = "an impossible frame length: the stream is out of sync",
    [CLOSED_ERROR] = "the socket failed",
    [CLOSED_LIMIT] = "limits.connections are open, and it has been silent longest",
    [CLOSED_DESCRIPTORS] = ("too many files are open, and it has been silent longest; raise the "
                            "limit of open files (LimitNOFILE, ulimit -n)"),
    [CLOSED_INPUT] = "the input was removed or changed",
    [CLOSED_SHUTDOWN] = "the exporter ends",
};

static bool is_orderly(enum close_reason why)
{
    return why == CLOSED_FINISH || why == CLOSED_EOF || why == CLOSED_INPUT ||
           why == CLOSED_SHUTDOWN;
}

static void log_event(struct worker *worker, const struct connection *connection,
                      enum log_level level, const char *message, const char *reason)
{
    const struct connection_event event = {
        .level = level,
        .message = message,
        .input = connection->input_name,
        .reason = reason,
        .peer = connection->peer,
    };

    connection_log_write(&worker->log, &event, clock_monotonic_ns());
}

static void unlink_connection(struct worker *worker, struct connection *connection)
{
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        worker->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
}

/* The accepting thread may open another one from now on. */
static void release_entry(struct connection_entry *entry)
{
    atomic_store_explicit(&entry->ended, true, memory_order_release);
}

static void end_connection(struct worker *worker, struct connection *connection,
                           enum close_reason why)
{
    struct connection_entry *entry = connection->entry;

    log_event(worker, connection, is_orderly(why) ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
              "connection closed", close_reason_messages[why]);
    shard_begin(worker->shard);
    shard_record_closed(worker->shard, connection->source.input, why);
    shard_end(worker->shard);
    unlink_connection(worker, connection);
    shard_close_source(worker->shard, &connection->source);
    connection_free(connection);
    release_entry(entry);
}

static bool worker_wait_for(const struct worker *worker, struct connection *connection, int op,
                            uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    return epoll_ctl(worker->epoll_fd, op, byte_stream_fd(connection->stream), &event) == 0;
}

static void worker_receive(struct worker *worker, struct connection *connection)
{
    enum close_reason why = CLOSED_ERROR;
    uint32_t events = connection->events;

    enum connection_state state = connection_receive(connection, worker->buffer, worker->shard,
                                                     &why);
    if (state == CONNECTION_CLOSED ||
        (connection->events != events &&
         !worker_wait_for(worker, connection, EPOLL_CTL_MOD, connection->events))) {
        end_connection(worker, connection, why);
        return;
    }
    worker->has_pending |= connection_is_pending(connection);
    if (state == CONNECTION_OPEN) {
        struct connection_entry *entry = connection->entry;
        atomic_store_explicit(&entry->heard_ns, connection->coalescing.read_ns,
                              memory_order_relaxed);
        atomic_store_explicit(&entry->has_frames, connection->has_frames, memory_order_relaxed);
    }
}

/* NULL without memory. */
static struct connection *create_connection(const struct worker *worker,
                                            const struct worker_message *message)
{
    struct source source = {
        .input = message->input,
        .server_name = message->input_name,
        .sampled = message->sampled,
    };
    uint64_t timeout_ns = atomic_load_explicit(&worker->settings->handshake_timeout_ns,
                                               memory_order_relaxed);

    if (shard_open_source(worker->shard, &source) < 0) {
        return NULL;
    }
    struct connection *connection = connection_create(message->stream, &source, message->queues,
                                                      worker->settings->max_frame_size,
                                                      clock_monotonic_ns() + timeout_ns);
    if (connection == NULL) {
        shard_close_source(worker->shard, &source);
        return NULL;
    }
    connection->peer = message->peer;
    connection->entry = message->entry;
    return connection;
}

static void worker_open_connection(struct worker *worker, const struct worker_message *message)
{
    struct connection *connection = create_connection(worker, message);

    shard_begin(worker->shard);
    shard_record_accepted(worker->shard, message->input);
    if (connection == NULL) {
        shard_record_closed(worker->shard, message->input, CLOSED_ERROR);
    }
    shard_end(worker->shard);
    if (connection == NULL) {
        byte_stream_free(message->stream);
        release_entry(message->entry);
        return;
    }

    connection->next = worker->connections;
    if (worker->connections != NULL) {
        worker->connections->previous = connection;
    }
    worker->connections = connection;
    log_event(worker, connection, LOG_LEVEL_INFO, "connection accepted", NULL);
    if (!worker_wait_for(worker, connection, EPOLL_CTL_ADD, connection->events)) {
        end_connection(worker, connection, CLOSED_ERROR);
        return;
    }
    worker->has_pending |= connection_is_pending(connection); /* behind a handshake of TLS */
}

static void worker_refuse(struct worker *worker, const struct worker_message *message)
{
    const struct connection_event event = {
        .level = is_orderly(message->why) ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
        .message = "connection closed",
        .input = message->input_name,
        .reason = close_reason_messages[message->why],
        .peer = message->peer,
    };

    connection_log_write(&worker->log, &event, clock_monotonic_ns());
    shard_begin(worker->shard);
    shard_record_accepted(worker->shard, message->input);
    shard_record_closed(worker->shard, message->input, message->why);
    shard_end(worker->shard);
}

/* NULL where the connection has ended by itself. */
static struct connection *find_connection(const struct worker *worker,
                                          const struct connection_entry *entry)
{
    struct connection *connection = worker->connections;

    while (connection != NULL && connection->entry != entry) {
        connection = connection->next;
    }
    return connection;
}

static void worker_make_room(struct worker *worker, const struct connection_entry *entry,
                             enum close_reason why, enum limit limit)
{
    struct connection *connection = find_connection(worker, entry);

    if (connection != NULL) {
        end_connection(worker, connection, why);
        shard_begin(worker->shard);
        shard_record_overflow(worker->shard, limit);
        shard_end(worker->shard);
    }
}

/* What has arrived is counted first; on TCP more may arrive meanwhile. */
static void worker_close_for_input(struct worker *worker, const struct connection_entry *entry)
{
    struct connection *connection = find_connection(worker, entry);
    enum connection_state state = CONNECTION_OPEN;
    enum close_reason why = CLOSED_INPUT;

    if (connection == NULL) {
        return;
    }
    (void)shutdown(byte_stream_fd(connection->stream), SHUT_RD);
    for (unsigned i = 0; i < LAST_READS_MAX && state == CONNECTION_OPEN; i++) {
        state = connection_receive(connection, worker->buffer, worker->shard, &why);
    }
    end_connection(worker, connection, CLOSED_INPUT);
}

static void worker_handle(struct worker *worker, const struct worker_message *message)
{
    switch (message->order) {
    case WORKER_OPEN:
        worker_open_connection(worker, message);
        break;
    case WORKER_REFUSE:
        worker_refuse(worker, message);
        break;
    case WORKER_CLOSE_FOR_LIMIT:
        worker_make_room(worker, message->entry, CLOSED_LIMIT, LIMIT_CONNECTIONS);
        break;
    case WORKER_CLOSE_FOR_DESCRIPTORS:
        worker_make_room(worker, message->entry, CLOSED_DESCRIPTORS, LIMIT_DESCRIPTORS);
        break;
    case WORKER_CLOSE_FOR_INPUT:
        worker_close_for_input(worker, message->entry);
        break;
    case WORKER_STOP:
        worker->stopping = true;
        break;
    }
}

/* Messages are smaller than PIPE_BUF, hence never torn. What is left comes in the next turn, so
 * that a flood of connections keeps no connection waiting. */
static void read_mailbox(struct worker *worker)
{
    struct worker_message message;

    for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
        if (read(worker->mailbox[0], &message, sizeof message) != (ssize_t)sizeof message) {
            return;
        }
        worker_handle(worker, &message);
    }
}

/* Handshakes and ends that take too long. */
static void end_late_connections(struct worker *worker, uint64_t now_ns)
{
    struct connection *next;

    for (struct connection *connection = worker->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        enum session_state state = connection->session.state;
        if (state != SESSION_OPEN && connection->deadline_ns < now_ns) {
            end_connection(worker, connection,
                           state == SESSION_ENDED ? CLOSED_FINISH : CLOSED_HANDSHAKE_TIMEOUT);
        }
    }
}

static void worker_tick(struct worker *worker)
{
    uint64_t now_ns = clock_monotonic_ns();

    end_late_connections(worker, now_ns);
    connection_log_advance(&worker->log, now_ns);
    shard_begin(worker->shard);
    shard_expire(worker->shard);
    shard_end(worker->shard);
}

/* On a unix socket nothing more can arrive then: the server's next write fails, and it knows what
 * was not taken. On TCP it may, so that there is a deadline. */
static void refuse_more(struct worker *worker)
{
    for (struct connection *connection = worker->connections; connection != NULL;
         connection = connection->next) {
        (void)shutdown(byte_stream_fd(connection->stream), SHUT_RD);
    }
}

static void worker_delay(uint64_t duration_ns)
{
    const struct timespec duration = {.tv_nsec = (long)duration_ns};

    if (duration_ns > 0) {
        (void)nanosleep(&duration, NULL);
    }
}

/* Read each connection once. Returns whether any had something. */
static bool drain_once(struct worker *worker)
{
    struct connection *next;
    bool moved = false;

    for (struct connection *connection = worker->connections; connection != NULL;
         connection = next) {
        enum close_reason why = CLOSED_SHUTDOWN;
        enum connection_state state = connection_receive(connection, worker->buffer, worker->shard,
                                                         &why);

        next = connection->next;
        moved |= state != CONNECTION_WAITS;
        if (state == CONNECTION_CLOSED) {
            end_connection(worker, connection, why == CLOSED_FINISH ? why : CLOSED_SHUTDOWN);
        }
    }
    return moved;
}

/* Read what has arrived, from each connection in turn, until each has come to its end or the
 * deadline is there. */
static void worker_drain(struct worker *worker, uint64_t deadline_ns)
{
    refuse_more(worker);
    while (worker->connections != NULL && clock_monotonic_ns() < deadline_ns) {
        if (!drain_once(worker)) {
            worker_delay(DRAIN_PAUSE_NS);
        }
    }
    while (worker->connections != NULL) {
        end_connection(worker, worker->connections, CLOSED_SHUTDOWN);
    }
}

/* For how long no connection needs to be read. */
static uint64_t allowed_delay(const struct worker *worker, uint64_t now_ns)
{
    uint64_t delay_ns = COALESCE_DELAY_MAX_NS;

    for (const struct connection *connection = worker->connections; connection != NULL;
         connection = connection->next) {
        const struct read_coalescing *coalescing = &connection->coalescing;
        uint64_t since_ns = now_ns - coalescing->read_ns;
        if (since_ns >= COALESCE_IDLE_NS) {
            continue;
        }
        if (since_ns >= coalescing->delay_ns) {
            return 0;
        }
        uint64_t left_ns = coalescing->delay_ns - since_ns;
        delay_ns = left_ns < delay_ns ? left_ns : delay_ns;
    }
    return delay_ns;
}

/* Read streams that have bytes which epoll does not see. */
static void receive_pending(struct worker *worker)
{
    struct connection *next;

    worker->has_pending = false;
    for (struct connection *connection = worker->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection_is_pending(connection)) {
            worker_receive(worker, connection);
        }
    }
}

static void worker_turn(struct worker *worker, uint64_t *next_tick_ns)
{
    struct epoll_event events[EVENTS_PER_TURN];
    bool pending = worker->has_pending;
    int count = epoll_wait(worker->epoll_fd, events, EVENTS_PER_TURN, pending ? 0 : TICK_MS);
    bool mail = false;

    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            mail = true;
        } else {
            worker_receive(worker, events[i].data.ptr);
        }
    }
    if (pending) {
        receive_pending(worker);
    }
    if (mail) {
        read_mailbox(worker);
    }
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns >= *next_tick_ns) {
        worker_tick(worker);
        atomic_store_explicit(&worker->heartbeat_ns, now_ns, memory_order_relaxed);
        *next_tick_ns = now_ns + TICK_MS * NS_PER_MS;
    }
    if (count > 0 && !mail && !worker->has_pending) {
        worker_delay(allowed_delay(worker, now_ns));
    }
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    uint64_t next_tick_ns = 0;

    while (!worker->stopping) {
        worker_turn(worker, &next_tick_ns);
    }
    worker_drain(worker, clock_monotonic_ns() + DRAIN_NS);
    connection_log_end(&worker->log, clock_monotonic_ns());
    return NULL;
}

static void worker_free(struct worker *worker)
{
    int fds[] = {worker->epoll_fd, worker->mailbox[0], worker->mailbox[1]};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    free(worker->buffer);
    free(worker);
}

/* The worker never waits for its mailbox, others may wait until there is room in it. */
static int open_mailbox(struct worker *worker)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    if (pipe2(worker->mailbox, O_CLOEXEC) < 0 ||
        fcntl(worker->mailbox[0], F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->mailbox[0], &event) < 0) {
        return -errno;
    }
    return 0;
}

static int worker_prepare(struct worker *worker)
{
    worker->buffer = malloc(CONNECTION_READ_SIZE);
    if (worker->buffer == NULL) {
        return -ENOMEM;
    }
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll_fd < 0) {
        return -errno;
    }
    return open_mailbox(worker);
}

int worker_start(struct worker **out, struct shard *shard, struct worker_settings *settings)
{
    struct worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL) {
        return -ENOMEM;
    }
    worker->shard = shard;
    worker->settings = settings;
    atomic_init(&worker->heartbeat_ns, clock_monotonic_ns());
    worker->epoll_fd = worker->mailbox[0] = worker->mailbox[1] = -1;

    int result = worker_prepare(worker);
    if (result == 0) {
        result = -pthread_create(&worker->thread, NULL, worker_run, worker);
    }
    if (result < 0) {
        worker_free(worker);
        return result;
    }
    *out = worker;
    return 0;
}

uint64_t worker_heartbeat_ns(const struct worker *worker)
{
    return atomic_load_explicit(&worker->heartbeat_ns, memory_order_relaxed);
}

void worker_tell(struct worker *worker, const struct worker_message *message)
{
    while (write(worker->mailbox[1], message, sizeof *message) < 0 && errno == EINTR) {
    }
}

void worker_stop(struct worker *worker)
{
    const struct worker_message stop = {.order = WORKER_STOP};

    worker_tell(worker, &stop);
}

void worker_join(struct worker *worker)
{
    (void)pthread_join(worker->thread, NULL);
    worker_free(worker);
}
