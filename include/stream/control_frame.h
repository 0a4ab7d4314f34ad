/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * control_frame.h - Frame Streams' control frames (https://farsightsec.github.io/fstrm)
 *
 * Nothing is allocated: libfstrm, which ends the process where it gets no memory, is the oracle of
 * the tests.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"

#define DNSTAP_CONTENT_TYPE "protobuf:dnstap.Dnstap"

enum control_type {
    CONTROL_READY,
    CONTROL_ACCEPT,
    CONTROL_START,
    CONTROL_STOP,
    CONTROL_FINISH,
};

struct control_frame {
    enum control_type type;
    unsigned content_types; /* that it names */
    bool has_dnstap;        /* one of them is dnstap */
};

/** Read a control frame's payload. False where it is none that there is. */
NONNULL MUST_USE bool control_frame_read(struct bytes payload, struct control_frame *out);

/** Whether the frame takes dnstap. One that names no content type stands for all of them, as
 *  libfstrm has it. */
NONNULL bool control_frame_takes_dnstap(const struct control_frame *frame);

#define CONTROL_FRAME_SIZE 42 /* bytes of the largest one that is written */

/** Write a control frame of this type, with its escape and length. READY, ACCEPT and START carry
 *  dnstap as their content type. Returns its bytes. */
NONNULL size_t control_frame_write(enum control_type type, uint8_t out[CONTROL_FRAME_SIZE]);
