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
#include "client/client_key.h"
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
};

struct client_event {
    enum client_event_outcome outcome;
    size_t message_size; /* bytes of the DNS message */
    bool has_client;
    bool role_is_client; /* dnstap's role: of an authoritative server the client is a resolver */
    bool is_ipv6;        /* the client's family; IPv4 otherwise */
    struct client_key client;
    uint64_t client_hash;
    bool has_name;
    struct bytes qname; /* borrowed from the event, like all names here */
    uint64_t qname_hash;
    const struct dns_name_suffixes *suffixes; /* of qname; borrowed */
    /** The name that the message is about: qname, or where that is an alias of a name that does not
     * exist, the latter (RFC 6604 section 3). */
    struct bytes name;
    uint64_t name_hash;
    const struct client_event_rules *rules; /* borrowed */
    bool has_suffix;            /* so it is in queries and failures; others look it up on demand */
    struct suffix_match suffix; /* of name: use client_event_suffix() */
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

/** Whether `qname` has the form of a look-up in a DNS block list (RFC 5782 sections 2.1 and 2.4):
 *  an address backwards, four decimal or 32 hexadecimal labels, before the list's own name. There
 *  a name that does not exist says that all is well. */
NONNULL bool client_event_is_block_list_query(struct bytes qname);

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

/** Whether detectors ignore the event, which must have a name: the configuration allows the name,
 * or it has the form of a look-up in a DNS block list. */
static inline bool client_event_is_ignored(struct client_event *event)
{
    return client_event_suffix(event)->allowed || client_event_is_block_list_query(event->qname);
}
