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

/** A control frame to send, with its escape and length; there is none if len is 0. */
struct control_frame {
    uint8_t data[64];
    size_t len;
};

/** Start afresh. */
NONNULL void handshake_init(struct handshake *handshake);

/** Take a control frame's payload. *reply is written for HANDSHAKE_GOES_ON. */
NONNULL MUST_USE enum handshake_result
handshake_control(struct handshake *handshake, struct bytes control, struct control_frame *reply);

/* --- Control frames --- */

enum control_type {
    CONTROL_READY,
    CONTROL_ACCEPT,
    CONTROL_START,
    CONTROL_STOP,
    CONTROL_FINISH,
};

/** Write a control frame of this type. READY, ACCEPT and START carry dnstap as their content type.
 */
NONNULL void control_encode(enum control_type type, struct control_frame *out);

/** Return whether `payload` is a control frame of this type. An ACCEPT must accept dnstap, or name
 * no content type. */
NONNULL MUST_USE bool control_matches(enum control_type type, struct bytes payload);
