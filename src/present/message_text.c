/* SPDX-License-Identifier: Apache-2.0 */
#include "present/message_text.h"

#include "message_text_internal.h"

#include <stdio.h>

#include "base/clock.h"
#include "count/dns_mnemonic.h"

char *put_time(struct message_text *state, char *at, uint64_t time_ns)
{
    time_t second = (time_t)(time_ns / NS_PER_SECOND);
    uint64_t fraction = time_ns % NS_PER_SECOND;
    struct tm utc;

    if (second != state->second) {
        (void)gmtime_r(&second, &utc);
        (void)strftime(state->second_text, SECOND_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S.", &utc);
        state->second = second;
    }
    at = PUT(at, "2026-11-29T10:00:00.123456789Z") - sizeof "123456789Z" + 1;
    memcpy(at - (SECOND_TEXT_SIZE - 1), state->second_text, SECOND_TEXT_SIZE - 1);
    for (size_t i = 9; i-- > 0;) {
        at[i] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    return at + sizeof "123456789Z" - 1;
}

char *escape_json(char *start, char *end)
{
    size_t escapes = 0;

    *end = '\0';
    char *first = start + strcspn(start, "\"\\");
    for (const char *at = first; at < end; at++) {
        escapes += *at == '"' || *at == '\\';
    }
    char *to = end + escapes;
    for (char *from = end; from > first;) {
        char c = *--from;
        *--to = c;
        if (c == '"' || c == '\\') {
            *--to = '\\';
        }
    }
    return end + escapes;
}

const char *message_server(struct message_text *state, struct bytes identity)
{
    if (identity.len == 0) {
        return "";
    }
    if (!bytes_equal(identity, (struct bytes){state->identity, state->identity_len})) {
        label_write(identity, state->server);
        state->identity_len = identity.len <= sizeof state->identity ? identity.len : 0;
        memcpy(state->identity, identity.data, state->identity_len);
    }
    return state->server;
}

const char *message_type(const struct event *event)
{
    static const char *const types[ROLE_COUNT][KIND_COUNT] = {
        [ROLE_AUTH] = {"AUTH_QUERY", "AUTH_RESPONSE"},
        [ROLE_RESOLVER] = {"RESOLVER_QUERY", "RESOLVER_RESPONSE"},
        [ROLE_CLIENT] = {"CLIENT_QUERY", "CLIENT_RESPONSE"},
        [ROLE_FORWARDER] = {"FORWARDER_QUERY", "FORWARDER_RESPONSE"},
        [ROLE_STUB] = {"STUB_QUERY", "STUB_RESPONSE"},
        [ROLE_TOOL] = {"TOOL_QUERY", "TOOL_RESPONSE"},
        [ROLE_UPDATE] = {"UPDATE_QUERY", "UPDATE_RESPONSE"},
    };

    return types[event->role][event->kind];
}

char *put_qtype(char *at, uint16_t type)
{
    (void)dns_mnemonic_qtype(type, at);
    return at + strlen(at);
}

char *put_class(char *at, uint16_t class)
{
    switch (class) {
    case 1:
        return PUT(at, "IN");
    case 3:
        return PUT(at, "CH");
    case 4:
        return PUT(at, "HS");
    case 254:
        return PUT(at, "NONE");
    case 255:
        return PUT(at, "ANY");
    default:
        return put_number(PUT(at, "CLASS"), class);
    }
}

char *put_name(char *at, struct bytes wire)
{
    dns_name_print(wire, at);
    return at + strlen(at);
}
