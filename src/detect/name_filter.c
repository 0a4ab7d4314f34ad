/* SPDX-License-Identifier: Apache-2.0 */
#include "name_filter_internal.h"

#define SAMPLING ((size_t)64) /* one in so many words tells how full a generation is */

/* Three bits of a word. */
static uint64_t bits_of(uint64_t hash)
{
    return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) |
           UINT64_C(1) << (hash >> 12 & 63);
}

static bool has_bits(const _Atomic uint64_t *word, uint64_t bits)
{
    return (atomic_load_explicit(word, memory_order_relaxed) & bits) == bits;
}

bool name_filter_insert(struct name_filter *filter, uint64_t hash)
{
    unsigned newer = atomic_load_explicit(&filter->newer, memory_order_relaxed);
    size_t at = hash >> 32 & (NAME_FILTER_WORDS - 1);
    uint64_t bits = bits_of(hash);
    _Atomic uint64_t *word = &filter->words[newer][at];

    if (has_bits(word, bits)) {
        return false;
    }
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) | bits,
                          memory_order_relaxed);
    return !has_bits(&filter->words[!newer][at], bits);
}

bool name_filter_has(const struct name_filter *filter, uint64_t hash)
{
    size_t at = hash >> 32 & (NAME_FILTER_WORDS - 1);
    uint64_t bits = bits_of(hash);

    return has_bits(&filter->words[0][at], bits) || has_bits(&filter->words[1][at], bits);
}

static void name_filter_turn(struct name_filter *filter)
{
    unsigned older = !atomic_load_explicit(&filter->newer, memory_order_relaxed);

    for (size_t i = 0; i < NAME_FILTER_WORDS; i++) {
        atomic_store_explicit(&filter->words[older][i], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&filter->newer, older, memory_order_relaxed);
}

void name_filter_age(struct name_filter *filter)
{
    unsigned newer = atomic_load_explicit(&filter->newer, memory_order_relaxed);
    size_t bits = 0;

    for (size_t i = 0; i < NAME_FILTER_WORDS; i += SAMPLING) {
        uint64_t word = atomic_load_explicit(&filter->words[newer][i], memory_order_relaxed);
        bits += (size_t)__builtin_popcountll(word);
    }
    if (2 * bits > 64 * NAME_FILTER_WORDS / SAMPLING) {
        name_filter_turn(filter);
    }
}
