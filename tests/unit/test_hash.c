/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "support/random.h"

/* SipHash-1-3 of the bytes 0, 1, 2, … under a zero key, by length from 1, as CPython 3.11 has it:
 * PYTHONHASHSEED=0 python3 -c 'print(hash(bytes(range(n))) & (2**64 - 1))' */
static const uint64_t vectors[] = {
    UINT64_C(0x68a914128e01e473), /* 1 */
    UINT64_C(0x010bac45c41e3669), /* 2 */
    UINT64_C(0x4d4c9a4a8ef6e0ad), /* 3 */
    UINT64_C(0x7cc43f98813e4dbd), /* 4 */
    UINT64_C(0x5abe2169dff36275), /* 5 */
    UINT64_C(0xe3c25f87624f1cdb), /* 6 */
    UINT64_C(0x2f098ab0c751325a), /* 7 */
    UINT64_C(0xead411e67ebe2eea), /* 8 */
    UINT64_C(0x75927f9d95124362), /* 9 */
    UINT64_C(0xaf9f77a65ab51a1d), /* 10 */
    UINT64_C(0xfe64ce8b6617fcff), /* 11 */
    UINT64_C(0xa6baf4fb0f9fe1c2), /* 12 */
    UINT64_C(0xa0cf3211850f8e0d), /* 13 */
    UINT64_C(0x7f86049379fbfe67), /* 14 */
    UINT64_C(0xf30eb725bb91c9ea), /* 15 */
    UINT64_C(0x8972188433a5c5b7), /* 16 */
    UINT64_C(0x4883c49a2c009c1d), /* 17 */
    UINT64_C(0xadc2c0b63044067d), /* 18 */
    UINT64_C(0x091f4a3329f87d19), /* 19 */
    UINT64_C(0x639e355ae68c0100), /* 20 */
    UINT64_C(0xb17bef2cb5213239), /* 21 */
    UINT64_C(0xf8aeb1066236ccfe), /* 22 */
    UINT64_C(0x37332b1389daa4ff), /* 23 */
    UINT64_C(0x31185a47af932f3a), /* 24 */
    UINT64_C(0xebf352e82ae23e2f), /* 25 */
    UINT64_C(0xed36ff242fe478b2), /* 26 */
    UINT64_C(0x2454d97d299299df), /* 27 */
    UINT64_C(0x8cd57fe8130d0ac7), /* 28 */
    UINT64_C(0xbe98eb2faf0a0e85), /* 29 */
    UINT64_C(0xd427c34ee09470c6), /* 30 */
    UINT64_C(0x169739443111d49b), /* 31 */
    UINT64_C(0x31ef8061c910629b), /* 32 */
    UINT64_C(0x7fb71d24dfa4c9f6), /* 33 */
    UINT64_C(0x92771f49e836d389), /* 34 */
    UINT64_C(0x3c393cf6f0853bc3), /* 35 */
    UINT64_C(0xac77921fcc642bd3), /* 36 */
    UINT64_C(0x422a9751192ff266), /* 37 */
    UINT64_C(0xc680ae8a8c584ddf), /* 38 */
    UINT64_C(0x6c76b6d34bb6d26b), /* 39 */
    UINT64_C(0x95bc321ab41d8206), /* 40 */
    UINT64_C(0x908a3a97a6d37669), /* 41 */
    UINT64_C(0xfcaf3c64874dd0b4), /* 42 */
    UINT64_C(0xf689479b32b84a44), /* 43 */
    UINT64_C(0xd857641079efd1fd), /* 44 */
    UINT64_C(0x8b581578722633f7), /* 45 */
    UINT64_C(0x83cb09d35ea7bcd4), /* 46 */
    UINT64_C(0x8485f7f5ae725a0d), /* 47 */
    UINT64_C(0xfe1f2445ba50237f), /* 48 */
    UINT64_C(0x23cece041d7866b0), /* 49 */
    UINT64_C(0x416687480b336c09), /* 50 */
    UINT64_C(0xf15960da7e7f3892), /* 51 */
    UINT64_C(0xded6177b9826835a), /* 52 */
    UINT64_C(0xf80dae51668be6be), /* 53 */
    UINT64_C(0x17ecc6ee6647df18), /* 54 */
    UINT64_C(0x5220d642b4a52110), /* 55 */
    UINT64_C(0xa4f0cf4ba4adc016), /* 56 */
    UINT64_C(0xe5125bb26d1f2976), /* 57 */
    UINT64_C(0x851b0e75f580d256), /* 58 */
    UINT64_C(0x12605250a37e39ac), /* 59 */
    UINT64_C(0xd95a713568daebf1), /* 60 */
    UINT64_C(0xcdcf4a42ec0dd605), /* 61 */
    UINT64_C(0xa5c708712b617164), /* 62 */
    UINT64_C(0x385d3e39e5f37359), /* 63 */
    UINT64_C(0x75e05fd5bbc870c6), /* 64 */
};

static void test_vectors(void **state)
{
    const struct hash_key zero = {0, 0};
    uint8_t input[sizeof vectors / sizeof vectors[0]];

    (void)state;
    for (size_t i = 0; i < sizeof input; i++) {
        input[i] = (uint8_t)i;
    }
    for (size_t len = 1; len <= sizeof input; len++) {
        uint8_t *block = malloc(len); /* of exactly its size: ASan sees a read past it */
        assert_non_null(block);
        memcpy(block, input, len);
        assert_true(hash_bytes(&zero, (struct bytes){block, len}) == vectors[len - 1]);
        free(block);
    }
}

/* The reference implementation's vector for its key 00 01 … 0f and no input. */
static void test_key(void **state)
{
    const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    const struct hash_key other0 = {key.k0 ^ 1, key.k1};
    const struct hash_key other1 = {key.k0, key.k1 ^ 1};
    struct bytes input = bytes_of_string("example");

    (void)state;
    assert_true(hash_bytes(&key, (struct bytes){NULL, 0}) == UINT64_C(0xabac0158050fc4dc));
    assert_true(hash_bytes(&key, input) != hash_bytes(&other0, input));
    assert_true(hash_bytes(&key, input) != hash_bytes(&other1, input));
}

static void test_draw(void **state)
{
    struct hash_key a = {0, 0};
    struct hash_key b = {0, 0};

    (void)state;
    assert_int_equal(hash_key_draw(&a), 0);
    assert_int_equal(hash_key_draw(&b), 0);
    assert_true(a.k0 != b.k0 && a.k1 != b.k1);
}

/* What a polynomial over a prime field is, with 128-bit numbers and no tricks. */
static uint64_t slow_hash(const struct hash_key *key, const uint64_t *words, size_t count)
{
    __extension__ typedef unsigned __int128 uint128;
    uint64_t sum = 1;

    for (size_t i = 0; i < count; i++) {
        uint64_t point = (key->k0 & HASH_PRIME >> 1) % HASH_PRIME;
        sum = (uint64_t)(((uint128)sum * point + words[i]) % HASH_PRIME);
    }
    return hash_finish(key, sum);
}

static void test_sums(void **state)
{
    static const uint64_t edges[] = {0, 1, HASH_PRIME - 1, HASH_PRIME / 2, UINT64_C(1) << 60};
    uint64_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct hash_key key = {random_next(&seed), random_next(&seed)};
        uint64_t words[40];
        uint64_t sum = HASH_START;
        if (round % 5 == 0) {
            key.k0 = round % 2 == 0 ? UINT64_MAX : HASH_PRIME >> 1; /* the largest point */
        }
        for (size_t i = 0; i < 40; i++) {
            bool edge = random_below(&seed, 4) == 0;
            words[i] = edge ? edges[random_below(&seed, 5)] : random_next(&seed) % HASH_PRIME;
            sum = hash_add(&key, sum, words[i]);
            assert_true(sum < UINT64_C(1) << 62);
            assert_true(hash_finish(&key, sum) == slow_hash(&key, words, i + 1));
        }
    }
}

/* Inputs of up to 16 zeros, ones after the other, are told apart, and so are their sequences. */
static void test_ends_show(void **state)
{
    static const uint8_t zeros[16] = {0};
    const struct hash_key key = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
    uint64_t sums[17 * 17];
    size_t count = 0;

    (void)state;
    for (size_t a = 0; a <= 16; a++) {
        for (size_t b = 0; b <= 16; b++) {
            uint8_t *exact = malloc(a +
                                    1); /* of its size and one before: ASan sees a read past it */
            assert_non_null(exact);
            memset(exact, 0, a + 1);
            uint64_t sum = hash_add_bytes(&key, HASH_START, (struct bytes){exact + 1, a});
            free(exact);
            sum = hash_add_bytes(&key, sum, (struct bytes){zeros, b});
            for (size_t i = 0; i < count; i++) {
                assert_true(sums[i] != sum);
            }
            sums[count++] = sum;
        }
    }
}

/* Names with numbers in them are counted as well as random ones: the hash has no order left. */
static void test_no_order_is_left(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        const struct hash_key key = {random_next(&seed), random_next(&seed)};
        unsigned counts[256] = {0};
        double chi_squared = 0;

        for (uint32_t number = 0; number < 256 * 100; number++) {
            uint64_t sum = hash_add_bytes(&key, HASH_START,
                                          (struct bytes){(const uint8_t *)&number, sizeof number});
            counts[hash_finish(&key, sum) >> 56]++;
        }
        for (unsigned i = 0; i < 256; i++) {
            chi_squared += (counts[i] - 100.0) * (counts[i] - 100.0) / 100;
        }
        /* 255 degrees of freedom: five standard deviations of 22.6 around the mean. */
        assert_true(chi_squared > 142 && chi_squared < 368);
    }
}

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

/* The sum of an address is the same whichever function makes it. */
static void test_addresses(void **state)
{
    static const uint8_t bytes[16] = {203, 0, 113, 7, 5, [15] = 9};

    (void)state;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        const struct bytes address = {bytes, len};
        assert_int_equal(hash_add_address(&secret, 77, address),
                         hash_add_bytes(&secret, 77, address));
    }
}

/* Of addresses in a row, or that differ in their first bytes only, none shares a hash, and no place
 * in a table of 4096 gets more than a few of 4096. */
static void test_places(void **state)
{
    static unsigned places[4096];

    (void)state;
    for (unsigned shift = 0; shift <= 20; shift += 4) {
        uint64_t before = 0;
        unsigned most = 0;
        memset(places, 0, sizeof places);
        for (uint32_t i = 0; i < 4096; i++) {
            uint32_t address = i << shift;
            const struct bytes input = {(const uint8_t *)&address, sizeof address};
            uint64_t hash = hash_finish_for_table(&secret,
                                                  hash_add_address(&secret, HASH_START, input));
            unsigned count = ++places[hash % 4096];
            most = count > most ? count : most;
            assert_true(hash != before);
            before = hash;
        }
        assert_true(most <= 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),   cmocka_unit_test(test_key),
        cmocka_unit_test(test_draw),      cmocka_unit_test(test_sums),
        cmocka_unit_test(test_ends_show), cmocka_unit_test(test_no_order_is_left),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
