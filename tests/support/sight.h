/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sight.h - client events as tests write them
 */

#include "base/hash.h"
#include "support/wire_name.h"
#include "client/client_event.h"

#define SIGHT_SECRET ((struct hash_key){UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)})

/** A client event of client number `client` and the dotted name `name`, in wire format in `space`,
 * which has 255 bytes and outlives it. Client 0 is none, NULL is no name; the registered domain is
 * the name's last two labels. Valid until the next call. */
static inline struct client_event sight(enum client_event_outcome outcome, uint32_t client,
                                        const char *name, uint8_t *space)
{
    static struct dns_name_suffixes suffixes;
    const struct hash_key secret = SIGHT_SECRET;
    struct client_event event = {.outcome = outcome, .message_size = 100};

    if (client != 0) {
        event.has_client = true;
        event.role_is_client = true;
        event.client.len = 4;
        for (unsigned i = 0; i < 4; i++) {
            event.client.data[i] = (uint8_t)(client >> (24 - 8 * i));
        }
        event.client_hash = client_key_hash(&secret, &event.client);
    }
    if (name != NULL) {
        event.has_name = true;
        event.qname = wire_name(name, space);
        dns_name_sum(&secret, event.qname, &suffixes);
        event.suffixes = &suffixes;
        event.has_suffix = outcome != CLIENT_EVENT_EXISTS && outcome != CLIENT_EVENT_OTHER;
        event.qname_hash = hash_finish(&secret, suffixes.sums[0]);
        event.name = event.qname;
        event.name_hash = event.qname_hash;
        unsigned first = suffixes.labels > 2 ? suffixes.labels - 2 : 0;
        size_t offset = suffixes.labels > 0 ? suffixes.offsets[first] : 0;
        event.suffix.domain = (struct bytes){event.qname.data + offset, event.qname.len - offset};
        event.suffix.domain_hash = hash_finish(&secret, suffixes.sums[first]);
    }
    return event;
}
