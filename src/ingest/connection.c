/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* The longest beginning of a frame that frame_stream_next() can leave. */
static size_t partial_max(uint32_t max_frame_size)
{
    size_t control = 8 + FRAME_STREAM_CONTROL_MAX;
    size_t data = 4 + (size_t)max_frame_size;

    return data > control ? data : control;
}

size_t connection_memory(uint32_t max_frame_size)
{
    return sizeof(struct connection) + partial_max(max_frame_size);
}

struct connection *connection_create(int fd, const struct source *source,
                                     struct output *const *outputs, uint32_t max_frame_size,
                                     uint64_t deadline_ns)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->fd = fd;
    connection->source = *source;
    connection->input_name = source->server_name;
    connection->outputs = outputs;
    connection->deadline_ns = deadline_ns;
    connection->partial = connection->small;
    connection->partial_size = sizeof connection->small;
    handshake_init(&connection->handshake);
    frame_stream_init(&connection->stream, max_frame_size);
    return connection;
}

void connection_free(struct connection *connection)
{
    (void)close(connection->fd);
    if (connection->partial != connection->small) {
        free(connection->partial);
    }
    free(connection);
}

/* A reply is a few dozen bytes on a socket where nothing else is ever sent: it goes at once or the
 * peer is not one. */
static bool send_reply(const struct connection *connection, const struct control_frame *reply)
{
    return reply->len == 0 || send(connection->fd, reply->data, reply->len,
                                   MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)reply->len;
}

/* Before START a bad control frame is a failed handshake. */
static enum close_reason close_reason_of(enum handshake_state before)
{
    return before == HANDSHAKE_OPEN ? CLOSED_CONTROL : CLOSED_HANDSHAKE;
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

/* A data frame, or what looks like the length of one, where the handshake is not done. */
static enum close_reason close_reason_of_early_data(const struct connection *connection,
                                                    struct bytes input)
{
    return connection->handshake.state == HANDSHAKE_BEGINS ? close_reason_of_unknown_protocol(input)
                                                           : CLOSED_HANDSHAKE;
}

static enum connection_state connection_take_control(struct connection *connection,
                                                     struct bytes control, enum close_reason *why)
{
    enum handshake_state before = connection->handshake.state;
    struct control_frame reply;

    switch (handshake_control(&connection->handshake, control, &reply)) {
    case HANDSHAKE_GOES_ON:
        break;
    case HANDSHAKE_BAD_CONTROL:
        *why = close_reason_of(before);
        return CONNECTION_CLOSED;
    case HANDSHAKE_BAD_CONTENT:
        *why = CLOSED_CONTENT_TYPE;
        return CONNECTION_CLOSED;
    }
    bool sent = send_reply(connection, &reply);
    if (connection->handshake.state == HANDSHAKE_ENDED) {
        *why =
            CLOSED_FINISH; /* Unbound does not wait for the FINISH, so it need not have arrived */
        return CONNECTION_CLOSED;
    }
    if (!sent) {
        *why = CLOSED_ERROR;
        return CONNECTION_CLOSED;
    }
    return CONNECTION_OPEN;
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
    for (struct output *const *output = connection->outputs; *output != NULL && batch->frames > 0;
         output++) {
        output_push(*output, batch);
    }
    *batch = (struct frame_batch){0};
}

static enum connection_state connection_take_frames(struct connection *connection,
                                                    struct bytes *input, struct shard *shard,
                                                    enum close_reason *why)
{
    bool open = connection->handshake.state == HANDSHAKE_OPEN;
    bool passes_on = connection->outputs[0] != NULL;
    struct frame_batch batch = {0};
    struct bytes payload;

    for (;;) {
        struct bytes start = *input;
        enum frame_stream_event event = frame_stream_next(&connection->stream, input, &payload);

        if (passes_on && event != FRAME_STREAM_DATA) {
            pass_on(connection, &batch);
        }
        switch (event) {
        case FRAME_STREAM_NEED_MORE:
            return CONNECTION_OPEN;
        case FRAME_STREAM_DATA:
        case FRAME_STREAM_OVERSIZE:
            if (!open) {
                *why = close_reason_of_early_data(connection, start);
                return CONNECTION_CLOSED;
            }
            if (event == FRAME_STREAM_OVERSIZE) {
                shard_record_oversize(shard, &connection->source);
                break;
            }
            connection->has_frames = true;
            (void)shard_record(shard, &connection->source, payload);
            if (passes_on) {
                add_to_batch(&batch, payload);
            }
            break;
        case FRAME_STREAM_CONTROL:
            if (connection_take_control(connection, payload, why) == CONNECTION_CLOSED) {
                return CONNECTION_CLOSED;
            }
            open = connection->handshake.state == HANDSHAKE_OPEN;
            break;
        case FRAME_STREAM_BAD_LENGTH:
            *why = open ? CLOSED_FRAME_LENGTH : close_reason_of_early_data(connection, start);
            return CONNECTION_CLOSED;
        case FRAME_STREAM_BAD_CONTROL:
            *why = close_reason_of(connection->handshake.state);
            return CONNECTION_CLOSED;
        }
    }
}

static enum close_reason close_reason_of_eof(const struct connection *connection)
{
    bool in_frame = connection->partial_len > 0 || connection->stream.skip_left > 0;
    return in_frame ? CLOSED_EOF_IN_FRAME : CLOSED_EOF;
}

/* Have room for a frame of `needed` bytes. Returns false without memory. */
static bool grow_partial(struct connection *connection, size_t needed)
{
    size_t size = partial_max(connection->stream.max_frame_size);

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
    while (connection->partial_len > 0) {
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

enum connection_state connection_receive(struct connection *connection,
                                         uint8_t buffer[CONNECTION_READ_SIZE], struct shard *shard,
                                         enum close_reason *why)
{
    ssize_t got = recv(connection->fd, buffer, CONNECTION_READ_SIZE, 0);

    if (got < 0) {
        *why = CLOSED_ERROR;
        return errno == EAGAIN || errno == EINTR ? CONNECTION_DRAINED : CONNECTION_CLOSED;
    }
    if (got == 0) {
        *why = close_reason_of_eof(connection);
        return CONNECTION_CLOSED;
    }

    struct bytes input = {buffer, (size_t)got};
    shard_begin(shard);
    enum connection_state state = take_partial(connection, &input, shard, why);
    if (state == CONNECTION_OPEN && input.len > 0) {
        state = connection_take_frames(connection, &input, shard, why);
    }
    shard_end(shard);
    if (state == CONNECTION_OPEN && !connection_keep(connection, input)) {
        *why = CLOSED_ERROR;
        return CONNECTION_CLOSED;
    }
    if (state == CONNECTION_OPEN) {
        read_coalescing_update(&connection->coalescing, (size_t)got, clock_monotonic_ns());
    }
    return state;
}
