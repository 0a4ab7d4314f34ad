/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_key.h"

#include <arpa/inet.h>
#include <stdio.h>

#define IPV4_LEN 4 /* bytes (RFC 791) */
#define HASH_LEN sizeof(uint64_t)

const struct config_rows client_privacy_rows = CONFIG_ROWS(CLIENT_PRIVACY_KEYS,
                                                           struct client_privacy);

static unsigned prefix_of(const struct client_privacy *privacy, size_t address_len)
{
    return address_len == IPV4_LEN ? privacy->ipv4_prefix : privacy->ipv6_prefix;
}

static bool is_unspecified(struct bytes address)
{
    uint8_t any = 0;

    for (size_t i = 0; i < address.len; i++) {
        any |= address.data[i];
    }
    return any == 0;
}

static void keep_prefix(uint8_t *address, size_t len, unsigned prefix)
{
    for (size_t i = 0; i < len; i++, prefix -= prefix < 8 ? prefix : 8) {
        unsigned kept = prefix < 8 ? prefix : 8;
        address[i] &= (uint8_t)(0xff00u >> kept);
    }
}

bool client_key_read(const struct client_privacy *privacy, const struct hash_key *secret,
                     struct bytes address, struct client_key *out)
{
    unsigned prefix = prefix_of(privacy, address.len);
    if (prefix == 0 || is_unspecified(address)) { /* the empty address is unspecified, too */
        return false;
    }
    out->len = (uint8_t)address.len;
    memcpy(out->data, address.data, address.len);
    if (prefix < 8 * address.len) {
        keep_prefix(out->data, address.len, prefix);
    }
    if (privacy->hashed) {
        uint64_t hash = hash_bytes(secret, (struct bytes){out->data, address.len});
        out->len = HASH_LEN;
        memcpy(out->data, &hash, HASH_LEN);
    }
    return true;
}

uint64_t client_key_hash(const struct hash_key *secret, const struct client_key *client)
{
    const struct bytes key = {client->data, client->len};

    return hash_finish(secret, hash_add_address(secret, HASH_START, key));
}

bool client_key_is_hash(const struct client_key *client)
{
    return client->len == HASH_LEN;
}

void client_key_print(const struct client_privacy *privacy, struct bytes key,
                      char out[CLIENT_KEY_TEXT_SIZE])
{
    if (key.len == HASH_LEN) {
        uint64_t hash;
        memcpy(&hash, key.data, HASH_LEN);
        (void)snprintf(out, CLIENT_KEY_TEXT_SIZE, "%016llx", (unsigned long long)hash);
        return;
    }
    (void)inet_ntop(key.len == IPV4_LEN ? AF_INET : AF_INET6, key.data, out, CLIENT_KEY_TEXT_SIZE);
    unsigned prefix = prefix_of(privacy, key.len);
    if (prefix < 8 * key.len) {
        size_t len = strlen(out);
        (void)snprintf(out + len, CLIENT_KEY_TEXT_SIZE - len, "/%u", prefix);
    }
}
