/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * event.h - one dnstap frame as plain facts
 *
 * What a frame says of one DNS message, in the terms of the metrics (README: labels).
 * Everything borrowed is valid as long as the frame's bytes.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/dns_message.h"

/** The part that the server plays in the exchange: dnstap's message type without _QUERY or
 * _RESPONSE, in its order. */
enum role {
    ROLE_AUTH,
    ROLE_RESOLVER,
    ROLE_CLIENT,
    ROLE_FORWARDER,
    ROLE_STUB,
    ROLE_TOOL,
    ROLE_UPDATE,
    ROLE_COUNT,
};

/** Whether the server asks another one in this role: an upstream server, whose address is the
 * response_address of its frames. */
static inline bool role_asks_upstream(enum role role)
{
    return (1u << role & (1u << ROLE_RESOLVER | 1u << ROLE_FORWARDER | 1u << ROLE_STUB)) != 0;
}

enum kind { KIND_QUERY, KIND_RESPONSE, KIND_COUNT };

enum family { FAMILY_UNKNOWN, FAMILY_IPV4, FAMILY_IPV6, FAMILY_COUNT };

/** In the order of dnstap's socket_protocol. */
enum transport {
    TRANSPORT_UNKNOWN,
    TRANSPORT_UDP,
    TRANSPORT_TCP,
    TRANSPORT_DOT,
    TRANSPORT_DOH,
    TRANSPORT_DNSCRYPT_UDP,
    TRANSPORT_DNSCRYPT_TCP,
    TRANSPORT_DOQ,
    TRANSPORT_COUNT,
};

/** The version of HTTP that carried a message over HTTPS. */
enum http_version {
    HTTP_VERSION_UNKNOWN, /* the server does not say */
    HTTP_VERSION_1,
    HTTP_VERSION_2,
    HTTP_VERSION_3,
    HTTP_VERSION_COUNT,
};

enum policy_action {
    POLICY_ACTION_UNKNOWN,
    POLICY_ACTION_NXDOMAIN,
    POLICY_ACTION_NODATA,
    POLICY_ACTION_PASS,
    POLICY_ACTION_DROP,
    POLICY_ACTION_TRUNCATE,
    POLICY_ACTION_LOCAL_DATA,
    POLICY_ACTION_COUNT,
};

enum policy_match {
    POLICY_MATCH_UNKNOWN,
    POLICY_MATCH_QNAME,
    POLICY_MATCH_CLIENT_IP,
    POLICY_MATCH_RESPONSE_IP,
    POLICY_MATCH_NS_NAME,
    POLICY_MATCH_NS_IP,
    POLICY_MATCH_COUNT,
};

/** Whether the frame can be used, or why its dnstap part cannot. */
enum decode_status {
    DECODE_OK,
    DECODE_PROTOBUF,     /* no dnstap protobuf message */
    DECODE_NOT_MESSAGE,  /* its type is not MESSAGE, or it holds none */
    DECODE_MESSAGE_TYPE, /* no message type, or one that we do not know */
};

struct event {
    enum role role;
    enum kind kind;
    enum family family;
    enum transport transport;
    enum http_version http_version;
    struct bytes identity; /* the server's; empty where absent */
    struct bytes version;  /* of the server's software; empty where absent */
    /* 4 or 16 bytes; empty where absent or unusable. An IPv4-mapped IPv6 address (::ffff:a.b.c.d,
     * RFC 4291 section 2.5.5.2) is IPv4 here: servers that listen on an IPv6 wildcard send these.
     */
    struct bytes query_address, response_address;
    uint16_t query_port, response_port;       /* 0 where absent */
    uint64_t query_time_ns, response_time_ns; /* since 1970, below 2^63; 0 where absent: servers
                                                 also write 0 for it */
    bool has_policy;                          /* the next two are set */
    enum policy_action policy_action;
    enum policy_match policy_match;
    struct bytes message;   /* the DNS message of this frame's kind; empty where absent */
    struct dns_message dns; /* what it says */
    struct bytes query; /* the query's DNS message, in a response frame too; empty where absent */
};

/** Read a frame. *out is complete where DECODE_OK, and means nothing otherwise. */
NONNULL MUST_USE NOINLINE enum decode_status event_read(struct bytes frame, struct event *out);

/** The same in two steps: first all but `dns`, then `dns`. A filter on the dnstap fields may skip
 * the second. */
NONNULL MUST_USE enum decode_status event_read_dnstap(struct bytes frame, struct event *out);
NONNULL void event_read_dns(struct event *out);
