/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * dnstap.h - read one dnstap frame in place (proto/dnstap.proto)
 *
 * A decoder for these messages only: zero copy, no allocation, every length checked. It accepts and
 * rejects as protobuf-c does, field by field (tests/oracle/test_dnstap_oracle.c): unknown fields
 * are skipped, groups, overlong varints and a known field with a foreign wire type are errors, of a
 * field given twice the last counts, and a message given twice is merged.
 *
 * Google's decoder is more lenient with two of these: it takes a known field with a foreign wire
 * type for an unknown one, and it skips unknown groups. We keep to protobuf-c, with which the
 * servers in C write dnstap: no server sends either form, so that both are signs of a damaged
 * stream, and a frame that is counted as rejected is seen while one that lost a field is not.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"

/* Field numbers, as bits of the `present` sets below. */
enum dnstap_field {
    DNSTAP_IDENTITY = 1,
    DNSTAP_VERSION = 2,
    DNSTAP_EXTRA = 3,
    DNSTAP_MESSAGE = 14,
    DNSTAP_TYPE = 15,
};

enum dnstap_message_field {
    DNSTAP_MESSAGE_TYPE = 1,
    DNSTAP_SOCKET_FAMILY = 2,
    DNSTAP_SOCKET_PROTOCOL = 3,
    DNSTAP_QUERY_ADDRESS = 4,
    DNSTAP_RESPONSE_ADDRESS = 5,
    DNSTAP_QUERY_PORT = 6,
    DNSTAP_RESPONSE_PORT = 7,
    DNSTAP_QUERY_TIME_SEC = 8,
    DNSTAP_QUERY_TIME_NSEC = 9,
    DNSTAP_QUERY_MESSAGE = 10,
    DNSTAP_QUERY_ZONE = 11,
    DNSTAP_RESPONSE_TIME_SEC = 12,
    DNSTAP_RESPONSE_TIME_NSEC = 13,
    DNSTAP_RESPONSE_MESSAGE = 14,
    DNSTAP_POLICY = 15,
    DNSTAP_HTTP_PROTOCOL = 16,
};

enum dnstap_policy_field {
    DNSTAP_POLICY_TYPE = 1,
    DNSTAP_POLICY_RULE = 2,
    DNSTAP_POLICY_ACTION = 3,
    DNSTAP_POLICY_MATCH = 4,
    DNSTAP_POLICY_VALUE = 5,
};

struct dnstap_policy {
    uint32_t present;
    uint32_t action, match; /* as sent: may be outside the enumerations */
    struct bytes rule;
};

struct dnstap_message {
    uint32_t present;
    uint32_t type, socket_family, socket_protocol, http_protocol; /* as sent */
    uint32_t query_port, response_port;
    uint32_t query_time_nsec, response_time_nsec;
    uint64_t query_time_sec, response_time_sec;
    struct bytes query_address, response_address;
    struct bytes query_message, response_message;
    struct dnstap_policy policy;
};

/** The fields that are used; bytes are borrowed from the frame. A field that is absent is 0 or
 * empty. Of the others the bit in `present` alone is kept: they are checked all the same. */
struct dnstap {
    uint32_t present;
    uint32_t type; /* as sent */
    struct bytes identity, version;
    struct dnstap_message message;
};

/** Whether the field's bit is set in a `present`. */
static inline bool dnstap_has(uint32_t present, unsigned field)
{
    return (present >> field & 1) != 0;
}

/** Decode the protobuf in `frame`; false where it is none. *out is written in either case and means
 *  nothing where false. That required fields are there is for the caller to ask. */
NONNULL MUST_USE bool dnstap_decode(struct bytes frame, struct dnstap *out);
