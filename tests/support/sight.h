/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sight.h - sightings as tests write them
 */

#include "base/hash.h"
#include "support/wire_name.h"
#include "traffic/sighting.h"

#define SIGHT_SECRET ((struct hash_key){5, 6})

/** A sighting of client number `client` and the dotted name `name`, in wire format in `space`,
 * which has 255 bytes and outlives it. Client 0 is none, NULL is no name; the registered domain is
 * the name's last two labels. */
static inline struct sighting sight(enum sighting_outcome outcome, uint32_t client,
                                    const char *name, uint8_t *space)
{
    const struct hash_key secret = SIGHT_SECRET;
    struct sighting sighting = {.outcome = outcome, .message_size = 100};

    if (client != 0) {
        sighting.has_client = true;
        sighting.is_host = true;
        sighting.client.len = 4;
        for (unsigned i = 0; i < 4; i++) {
            sighting.client.data[i] = (uint8_t)(client >> (24 - 8 * i));
        }
        sighting.client_hash = hash_bytes(&secret, (struct bytes){sighting.client.data, 4});
    }
    if (name != NULL) {
        sighting.has_name = true;
        sighting.qname = wire_name(name, space);
        sighting.qname_hash = hash_bytes(&secret, sighting.qname);
        const char *domain = name + strlen(name);
        for (unsigned dots = 0; domain > name; domain--) {
            dots += domain[-1] == '.';
            if (dots == 2) {
                break;
            }
        }
        size_t offset = (size_t)(domain - name);
        sighting.suffix.domain = (struct bytes){sighting.qname.data + offset,
                                                sighting.qname.len - offset};
        sighting.suffix.domain_hash = hash_bytes(&secret, sighting.suffix.domain);
    }
    return sighting;
}
