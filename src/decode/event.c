/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/event.h"

#include "base/clock.h"
#include "decode/dnstap.h"

enum { DNSTAP_TYPE_MESSAGE = 1 };
enum { DNSTAP_INET = 1, DNSTAP_INET6 = 2 };

/* Message types from 1 on come in pairs, the query first. */
#define MESSAGE_TYPE_MAX (2 * ROLE_COUNT)

static enum transport transport_of(uint32_t protocol)
{
    return protocol < TRANSPORT_COUNT ? (enum transport)protocol : TRANSPORT_UNKNOWN;
}

static enum http_version http_version_of(uint32_t http_protocol)
{
    return http_protocol < HTTP_VERSION_COUNT ? (enum http_version)http_protocol
                                              : HTTP_VERSION_UNKNOWN;
}

#define IPV4_LEN 4  /* bytes (RFC 791) */
#define IPV6_LEN 16 /* bytes (RFC 4291) */

static struct bytes usable_address(struct bytes address)
{
    static const uint8_t mapped[IPV6_LEN - IPV4_LEN] = {[10] = 0xff, [11] = 0xff};

    if (address.len == IPV4_LEN) {
        return address;
    }
    if (address.len != IPV6_LEN) {
        return (struct bytes){NULL, 0};
    }
    bool is_mapped = memcmp(address.data, mapped, sizeof mapped) == 0;
    return is_mapped ? (struct bytes){address.data + sizeof mapped, IPV4_LEN} : address;
}

static enum family family_of_address(struct bytes address)
{
    switch (address.len) {
    case IPV4_LEN:
        return FAMILY_IPV4;
    case IPV6_LEN:
        return FAMILY_IPV6;
    default:
        return FAMILY_UNKNOWN;
    }
}

static enum family family_of_socket(uint32_t socket_family)
{
    switch (socket_family) {
    case DNSTAP_INET:
        return FAMILY_IPV4;
    case DNSTAP_INET6:
        return FAMILY_IPV6;
    default:
        return FAMILY_UNKNOWN;
    }
}

/* The family of the peer: who asked, or, where this server asks, whom it asks (there the query
 * address is often 0.0.0.0). The address' length decides before socket_family, which may be that of
 * a proxy's connection (PROXY protocol version 2) and not that of the client. */
static enum family family_of(const struct event *event, uint32_t socket_family)
{
    bool asks_others = event->role == ROLE_RESOLVER || event->role == ROLE_FORWARDER;
    struct bytes peer = asks_others ? event->response_address : event->query_address;
    enum family family = family_of_address(peer);

    return family != FAMILY_UNKNOWN ? family : family_of_socket(socket_family);
}

/* Nanoseconds since 1970; 0 where the field is absent or 0, no time, or too far off for 63 bits
 * (the year 2262). */
static uint64_t time_of(uint64_t sec, uint32_t nsec)
{
    /* 0 wraps. */
    bool usable = sec - 1 < INT64_MAX / NS_PER_SECOND - 1 && nsec < NS_PER_SECOND;

    return usable ? sec * NS_PER_SECOND + nsec : 0;
}

static void read_policy(const struct dnstap_message *message, struct event *out)
{
    uint32_t action = message->policy.action;
    uint32_t match = message->policy.match;

    out->has_policy = dnstap_has(message->present, DNSTAP_POLICY);
    if (!out->has_policy) {
        return;
    }
    out->policy_action = action < POLICY_ACTION_COUNT ? (enum policy_action)action
                                                      : POLICY_ACTION_UNKNOWN;
    out->policy_match = match < POLICY_MATCH_COUNT ? (enum policy_match)match
                                                   : POLICY_MATCH_UNKNOWN;
}

/* A field that is there has bytes to point to, if there are none of them. */
static inline void read_dns(struct event *out)
{
    if (out->message.data != NULL) {
        dns_message_read(out->message, &out->dns);
    } else {
        dns_message_missing(&out->dns);
    }
}

static inline enum decode_status read_dnstap(struct bytes frame, struct event *out)
{
    struct dnstap dnstap;

    if (!dnstap_decode(frame, &dnstap)) {
        return DECODE_PROTOBUF;
    }
    const struct dnstap_message *message = &dnstap.message;
    if (dnstap.type != DNSTAP_TYPE_MESSAGE || !dnstap_has(dnstap.present, DNSTAP_MESSAGE)) {
        return DECODE_NOT_MESSAGE;
    }
    if (message->type < 1 || message->type > MESSAGE_TYPE_MAX) {
        return DECODE_MESSAGE_TYPE;
    }
    out->role = (enum role)((message->type - 1) / 2);
    out->kind = message->type % 2 == 1 ? KIND_QUERY : KIND_RESPONSE;
    out->transport = transport_of(message->socket_protocol);
    out->http_version = http_version_of(message->http_protocol);
    out->identity = dnstap.identity;
    out->version = dnstap.version;
    out->query_address = usable_address(message->query_address);
    out->response_address = usable_address(message->response_address);
    out->family = family_of(out, message->socket_family);
    out->query_port = (uint16_t)message->query_port;
    out->response_port = (uint16_t)message->response_port;
    out->query_time_ns = time_of(message->query_time_sec, message->query_time_nsec);
    out->response_time_ns = time_of(message->response_time_sec, message->response_time_nsec);
    out->message = out->kind == KIND_QUERY ? message->query_message : message->response_message;
    out->query = message->query_message;
    read_policy(message, out);
    return DECODE_OK;
}

FLATTEN enum decode_status event_read(struct bytes frame, struct event *out)
{
    enum decode_status status = read_dnstap(frame, out);

    if (status == DECODE_OK) {
        read_dns(out);
    }
    return status;
}

enum decode_status event_read_dnstap(struct bytes frame, struct event *out)
{
    return read_dnstap(frame, out);
}

void event_read_dns(struct event *out)
{
    read_dns(out);
}
