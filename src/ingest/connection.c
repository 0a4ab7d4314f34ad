/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"

#define END_NS NS_PER_SECOND /* chosen: for FINISH to be sent */

/* The longest beginning of a frame that frame_stream_next() can leave. */
static size_t partial_max(uint32_t max_frame_size)
{
    size_t control = 8 + FRAME_STREAM_CONTROL_MAX;
    size_t data = 4 + (size_t)max_frame_size;

    return data > control ? data : control;
}

size_t connection_memory(uint32_t max_frame_size, bool has_tls)
{
    return sizeof(struct connection) + byte_stream_memory(has_tls) + partial_max(max_frame_size);
}

struct connection *connection_create(struct byte_stream *stream, const struct source *source,
                                     struct frame_queue *const *queues, uint32_t max_frame_size,
                                     uint64_t deadline_ns)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->stream = stream;
    connection->events = EPOLLIN;
    connection->source = *source;
    connection->input_name = source->server_name;
    connection->queues = queues;
    connection->deadline_ns = deadline_ns;
    connection->partial = connection->small;
    connection->partial_size = sizeof connection->small;
    session_init(&connection->session, SESSION_RECEIVER, max_frame_size);
    return connection;
}

void connection_free(struct connection *connection)
{
    byte_stream_free(connection->stream);
    if (connection->partial != connection->small) {
        free(connection->partial);
    }
    free(connection);
}

/* Before START a bad control frame is a failed handshake. */
static enum close_reason close_reason_of(enum session_state state)
{
    return state == SESSION_OPEN ? CLOSED_CONTROL : CLOSED_HANDSHAKE;
}

static bool connection_begins_with(struct bytes input, const char *start)
{
    size_t len = strlen(start);

    return input.len >= len && memcmp(input.data, start, len) == 0;
}

/* What a connection is whose first bytes are no control frame. The record of a TLS hello (RFC 8446
 * section 5.1) is a handshake of version 3.x; dnsdist's newRemoteLogger sends a length of two bytes
 * and a protobuf message whose first field is number 1, a varint. */
static enum close_reason close_reason_of_unknown_protocol(struct bytes input)
{
    static const char *const methods[] = {"GET ", "HEAD ", "POST ", "PUT ", "OPTI"};

    if (connection_begins_with(input, "\x16\x03")) {
        return CLOSED_TLS;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (connection_begins_with(input, methods[i])) {
            return CLOSED_HTTP;
        }
    }
    bool is_powerdns = input.len >= 4 && input.data[2] == 0x08 && input.data[3] < 0x80;
    return is_powerdns ? CLOSED_POWERDNS : CLOSED_HANDSHAKE;
}

/* Data frames that follow each other in the buffer are passed on in one piece. */
static void add_to_batch(struct frame_batch *batch, struct bytes payload)
{
    if (batch->frames == 0) {
        batch->bytes = (struct bytes){payload.data - 4, 0}; /* with the length field */
    }
    batch->bytes.len += 4 + payload.len;
    batch->frames++;
}

static void pass_on(const struct connection *connection, struct frame_batch *batch)
{
    for (struct frame_queue *const *queue = connection->queues; *queue != NULL && batch->frames > 0;
         queue++) {
        frame_queue_push(*queue, batch);
    }
    *batch = (struct frame_batch){0};
}

/* Why an event ends the connection. `start` is where its frame begins. */
static enum close_reason close_reason_of_mistake(enum session_event event, enum session_state state,
                                                 struct bytes start)
{
    switch (event) {
    case SESSION_BAD_LENGTH:
        return CLOSED_FRAME_LENGTH;
    case SESSION_BAD_CONTENT_TYPE:
        return CLOSED_CONTENT_TYPE;
    case SESSION_UNEXPECTED_DATA:
        return state == SESSION_BEGINS ? close_reason_of_unknown_protocol(start) : CLOSED_HANDSHAKE;
    case SESSION_BAD_CONTROL:
    case SESSION_BAD_CONTROL_LENGTH:
    case SESSION_NEED_MORE:
    case SESSION_DATA:
    case SESSION_OVERSIZE:
    case SESSION_PROGRESS:
        break;
    }
    return close_reason_of(state);
}

static enum connection_state connection_take_frames(struct connection *connection,
                                                    struct bytes *input, struct shard *shard,
                                                    enum close_reason *why)
{
    struct session *session = &connection->session;
    bool passes_on = connection->queues[0] != NULL;
    struct frame_batch batch = {0};
    struct bytes payload;

    while (session->state != SESSION_ENDED) {
        struct bytes start = *input;
        enum session_event event = session_next(session, input, &payload);

        if (passes_on && event != SESSION_DATA) {
            pass_on(connection, &batch);
        }
        switch (event) {
        case SESSION_NEED_MORE:
            return CONNECTION_OPEN;
        case SESSION_DATA:
            connection->has_frames = true;
            (void)shard_record(shard, &connection->source, payload);
            if (passes_on) {
                add_to_batch(&batch, payload);
            }
            break;
        case SESSION_OVERSIZE:
            shard_record_oversize(shard, &connection->source);
            break;
        case SESSION_PROGRESS:
            break;
        case SESSION_BAD_LENGTH:
        case SESSION_BAD_CONTROL:
        case SESSION_BAD_CONTROL_LENGTH:
        case SESSION_BAD_CONTENT_TYPE:
        case SESSION_UNEXPECTED_DATA:
            *why = close_reason_of_mistake(event, session->state, start);
            return CONNECTION_CLOSED;
        }
    }
    return CONNECTION_OPEN;
}

static enum close_reason close_reason_of_eof(const struct connection *connection)
{
    bool in_frame = connection->partial_len > 0 || connection->session.frames.skip_left > 0;
    return in_frame ? CLOSED_EOF_IN_FRAME : CLOSED_EOF;
}

/* Have room for a frame of `needed` bytes. Returns false without memory. */
static bool grow_partial(struct connection *connection, size_t needed)
{
    size_t size = partial_max(connection->session.frames.max_frame_size);

    if (needed <= connection->partial_size) {
        return true;
    }
    uint8_t *large = malloc(size);
    if (large == NULL) {
        return false;
    }
    memcpy(large, connection->partial, connection->partial_len);
    connection->partial = large;
    connection->partial_size = size;
    return true;
}

/* What is left of the input is the beginning of a frame. */
static bool connection_keep(struct connection *connection, struct bytes input)
{
    size_t len = connection->partial_len + input.len;

    if (!grow_partial(connection, len)) {
        return false;
    }
    if (input.len > 0) {
        memcpy(connection->partial + connection->partial_len, input.data, input.len);
    }
    connection->partial_len = len;
    return true;
}

/* Complete the frame that the last read left over, and take it. Only bytes that have just arrived
 * are copied, so that a frame which comes byte by byte costs no more than its bytes. */
static enum connection_state take_partial(struct connection *connection, struct bytes *input,
                                          struct shard *shard, enum close_reason *why)
{
    while (connection->partial_len > 0 && connection->session.state != SESSION_ENDED) {
        struct bytes partial = {connection->partial, connection->partial_len};
        size_t needed = frame_stream_needed(partial);
        size_t missing = needed - partial.len;
        bool completes = input->len >= missing;
        size_t count = completes ? missing : input->len;

        if (!grow_partial(connection, needed)) {
            *why = CLOSED_ERROR;
            return CONNECTION_CLOSED;
        }
        partial.data = connection->partial;
        memcpy(connection->partial + partial.len, input->data, count);
        connection->partial_len += count;
        input->data += count;
        input->len -= count;
        partial.len += count;
        if (!completes) {
            return CONNECTION_OPEN;
        }
        /* Where only the length was completed, this takes nothing, or finds it impossible. */
        if (connection_take_frames(connection, &partial, shard, why) == CONNECTION_CLOSED) {
            return CONNECTION_CLOSED;
        }
        connection->partial_len = partial.len;
    }
    return CONNECTION_OPEN;
}

/* Count what came, as one batch. */
static enum connection_state connection_take(struct connection *connection, struct bytes input,
                                             struct shard *shard, enum close_reason *why)
{
    shard_begin(shard);
    enum connection_state state = take_partial(connection, &input, shard, why);
    if (state == CONNECTION_OPEN && input.len > 0) {
        state = connection_take_frames(connection, &input, shard, why);
    }
    shard_end(shard);
    if (connection->session.state == SESSION_ENDED) {
        connection->deadline_ns = clock_monotonic_ns() + END_NS;
    } else if (state == CONNECTION_OPEN && !connection_keep(connection, input)) {
        *why = CLOSED_ERROR;
        return CONNECTION_CLOSED;
    }
    return state;
}

static enum connection_state connection_wait(struct connection *connection)
{
    connection->events = byte_stream_poll_events(connection->stream);
    return CONNECTION_WAITS;
}

/* The server has said STOP. It need not read the FINISH: Unbound does not wait for it. */
static enum connection_state connection_end(struct connection *connection, enum close_reason *why)
{
    enum byte_stream_result result = session_flush(&connection->session, connection->stream);

    if (result == BYTE_STREAM_OK) {
        result = byte_stream_end(connection->stream);
    }
    if (result == BYTE_STREAM_AGAIN) {
        return connection_wait(connection);
    }
    *why = CLOSED_FINISH;
    return CONNECTION_CLOSED;
}

enum close_reason connection_stream_failure(const struct byte_stream *stream)
{
    static const enum close_reason reasons[TLS_FAILURE_COUNT] = {
        [TLS_FAILURE_NONE] = CLOSED_ERROR,
        [TLS_FAILURE_NOT_TLS] = CLOSED_NOT_TLS,
        [TLS_FAILURE_VERSION] = CLOSED_TLS_VERSION,
        [TLS_FAILURE_NO_CERTIFICATE] = CLOSED_TLS_NO_CERTIFICATE,
        [TLS_FAILURE_UNKNOWN_CA] = CLOSED_TLS_UNKNOWN_CA,
        [TLS_FAILURE_EXPIRED] = CLOSED_TLS_EXPIRED,
        [TLS_FAILURE_NAME] = CLOSED_TLS_WRONG_NAME,
        [TLS_FAILURE_CERTIFICATE] = CLOSED_TLS_CERTIFICATE,
        [TLS_FAILURE_REFUSED] = CLOSED_TLS_REFUSED,
        [TLS_FAILURE_PROTOCOL] = CLOSED_TLS_HANDSHAKE,
    };

    return reasons[byte_stream_tls_failure(stream)];
}

/* Returns CONNECTION_OPEN with *got bytes in the buffer. */
static enum connection_state connection_read(struct connection *connection, uint8_t *buffer,
                                             size_t *got, enum close_reason *why)
{
    enum byte_stream_result result = BYTE_STREAM_OK;

    if (!connection->is_connected) {
        result = byte_stream_open(connection->stream);
        connection->is_connected = result == BYTE_STREAM_OK;
    }
    if (result == BYTE_STREAM_OK) {
        result = byte_stream_read(connection->stream, buffer, CONNECTION_READ_SIZE, got);
    }
    switch (result) {
    case BYTE_STREAM_OK:
        return CONNECTION_OPEN;
    case BYTE_STREAM_AGAIN:
        return connection_wait(connection);
    case BYTE_STREAM_END:
    case BYTE_STREAM_TRUNCATED:
        *why = close_reason_of_eof(connection);
        return CONNECTION_CLOSED;
    case BYTE_STREAM_ERROR:
        break;
    }
    *why = connection_stream_failure(connection->stream);
    return CONNECTION_CLOSED;
}

/* While a control frame waits for room, data frames are read all the same; and those that have
 * arrived are, if it cannot be sent any more. */
static void connection_reply(struct connection *connection)
{
    switch (session_flush(&connection->session, connection->stream)) {
    case BYTE_STREAM_OK:
        break;
    case BYTE_STREAM_AGAIN:
        connection->events |= byte_stream_poll_events(connection->stream);
        break;
    case BYTE_STREAM_END:
    case BYTE_STREAM_TRUNCATED:
    case BYTE_STREAM_ERROR:
        connection->session.outgoing_len = 0;
        break;
    }
}

bool connection_is_pending(const struct connection *connection)
{
    return connection->session.state != SESSION_ENDED && byte_stream_pending(connection->stream);
}

enum connection_state connection_receive(struct connection *connection,
                                         uint8_t buffer[CONNECTION_READ_SIZE], struct shard *shard,
                                         enum close_reason *why)
{
    size_t got = 0;

    if (connection->session.state == SESSION_ENDED) {
        return connection_end(connection, why);
    }
    connection->events = EPOLLIN;
    enum connection_state state = connection_read(connection, buffer, &got, why);
    if (state == CONNECTION_OPEN) {
        state = connection_take(connection, (struct bytes){buffer, got}, shard, why);
    }
    if (state == CONNECTION_CLOSED) {
        (void)session_flush(&connection->session, connection->stream); /* as far as it goes */
        return state;
    }
    if (connection->session.state == SESSION_ENDED) {
        return connection_end(connection, why);
    }
    if (state == CONNECTION_OPEN) {
        read_coalescing_update(&connection->coalescing, got, clock_monotonic_ns());
    }
    if (connection->session.outgoing_len > 0) {
        connection_reply(connection);
    }
    return state;
}
