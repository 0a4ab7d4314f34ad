/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <sys/random.h>

int hash_key_draw(struct hash_key *key)
{
    struct hash_key drawn;
    ssize_t got = getrandom(&drawn, sizeof drawn, 0);

    if (got != (ssize_t)sizeof drawn) {
        return got < 0 ? -errno : -EIO;
    }
    *key = drawn;
    return 0;
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t read_le64(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* The last word: what is left of the input, and the input's length in the top byte. */
static inline uint64_t tail_word(const uint8_t *p, size_t left, size_t total)
{
    uint64_t word = (uint64_t)total << 56;

    for (size_t i = 0; i < left; i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    return word;
}

uint64_t hash_bytes(const struct hash_key *key, struct bytes input)
{
    struct sip s = {
        key->k0 ^ UINT64_C(0x736f6d6570736575), /* the four constants of the paper's section 2.1 */
        key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *p = input.data;
    size_t left = input.len;

    for (; left >= 8; left -= 8, p += 8) {
        sip_word(&s, read_le64(p));
    }
    sip_word(&s, tail_word(p, left, input.len));
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The last word has at most so many bytes, and their number in its top byte, so that inputs that
 * differ in zeros at their end differ in their hash. */
#define WORD_BYTES 7

static inline uint32_t read_le32(const uint8_t *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof word);
    return le32toh(word);
}

/* Up to seven bytes as a number, the first lowest. */
static inline uint64_t read_few(const uint8_t *p, size_t count)
{
    uint64_t word = 0;

    if (count >= 4) {
        return read_le32(p) | (uint64_t)read_le32(p + count - 4) << 8 * (count - 4);
    }
    for (size_t i = 0; i < count; i++) {
        word |= (uint64_t)p[i] << 8 * i;
    }
    return word;
}

uint64_t hash_add_bytes(const struct hash_key *key, uint64_t sum, struct bytes input)
{
    const uint8_t *p = input.data;
    size_t left = input.len;

    for (; left > WORD_BYTES; left -= WORD_BYTES, p += WORD_BYTES) {
        sum = hash_add(key, sum, read_le64(p) & UINT64_MAX >> 8);
    }
    return hash_add(key, sum, read_few(p, left) | (HASH_LAST_WORD + left) << 56);
}
