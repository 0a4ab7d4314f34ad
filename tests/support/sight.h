/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sight.h - sightings as tests write them
 */

#include "base/hash.h"
#include "support/wire_name.h"
#include "client/sighting.h"

#define SIGHT_SECRET ((struct hash_key){UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)})

/** A sighting of client number `client` and the dotted name `name`, in wire format in `space`,
 * which has 255 bytes and outlives it. Client 0 is none, NULL is no name; the registered domain is
 * the name's last two labels. Valid until the next call. */
static inline struct sighting sight(enum sighting_outcome outcome, uint32_t client,
                                    const char *name, uint8_t *space)
{
    static struct dns_name_suffixes suffixes;
    const struct hash_key secret = SIGHT_SECRET;
    struct sighting sighting = {.outcome = outcome, .message_size = 100};

    if (client != 0) {
        sighting.has_client = true;
        sighting.is_host = true;
        sighting.client.len = 4;
        for (unsigned i = 0; i < 4; i++) {
            sighting.client.data[i] = (uint8_t)(client >> (24 - 8 * i));
        }
        sighting.client_hash = client_key_hash(&secret, &sighting.client);
    }
    if (name != NULL) {
        sighting.has_name = true;
        sighting.qname = wire_name(name, space);
        dns_name_sum(&secret, sighting.qname, &suffixes);
        sighting.suffixes = &suffixes;
        sighting.qname_hash = hash_finish(&secret, suffixes.sums[0]);
        sighting.name = sighting.qname;
        sighting.name_hash = sighting.qname_hash;
        unsigned first = suffixes.labels > 2 ? suffixes.labels - 2 : 0;
        size_t offset = suffixes.labels > 0 ? suffixes.offsets[first] : 0;
        sighting.suffix.domain = (struct bytes){sighting.qname.data + offset,
                                                sighting.qname.len - offset};
        sighting.suffix.domain_hash = hash_finish(&secret, suffixes.sums[first]);
    }
    return sighting;
}
