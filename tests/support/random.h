/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * random.h - repeatable random numbers and mutations for tests
 */

#include <stdint.h>

#include "base/bytes.h"

/** The next number of the sequence (splitmix64, Steele et al. 2014); start it with any seed. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline size_t random_below(uint64_t *state, size_t bound)
{
    return (size_t)(random_next(state) % bound);
}

/** Damage `len` bytes in place as transmission errors and attackers do, one to four times; returns
 * the new length, which is never larger. */
static inline size_t random_mutate(uint64_t *state, uint8_t *data, size_t len)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xc0, 0xff};

    for (size_t times = 1 + random_below(state, 4); times > 0 && len > 1; times--) {
        size_t at = random_below(state, len);

        switch (random_below(state, 5)) {
        case 0: /* one bit */
            data[at] ^= (uint8_t)(1u << random_below(state, 8));
            break;
        case 1: /* a byte that lengths and types turn on */
            data[at] = edges[random_below(state, sizeof edges)];
            break;
        case 2: /* any byte */
            data[at] = (uint8_t)random_next(state);
            break;
        case 3: /* bytes lost */
            memmove(data + at, data + at + 1, len - at - 1);
            len--;
            break;
        default: /* the end cut off, seldom, as it hides the other damage */
            len = random_below(state, 8) == 0 ? at + 1 : len;
        }
    }
    return len;
}
