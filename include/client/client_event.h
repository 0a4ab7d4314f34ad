/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * client_event.h - what lists and detectors take of a message: who, what name, what came of it
 *
 * Each hash is made once here. Only what clients ask counts, the roles client and auth: what a
 * resolver asks others repeats it.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "decode/event.h"
#include "client/block_list_settings.h"
#include "client/client_key.h"
#include "client/name_list.h"
#include "client/network.h"
#include "client/suffix_table.h"

enum client_event_outcome {
    CLIENT_EVENT_QUERY,
    CLIENT_EVENT_EXISTS, /* a response with NOERROR: there is such a name */
    CLIENT_EVENT_NXDOMAIN,
    CLIENT_EVENT_SERVFAIL,
    CLIENT_EVENT_OTHER, /* any other response */
};

/** How client events are read from messages; the same for all messages until a reload. */
struct client_event_rules {
    struct client_privacy privacy;
    struct hash_key secret;
    const struct suffix_table *suffixes;
    struct client_privacy host_privacy; /* of a struct client_host */
    const struct network *forwarders;   /* [forwarder_count] */
    size_t forwarder_count;
    const struct name_list *block_lists[BLOCK_LISTS_MAX]; /* the first block_list_count */
    unsigned block_list_count;
};

/** Whom detectors take for one client: a host. In IPv6 it is a network, of which a host may use any
 * number of addresses (RFC 8981). */
struct client_host {
    struct client_key key;
    uint64_t hash;
    bool is_forwarder; /* it asks for many hosts */
};

struct client_event {
    enum client_event_outcome outcome;
    uint16_t qtype;
    size_t message_size; /* bytes of the DNS message */
    bool is_udp;         /* the client's address may be another's, who has not asked */
    uint8_t addresses;   /* in the answer: enum dns_address */
    bool has_client;
    bool role_is_client;  /* dnstap's role: of an authoritative server the client is a resolver */
    bool is_ipv6;         /* the client's family; IPv4 otherwise */
    struct bytes address; /* the client's; borrowed */
    struct client_key client;
    uint64_t client_hash;
    bool has_host;           /* it is looked up on demand */
    struct client_host host; /* use client_event_host() */
    bool has_name;
    struct bytes qname; /* borrowed from the event, like all names here */
    uint64_t qname_hash;
    const struct dns_name_suffixes *suffixes; /* of qname; borrowed */
    /** The name that the message is about: qname, or where that is an alias of a name that does not
     * exist, the latter (RFC 6604 section 3). */
    struct bytes name;
    uint64_t name_hash;
    size_t zone_len; /* of an NXDOMAIN response: bytes of the zone that denies the name, at the
                        name's end; 0: not known */
    const struct client_event_rules *rules; /* borrowed */
    uint32_t server;      /* that has sent it: its number and generation; for lists by server */
    uint32_t block_lists; /* of a query in the role client: a bit for each list that has the name */
    bool has_suffix;      /* so it is in queries and failures; others look it up on demand */
    struct suffix_match suffix; /* of name: use client_event_suffix() */
    bool has_outside_len;       /* it is looked up on demand */
    uint8_t outside_len;        /* of name: use client_event_outside_len() */
};

/** Whether the lists and detectors take the message. */
NONNULL bool client_event_counts(const struct event *event);

/** Take what the message says. If it has a name, `suffixes` are the name's, from dns_name_sum()
 * under the secret, and `qname_hash` is the finished hash of all of it. Borrows from both. */
NONNULL void client_event_read(const struct client_event_rules *rules, const struct event *event,
                               const struct dns_name_suffixes *suffixes, uint64_t qname_hash,
                               struct client_event *out);

/** Take of a response what its query would have told. As client_event_read(). */
NONNULL void client_event_read_query(const struct client_event_rules *rules,
                                     const struct event *event,
                                     const struct dns_name_suffixes *suffixes, uint64_t qname_hash,
                                     struct client_event *out);

/** Take of a further response to a query who gets it and its size, which is all that it adds. */
NONNULL void client_event_read_duplicate(const struct client_event_rules *rules,
                                         const struct event *event, struct client_event *out);

/** Look up the registered domain of the event's name: client_event_suffix() does so once. */
NONNULL void client_event_look_up_suffix(struct client_event *event);

/** Return the registered domain of the event's name, which it must have. */
static inline const struct suffix_match *client_event_suffix(struct client_event *event)
{
    if (!event->has_suffix) {
        client_event_look_up_suffix(event);
    }
    return &event->suffix;
}

/** Look up the host that the client is: client_event_host() does so once. */
NONNULL void client_event_look_up_host(struct client_event *event);

/** Return the host that the event's client is; the event must have a client. */
static inline const struct client_host *client_event_host(struct client_event *event)
{
    if (!event->has_host) {
        client_event_look_up_host(event);
    }
    return &event->host;
}

/** Whether the event's registered domain, of two labels at least, does not exist: a zone above it,
 * where domains are registered, denies its name. The root does so for the top-level domains of
 * alternative roots; all others that it does not have are of private networks. */
NONNULL bool client_event_denies_domain(struct client_event *event);

/** The hash of the zone that denies the event's name, whose length is known. */
NONNULL uint64_t client_event_zone_hash(const struct client_event *event);

/** The hash of what the registered domain of the event's name is directly below. */
NONNULL uint64_t client_event_parent_hash(struct client_event *event);

/** Look for an outside name: client_event_outside_len() does so once. */
NONNULL void client_event_look_for_outside(struct client_event *event);

/** Return the bytes of the outside name, without a root label, that a resolver has put a search
 * domain behind (resolv.conf(5)); 0 where it has not, or the public suffix list is off. Such a name
 * is told by a label before the registered domain that is a top-level domain, behind others. Where
 * the search domain has no top-level domain, that may be the registered domain's first label. */
static inline size_t client_event_outside_len(struct client_event *event)
{
    if (!event->has_outside_len) {
        client_event_look_for_outside(event);
    }
    return event->outside_len;
}

/** The hash of the outside name, as if it was asked for alone. */
NONNULL uint64_t client_event_outside_hash(const struct client_event *event, size_t outside_len);
