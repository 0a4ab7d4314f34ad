/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "sketch/heavy_hitters.h"
#include "support/random.h"

#define CAPACITY 200
#define KEYS     20000 /* different ones in a stream, at most */

static const struct hash_key secret = {1, 2};

/* A stream counted twice: by the sketch, and exactly. */
struct experiment {
    struct heavy_hitters *sketch;
    uint64_t exact[KEYS];
    uint64_t total;
};

static struct heavy_hitters *new_sketch(size_t capacity)
{
    const struct heavy_hitters_shape shape = {.capacity = capacity, .key_max = sizeof(uint32_t)};
    struct heavy_hitters *sketch = NULL;

    assert_int_equal(heavy_hitters_create(&sketch, &shape), 0);
    return sketch;
}

static struct experiment *begin(void)
{
    struct experiment *experiment = calloc(1, sizeof *experiment);

    assert_non_null(experiment);
    experiment->sketch = new_sketch(CAPACITY);
    return experiment;
}

static void end(struct experiment *experiment)
{
    heavy_hitters_free(experiment->sketch);
    free(experiment);
}

static void add_to(struct heavy_hitters *sketch, uint32_t key, uint64_t weight)
{
    struct bytes bytes = {(const uint8_t *)&key, sizeof key};

    (void)heavy_hitters_count(sketch, hash_bytes(&secret, bytes), bytes, weight);
}

static void count(struct experiment *experiment, uint32_t key, uint64_t weight)
{
    add_to(experiment->sketch, key, weight);
    experiment->exact[key] += weight;
    experiment->total += weight;
}

static uint32_t key_of(const struct heavy_hitter *hitter)
{
    uint32_t key;

    assert_int_equal(hitter->key.len, sizeof key);
    memcpy(&key, hitter->key.data, sizeof key);
    assert_true(hitter->hash == hash_bytes(&secret, hitter->key));
    return key;
}

/* What the header promises, for every key. */
static void check(const struct experiment *experiment)
{
    static bool listed[KEYS];
    const struct heavy_hitters *sketch = experiment->sketch;
    uint64_t absent = heavy_hitters_absent(sketch);

    memset(listed, 0, sizeof listed);
    assert_int_equal(heavy_hitters_total(sketch), experiment->total);
    assert_true(absent <= experiment->total / CAPACITY);
    for (size_t i = 0; i < heavy_hitters_size(sketch); i++) {
        struct heavy_hitter hitter = heavy_hitters_at(sketch, i);
        uint32_t key = key_of(&hitter);

        assert_false(listed[key]);
        listed[key] = true;
        assert_true(hitter.error <= absent);
        assert_true(experiment->exact[key] <= hitter.upper);
        assert_true(experiment->exact[key] >= hitter.upper - hitter.error);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        assert_true(listed[key] || experiment->exact[key] <= absent);
        assert_true(listed[key] || experiment->exact[key] * CAPACITY <= experiment->total);
    }
}

/* --- Streams --- */

typedef void (*stream)(struct experiment *experiment, uint64_t *seed);

static void all_distinct(struct experiment *experiment, uint64_t *seed)
{
    (void)seed;
    for (uint32_t key = 0; key < KEYS; key++) {
        count(experiment, key, 1);
    }
}

static void all_equal(struct experiment *experiment, uint64_t *seed)
{
    (void)seed;
    for (unsigned i = 0; i < 100000; i++) {
        count(experiment, 7, 1);
    }
}

/* Whatever is heavy at first is forgotten by the end. */
static void moving_hitter(struct experiment *experiment, uint64_t *seed)
{
    for (unsigned i = 0; i < 100000; i++) {
        count(experiment, i / 5000, 1);
        count(experiment, (uint32_t)random_below(seed, KEYS), 1);
    }
}

/* Each new key comes as often as it takes to stay, just before the next ones come. */
static void sorted_to_evict(struct experiment *experiment, uint64_t *seed)
{
    (void)seed;
    for (uint32_t key = 0; key < KEYS; key++) {
        uint64_t enough = heavy_hitters_absent(experiment->sketch) / 40 + 1;
        for (uint64_t i = 0; i < enough; i++) {
            count(experiment, key, 1);
        }
    }
}

/* One key at the end of a long stream of others, just above what is promised to be found. */
static void late_hitter(struct experiment *experiment, uint64_t *seed)
{
    for (unsigned i = 0; i < 150000; i++) {
        count(experiment, 1 + (uint32_t)random_below(seed, KEYS - 1), 1);
    }
    for (unsigned i = 0; i < 150000 / (CAPACITY - 1) + 1; i++) {
        count(experiment, 0, 1);
    }
}

static void bytes_as_weights(struct experiment *experiment, uint64_t *seed)
{
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t weight = random_below(seed, 100) == 0 ? 65535 : 40 + random_below(seed, 500);
        count(experiment, (uint32_t)random_below(seed, 1 + random_below(seed, KEYS)), weight);
    }
}

static void test_adversarial_streams(void **state)
{
    static const stream streams[] = {all_distinct,    all_equal,   moving_hitter,
                                     sorted_to_evict, late_hitter, bytes_as_weights};

    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct experiment *experiment = begin();
        uint64_t seed = i;

        streams[i](experiment, &seed);
        check(experiment);
        end(experiment);
    }
}

/* Key r comes with a probability in proportion to 1 / (r + 1)^exponent. */
static void zipf(double exponent, double cumulative[KEYS])
{
    double sum = 0;

    for (size_t i = 0; i < KEYS; i++) {
        sum += pow((double)(i + 1), -exponent);
        cumulative[i] = sum;
    }
    for (size_t i = 0; i < KEYS; i++) {
        cumulative[i] /= sum;
    }
}

static uint32_t draw(const double cumulative[KEYS], uint64_t *seed)
{
    double at = (double)(random_next(seed) >> 11) * 0x1p-53;
    uint32_t low = 0;
    uint32_t high = KEYS - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cumulative[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void test_zipf_streams(void **state)
{
    static double cumulative[KEYS];

    (void)state;
    for (unsigned tenths = 6; tenths <= 14; tenths++) {
        struct experiment *experiment = begin();
        uint64_t seed = tenths;

        zipf(tenths / 10.0, cumulative);
        for (unsigned i = 0; i < 200000; i++) {
            count(experiment, draw(cumulative, &seed), 1);
            if (i % 20000 == 0) {
                check(experiment);
            }
        }
        check(experiment);
        end(experiment);
    }
}

/* A stream cut into panes and over workers, each counted alone and then put together, keeps the
 * promise that one sketch of everything makes. */
static void test_merged_is_as_good_as_single(void **state)
{
    static double cumulative[KEYS];

    (void)state;
    for (unsigned parts = 1; parts <= 40; parts += 13) {
        struct experiment *experiment = begin();
        struct heavy_hitters *part[40];
        uint64_t seed = parts;

        zipf(0.9, cumulative);
        for (unsigned i = 0; i < parts; i++) {
            part[i] = new_sketch(CAPACITY);
        }
        for (unsigned i = 0; i < 200000; i++) {
            uint32_t key = draw(cumulative, &seed);
            experiment->exact[key]++;
            experiment->total++;
            add_to(part[i % parts], key, 1);
        }
        for (unsigned i = 0; i < parts; i++) {
            heavy_hitters_merge(experiment->sketch, part[i], NULL);
            heavy_hitters_free(part[i]);
        }
        check(experiment);
        end(experiment);
    }
}

static void test_merging_what_is_small_is_exact(void **state)
{
    struct experiment *experiment = begin();
    struct heavy_hitters *other = new_sketch(CAPACITY);

    (void)state;
    for (uint32_t key = 0; key < 50; key++) {
        count(experiment, key, key + 1);
        add_to(other, key + 25, 10);
        experiment->exact[key + 25] += 10;
        experiment->total += 10;
    }
    heavy_hitters_merge(experiment->sketch, other, NULL);
    check(experiment);
    assert_int_equal(heavy_hitters_size(experiment->sketch), 75);
    for (size_t i = 0; i < 75; i++) {
        struct heavy_hitter hitter = heavy_hitters_at(experiment->sketch, i);
        assert_int_equal(hitter.error, 0);
        assert_int_equal(hitter.upper, experiment->exact[key_of(&hitter)]);
    }
    heavy_hitters_free(other);
    end(experiment);
}

static void test_top(void **state)
{
    static const uint64_t weights[] = {5, 9, 5, 1, 9, 3};
    static const uint32_t expected[] = {1, 4, 0, 2, 5, 3};
    struct heavy_hitter top[8];

    (void)state;
    for (size_t wanted = 0; wanted <= 8; wanted++) {
        struct heavy_hitters *sketch = new_sketch(10);
        size_t most = wanted < 6 ? wanted : 6;

        for (uint32_t key = 0; key < 6; key++) {
            add_to(sketch, key, weights[key]);
        }
        assert_int_equal(heavy_hitters_top(sketch, top, wanted), most);
        for (size_t i = 0; i < most; i++) {
            assert_int_equal(key_of(&top[i]), expected[i]);
            assert_int_equal(top[i].upper, weights[expected[i]]);
        }
        heavy_hitters_free(sketch);
    }
}

static void test_clear(void **state)
{
    struct experiment *experiment = begin();
    uint64_t seed = 1;

    (void)state;
    moving_hitter(experiment, &seed);
    assert_true(heavy_hitters_evictions(experiment->sketch) > 0);
    heavy_hitters_clear(experiment->sketch);
    memset(experiment->exact, 0, sizeof experiment->exact);
    experiment->total = 0;
    check(experiment);
    assert_int_equal(heavy_hitters_size(experiment->sketch), 0);
    assert_int_equal(heavy_hitters_evictions(experiment->sketch), 0);
    count(experiment, 3, 1);
    check(experiment);
    end(experiment);
}

/* Every key goes somewhere: what came in new is there or was let go of. */
static void test_evictions_are_counted(void **state)
{
    struct experiment *experiment = begin();

    (void)state;
    all_distinct(experiment, NULL);
    assert_int_equal(
        heavy_hitters_evictions(experiment->sketch) + heavy_hitters_size(experiment->sketch), KEYS);
    end(experiment);
}

/* Trimmed at any moment, a sketch keeps its promises. */
static void test_trim(void **state)
{
    static double cumulative[KEYS];

    (void)state;
    for (unsigned tenths = 6; tenths <= 14; tenths += 4) {
        struct experiment *experiment = begin();
        uint64_t seed = tenths;

        zipf(tenths / 10.0, cumulative);
        for (unsigned i = 0; i < 200000; i++) {
            count(experiment, draw(cumulative, &seed), 1);
            if (i % 7777 == 0) {
                heavy_hitters_trim(experiment->sketch);
                check(experiment);
            }
        }
        size_t size = heavy_hitters_size(experiment->sketch);
        heavy_hitters_trim(experiment->sketch);
        check(experiment);
        assert_true(heavy_hitters_size(experiment->sketch) < size);
        end(experiment);
    }
}

/* What is trimmed must leave room for what merges give up later: a hundred keys with as much as the
 * capacity allows, half of which stay heavy in one part and half in the other. */
static void test_trim_before_merge(void **state)
{
    struct experiment *experiment = begin();
    struct heavy_hitters *other = new_sketch(CAPACITY);

    (void)state;
    for (uint32_t key = 0; key < CAPACITY; key++) {
        count(experiment, key, 80);
    }
    for (uint32_t key = 0; key < CAPACITY / 3 + 2; key++) {
        count(experiment, 1000 + key, 1); /* makes room: the bound is 80 */
    }
    for (uint32_t key = 0; key < CAPACITY / 2; key++) {
        count(experiment, key, 100);
    }
    heavy_hitters_trim(experiment->sketch);
    check(experiment);
    for (uint32_t key = CAPACITY / 2; key < CAPACITY; key++) {
        add_to(other, key, 90);
        experiment->exact[key] += 90;
        experiment->total += 90;
    }
    for (uint32_t key = 0; key < CAPACITY / 3 + 3; key++) {
        add_to(other, 3000 + key, 1);
        experiment->exact[3000 + key]++;
        experiment->total++;
    }
    heavy_hitters_trim(other);
    heavy_hitters_merge(experiment->sketch, other, NULL);
    check(experiment);
    heavy_hitters_free(other);
    end(experiment);
}

/* Random parts of random streams, trimmed as often as not, added up as a window is. */
static void test_trimmed_parts(void **state)
{
    static double cumulative[KEYS];

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct experiment *experiment = begin();
        uint64_t state_of_chance = seed;

        zipf(0.4 + (double)(seed % 10) / 10, cumulative);
        for (unsigned part = 0; part < 9; part++) {
            struct heavy_hitters *pane = new_sketch(CAPACITY);
            for (size_t i = random_below(&state_of_chance, 20000); i > 0; i--) {
                uint32_t key = draw(cumulative, &state_of_chance);
                uint64_t weight = seed % 3 == 0 ? 1 + random_below(&state_of_chance, 1500) : 1;
                add_to(pane, key, weight);
                experiment->exact[key] += weight;
                experiment->total += weight;
            }
            if (random_below(&state_of_chance, 2) == 0) {
                heavy_hitters_trim(pane);
            }
            heavy_hitters_merge(experiment->sketch, pane, NULL);
            heavy_hitters_free(pane);
            check(experiment);
        }
        end(experiment);
    }
}

/* Of keys that are all different nothing is left, of few keys everything. */
static void test_trim_extremes(void **state)
{
    struct experiment *experiment = begin();

    (void)state;
    for (uint32_t key = 0; key < CAPACITY; key++) {
        count(experiment, key, 1);
    }
    heavy_hitters_trim(experiment->sketch);
    assert_int_equal(heavy_hitters_size(experiment->sketch), CAPACITY);
    assert_int_equal(heavy_hitters_absent(experiment->sketch), 0);
    for (unsigned i = 0; i < 10; i++) {
        all_distinct(experiment, NULL);
    }
    heavy_hitters_trim(experiment->sketch);
    check(experiment);
    assert_true(heavy_hitters_size(experiment->sketch) < CAPACITY / 4);
    end(experiment);
}

/* --- Payloads and keys of any length --- */

struct payload {
    uint64_t sightings;
    uint64_t key_sum;
};

static void join_payloads(void *to, const void *from)
{
    struct payload *sum = to;
    const struct payload *term = from;

    sum->sightings += term->sightings;
    sum->key_sum += term->key_sum;
}

static struct bytes long_key(uint64_t number, uint8_t key[255])
{
    size_t len = number % 256 == 0 ? 0 : number % 256;

    for (size_t i = 0; i < len; i++) {
        key[i] = (uint8_t)(number >> (8 * (i % 3)));
    }
    return (struct bytes){key, len};
}

static void sight(struct heavy_hitters *sketch, uint64_t number)
{
    uint8_t space[255];
    struct bytes key = long_key(number, space);
    struct payload *payload = heavy_hitters_count(sketch, random_next(&number), key, 1);

    payload->sightings++;
    payload->key_sum += key.len;
}

/* A payload counts since its key came in, and belongs to that key for as long as it stays. */
static void check_payloads(const struct heavy_hitters *sketch)
{
    for (size_t i = 0; i < heavy_hitters_size(sketch); i++) {
        struct heavy_hitter hitter = heavy_hitters_at(sketch, i);
        const struct payload *payload = hitter.payload;

        assert_ptr_equal(heavy_hitters_find(sketch, hitter.hash), payload);
        assert_true(payload->sightings >= hitter.upper - hitter.error);
        assert_true(payload->sightings <= hitter.upper);
        assert_int_equal(payload->key_sum, payload->sightings * hitter.key.len);
    }
}

static void test_payloads_stay_with_their_keys(void **state)
{
    const struct heavy_hitters_shape shape = {20, 255, sizeof(struct payload)};
    struct heavy_hitters *sketch;
    struct heavy_hitters *other;
    uint64_t seed = 5;

    (void)state;
    assert_int_equal(heavy_hitters_create(&sketch, &shape), 0);
    assert_int_equal(heavy_hitters_create(&other, &shape), 0);
    for (unsigned i = 0; i < 20000; i++) {
        sight(sketch, random_below(&seed, 1 + random_below(&seed, 3000)));
        sight(other, random_below(&seed, 1 + random_below(&seed, 3000)));
        if (i % 100 == 0) {
            check_payloads(sketch);
        }
    }
    heavy_hitters_merge(sketch, other, join_payloads);
    check_payloads(sketch);
    assert_null(heavy_hitters_find(sketch, 12345));
    heavy_hitters_free(other);
    heavy_hitters_free(sketch);
}

/* A capacity of one is the majority vote of Boyer and Moore, with room for two. */
static void test_smallest(void **state)
{
    struct heavy_hitters *sketch = new_sketch(1);
    struct heavy_hitter top;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        add_to(sketch, 1, 1);
        add_to(sketch, 2 + i, 1);
    }
    add_to(sketch, 1, 1);
    assert_int_equal(heavy_hitters_top(sketch, &top, 1), 1);
    assert_int_equal(key_of(&top), 1);
    assert_true(top.upper >= 1001 && top.upper - top.error <= 1001);
    heavy_hitters_free(sketch);
}

static void test_look_up(void **state)
{
    const struct heavy_hitters_shape shape = {.capacity = 10, .key_max = 4};
    struct heavy_hitters *sketch = NULL;
    struct heavy_hitter found = {.upper = 7};

    (void)state;
    assert_int_equal(heavy_hitters_create(&sketch, &shape), 0);
    assert_false(heavy_hitters_look_up(sketch, 5, &found));
    assert_int_equal(found.upper, 7);
    (void)heavy_hitters_count(sketch, 5, (struct bytes){(const uint8_t *)"key", 3}, 11);
    assert_true(heavy_hitters_look_up(sketch, 5, &found));
    assert_int_equal(found.upper, 11);
    assert_memory_equal(found.key.data, "key", 3);
    assert_false(heavy_hitters_look_up(sketch, 6, &found));
    heavy_hitters_free(sketch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adversarial_streams),
        cmocka_unit_test(test_zipf_streams),
        cmocka_unit_test(test_merged_is_as_good_as_single),
        cmocka_unit_test(test_merging_what_is_small_is_exact),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_evictions_are_counted),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_trim_before_merge),
        cmocka_unit_test(test_trimmed_parts),
        cmocka_unit_test(test_trim_extremes),
        cmocka_unit_test(test_payloads_stay_with_their_keys),
        cmocka_unit_test(test_smallest),
        cmocka_unit_test(test_look_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
