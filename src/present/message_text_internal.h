/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * message_text_internal.h - what both lines of a message consist of
 *
 * Functions that put write to `at`, where there is room, and return the end of what they wrote.
 */

#include <string.h>

#include "field_text_internal.h"
#include "present/message_text.h"

/** Write a constant. */
#define PUT(at, literal)                                                                           \
    ((char *)memcpy((at), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

NONNULL static inline char *put_string(char *at, const char *string)
{
    size_t len = strlen(string);

    memcpy(at, string, len);
    return at + len;
}

/** The bytes from `start` to `end` are printable. Escape those that a string of JSON cannot have as
 * they are; there is room for all of them to be escaped, and a NUL. Returns the new end. */
NONNULL char *escape_json(char *start, char *end);

#define TIME_SIZE sizeof "9999-12-31T23:59:59.123456789Z"

/** Since 1970, as RFC 3339 has it, in UTC. */
NONNULL char *put_time(struct message_text *state, char *at, uint64_t time_ns);

/** The server's name, as the label `server` of the metrics has it; NUL-terminated. It is the
 * state's, until the next call. "": it has none. */
NONNULL const char *message_server(struct message_text *state, struct bytes identity);

/** dnstap's type of the message, CLIENT_QUERY for one. */
NONNULL const char *message_type(const struct event *event);

NONNULL char *put_qtype(char *at, uint16_t type);

/** IN, or CLASS4711 as RFC 3597 section 5 has it. */
NONNULL char *put_class(char *at, uint16_t class);

/** Write a name in wire format, as dns_name_print() does. */
NONNULL char *put_name(char *at, struct bytes wire);
