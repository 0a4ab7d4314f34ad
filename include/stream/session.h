/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * session.h - one Frame Streams session, of a receiver, a sender or a file
 *
 * Bidirectional: READY, which is answered with ACCEPT, START, data, STOP, which is answered with
 * FINISH. Unidirectional, also in files: START, data, STOP. Bytes that came go in, events come out;
 * control frames to be sent wait in the session until session_flush(). Nothing is allocated. One
 * thread owns a session.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/frame_stream.h"
#include "stream/byte_stream.h"
#include "stream/control_frame.h"

enum session_role {
    SESSION_RECEIVER, /* of a DNS server's stream, in either direction */
    SESSION_SENDER,   /* bidirectional */
    SESSION_FILE,     /* read: recordings may follow each other */
};

enum session_state {
    SESSION_BEGINS,   /* READY or START may come; of a sender: ACCEPT */
    SESSION_ACCEPTED, /* START may come */
    SESSION_OPEN,     /* data frames and STOP may come, or be sent */
    SESSION_STOPPING, /* of a sender: FINISH may come */
    SESSION_ENDED,    /* nothing more may come */
};

struct session {
    enum session_role role;
    enum session_state state;
    bool is_bidirectional;
    struct frame_stream frames;
    uint8_t outgoing[2 * CONTROL_FRAME_SIZE]; /* control frames to be sent, never more than two */
    size_t outgoing_len;
};

enum session_event {
    SESSION_NEED_MORE,          /* what is left of the input is the beginning of a frame */
    SESSION_DATA,               /* *payload is a data frame */
    SESSION_OVERSIZE,           /* a data frame over the bound begins; it is skipped */
    SESSION_PROGRESS,           /* a control frame was taken, see the state */
    SESSION_BAD_LENGTH,         /* the stream is out of step: a length that cannot be */
    SESSION_BAD_CONTROL,        /* a control frame that there is not, or not in this state */
    SESSION_BAD_CONTROL_LENGTH, /* one with a length that cannot be */
    SESSION_BAD_CONTENT_TYPE,   /* the sender offers other contents than dnstap */
    SESSION_UNEXPECTED_DATA, /* something else than a control frame, and the session is not open */
};

/** Begin a session whose data frames may have up to `max_frame_size` bytes. A sender has READY to
 *  send. */
NONNULL void session_init(struct session *session, enum session_role role, uint32_t max_frame_size);

/** Take the next frame off the front of `input`. *payload is borrowed from it, and set for DATA
 *  only. Give what NEED_MORE leaves in `input` again, with more bytes behind. After an event that
 *  is a mistake the session is of no use. */
NONNULL enum session_event session_next(struct session *session, struct bytes *input,
                                        struct bytes *payload);

/** A sender has no more data frames: STOP is to be sent. The session is open. */
NONNULL void session_stop(struct session *session);

/** Send the control frames that wait. OK: there are none any more. */
NONNULL enum byte_stream_result session_flush(struct session *session, struct byte_stream *stream);
