/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * handshake.h - Frame Streams' control frames
 *
 * First the receiver's side. Bidirectional: READY, which is answered with ACCEPT, START, data,
 * STOP, which is answered with FINISH. Unidirectional, also in files: START, data, STOP. No
 * descriptors here: control frames go in, replies come out. Nothing is allocated: libfstrm, which
 * ends the process where it gets no memory, is the oracle of the tests.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"

#define DNSTAP_CONTENT_TYPE "protobuf:dnstap.Dnstap"

enum handshake_state {
    HANDSHAKE_BEGINS,   /* READY or START may come */
    HANDSHAKE_ACCEPTED, /* START may come */
    HANDSHAKE_OPEN,     /* data frames and STOP may come */
    HANDSHAKE_ENDED,    /* nothing more may come */
};

struct handshake {
    enum handshake_state state;
    bool bidirectional;
};

enum handshake_result {
    HANDSHAKE_GOES_ON,
    HANDSHAKE_BAD_CONTROL, /* not a control frame that there is, or not in this state */
    HANDSHAKE_BAD_CONTENT, /* the sender offers other contents than dnstap */
};

/** A control frame to send, its escape and length included; none where len is 0. */
struct handshake_reply {
    uint8_t data[64];
    size_t len;
};

/** Start afresh. */
NONNULL void handshake_init(struct handshake *handshake);

/** Take a control frame's payload. *reply is written for HANDSHAKE_GOES_ON. */
NONNULL MUST_USE enum handshake_result
handshake_control(struct handshake *handshake, struct bytes control, struct handshake_reply *reply);

/* --- The sender's side --- */

enum handshake_word {
    HANDSHAKE_READY,
    HANDSHAKE_ACCEPT,
    HANDSHAKE_START,
    HANDSHAKE_STOP,
    HANDSHAKE_FINISH,
};

/** Write the control frame, with dnstap as its content type where it has one. */
NONNULL void handshake_say(enum handshake_word word, struct handshake_reply *out);

/** Whether a control frame's payload is this word; ACCEPT has to accept dnstap, or all. */
NONNULL MUST_USE bool handshake_hears(enum handshake_word word, struct bytes control);
