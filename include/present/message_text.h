/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * message_text.h - a dnstap message as one line
 */

#include <time.h>

#include "base/attr.h"
#include "base/text.h"
#include "count/label.h"
#include "decode/event.h"

#define SECOND_TEXT_SIZE sizeof "9999-12-31T23:59:59."

/** What one message often shares with the one before. All zero to begin with; one thread owns it.
 */
struct message_text {
    time_t second; /* whose text is `second_text`; 0: none */
    char second_text[SECOND_TEXT_SIZE];
    uint8_t identity[LABEL_SIZE]; /* [identity_len]: whose label is `server`; 0: none */
    size_t identity_len;
    char server[LABEL_SIZE];
};

/** Append the message as a JSON object and a line feed. Members have the names of the Elastic
 * Common Schema 8 where it has them; deploy/archive.md lists all. */
NONNULL void message_text_json(struct message_text *state, const struct event *event,
                               struct text *out);

/** Append the message as a line for people, its columns separated by blanks (deploy/archive.md). */
NONNULL void message_text_line(struct message_text *state, const struct event *event,
                               struct text *out);
