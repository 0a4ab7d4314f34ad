/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/session.h"

#include <assert.h>

static void session_send(struct session *session, enum control_type type)
{
    session->outgoing_len += control_frame_write(type, session->outgoing + session->outgoing_len);
}

void session_init(struct session *session, enum session_role role, uint32_t max_frame_size)
{
    *session = (struct session){.role = role};
    frame_stream_init(&session->frames, max_frame_size);
    if (role == SESSION_SENDER) {
        session_send(session, CONTROL_READY);
    }
}

void session_stop(struct session *session)
{
    session->state = SESSION_STOPPING;
    session_send(session, CONTROL_STOP);
}

/* --- Control frames --- */

static enum session_event session_enter(struct session *session, const struct control_frame *frame,
                                        enum session_state state)
{
    if (!control_frame_takes_dnstap(frame)) {
        return SESSION_BAD_CONTENT_TYPE;
    }
    session->state = state;
    return SESSION_PROGRESS;
}

static enum session_event session_accept(struct session *session, const struct control_frame *frame)
{
    enum session_event event = session_enter(session, frame, SESSION_ACCEPTED);

    if (event == SESSION_PROGRESS && session->role == SESSION_RECEIVER) {
        session->is_bidirectional = true;
        session_send(session, CONTROL_ACCEPT);
    }
    return event;
}

/* In a file another recording may follow. */
static enum session_event session_end(struct session *session)
{
    session->state = session->role == SESSION_FILE ? SESSION_BEGINS : SESSION_ENDED;
    if (session->is_bidirectional) {
        session_send(session, CONTROL_FINISH);
    }
    return SESSION_PROGRESS;
}

static enum session_event receiver_take_control(struct session *session,
                                                const struct control_frame *frame)
{
    enum session_state state = session->state;
    bool begins = state == SESSION_BEGINS || state == SESSION_ACCEPTED;
    /* Files that were joined, the first of which has no STOP. */
    bool joined = state == SESSION_OPEN && session->role == SESSION_FILE;

    if (frame->type == CONTROL_READY && state == SESSION_BEGINS) {
        return session_accept(session, frame);
    }
    if (frame->type == CONTROL_START && (begins || joined)) {
        return session_enter(session, frame, SESSION_OPEN);
    }
    if (frame->type == CONTROL_STOP && state == SESSION_OPEN) {
        return session_end(session);
    }
    return SESSION_BAD_CONTROL;
}

static enum session_event sender_take_control(struct session *session,
                                              const struct control_frame *frame)
{
    if (frame->type == CONTROL_ACCEPT && session->state == SESSION_BEGINS) {
        enum session_event event = session_enter(session, frame, SESSION_OPEN);
        if (event == SESSION_PROGRESS) {
            session_send(session, CONTROL_START);
        }
        return event;
    }
    if (frame->type == CONTROL_FINISH && session->state == SESSION_STOPPING) {
        session->state = SESSION_ENDED;
        return SESSION_PROGRESS;
    }
    return SESSION_BAD_CONTROL;
}

static enum session_event session_take_control(struct session *session, struct bytes payload)
{
    struct control_frame frame;

    if (!control_frame_read(payload, &frame)) {
        return SESSION_BAD_CONTROL;
    }
    return session->role == SESSION_SENDER ? sender_take_control(session, &frame)
                                           : receiver_take_control(session, &frame);
}

/* --- Frames --- */

enum session_event session_next(struct session *session, struct bytes *input, struct bytes *payload)
{
    bool is_open = session->state == SESSION_OPEN && session->role != SESSION_SENDER;

    switch (frame_stream_next(&session->frames, input, payload)) {
    case FRAME_STREAM_NEED_MORE:
        return SESSION_NEED_MORE;
    case FRAME_STREAM_DATA:
        return is_open ? SESSION_DATA : SESSION_UNEXPECTED_DATA;
    case FRAME_STREAM_OVERSIZE:
        return is_open ? SESSION_OVERSIZE : SESSION_UNEXPECTED_DATA;
    case FRAME_STREAM_BAD_LENGTH:
        return is_open ? SESSION_BAD_LENGTH : SESSION_UNEXPECTED_DATA;
    case FRAME_STREAM_BAD_CONTROL:
        return SESSION_BAD_CONTROL_LENGTH;
    case FRAME_STREAM_CONTROL:
        break;
    }
    return session_take_control(session, *payload);
}

enum byte_stream_result session_flush(struct session *session, struct byte_stream *stream)
{
    enum byte_stream_result result = BYTE_STREAM_OK;

    while (session->outgoing_len > 0 && result == BYTE_STREAM_OK) {
        struct bytes outgoing = {session->outgoing, session->outgoing_len};
        size_t count = 0;

        result = byte_stream_write(stream, outgoing, &count);
        if (result == BYTE_STREAM_OK) {
            assert(count <= session->outgoing_len);
            session->outgoing_len -= count;
            memmove(session->outgoing, session->outgoing + count, session->outgoing_len);
        }
    }
    return result;
}
