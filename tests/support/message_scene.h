/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * message_scene.h - dnstap messages for tests of what is printed of them
 */

#include <stdlib.h>
#include <string.h>

#include "decode/event.h"
#include "support/hex.h"

#define SCENE_SECOND UINT64_C(1764410400) /* 2025-11-29T10:00:00Z */
#define SCENE_NS     (SCENE_SECOND * 1000000000)

/* Question www.example.com A, at offset 12; example.com is at 16, the end of the question at 33. */
#define SCENE_QUESTION "03777777 076578616d706c65 03636f6d 00 0001 0001 "
#define SCENE_QUERY    "1234 0120 0001 0000 0000 0000 " SCENE_QUESTION

/* CNAME web.example.com, which is at offset 45, and its address 192.0.2.80; the zone's name server
 * ns.example.com, at 79; its address 2001:db8::53; an OPT record. */
#define SCENE_RESPONSE                                                                             \
    "1234 8580 0001 0002 0001 0002 " SCENE_QUESTION "c00c 0005 0001 0000012c 0006 03776562 c010 "  \
    "c02d 0001 0001 0000003c 0004 c0000250 "                                                       \
    "c010 0002 0001 00015180 0005 026e73 c010 "                                                    \
    "c04f 001c 0001 00015180 0010 20010db8000000000000000000000053 "                               \
    "00 0029 04d0 00000000 0000 "

/* NXDOMAIN, with an EDNS that does not extend it. */
#define SCENE_NXDOMAIN "1234 8183 0001 0000 0000 0000 " SCENE_QUESTION

/** The client message with this DNS message, in hex, from 192.0.2.1:5353 to [2001:db8::7]:53 by
 * UDP, seen by "ns1"; a response after 1.5 ms. It is valid until the next call. */
static inline const struct event *message_scene(const char *hex)
{
    static const uint8_t client[] = {192, 0, 2, 1};
    static const uint8_t server[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
    static struct event event;
    static uint8_t *message; /* ends where the heap's block does */
    uint8_t buffer[512];
    size_t len = hex_read(hex, buffer, sizeof buffer);

    free(message);
    message = malloc(len + (len == 0));
    if (message == NULL) {
        abort();
    }
    memcpy(message, buffer, len);
    memset(&event, 0, sizeof event);
    event.role = ROLE_CLIENT;
    event.kind = len > 2 && (message[2] & 0x80) != 0 ? KIND_RESPONSE : KIND_QUERY;
    event.family = FAMILY_IPV4;
    event.transport = TRANSPORT_UDP;
    event.identity = bytes_of_string("ns1");
    event.version = bytes_of_string("server \"7\"");
    event.query_address = (struct bytes){client, sizeof client};
    event.response_address = (struct bytes){server, sizeof server};
    event.query_port = 5353;
    event.response_port = 53;
    event.query_time_ns = SCENE_NS + 1;
    event.response_time_ns = event.kind == KIND_RESPONSE ? SCENE_NS + 1500001 : 0;
    event.message = (struct bytes){message, len};
    dns_message_read(event.message, &event.dns);
    return &event;
}
