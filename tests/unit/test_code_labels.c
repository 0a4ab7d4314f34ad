/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "count/code_labels.h"

#define EXPIRY_NS 1000

static struct code_labels *new_set(code_namer namer, unsigned unassigned_max)
{
    const struct code_labels_bounds bounds = {unassigned_max, EXPIRY_NS};
    struct code_labels *set = NULL;

    assert_int_equal(code_labels_create(&set, namer, &bounds), 0);
    return set;
}

static const struct code_label *label_of(struct code_labels *set, unsigned index)
{
    static struct code_label_texts labels;

    code_labels_read(set, &labels);
    return &labels.labels[index];
}

static void test_fixed_slots(void **state)
{
    struct code_labels *set = new_set(dns_mnemonic_qtype, 2);

    (void)state;
    assert_string_equal(label_of(set, CODE_LABEL_OTHER)->text, "other");
    assert_string_equal(label_of(set, CODE_LABEL_MALFORMED)->text, "malformed");
    assert_string_equal(label_of(set, CODE_LABEL_NONE)->text, "none");
    for (unsigned index = 0; index < CODE_LABELS_FIXED; index++) {
        assert_int_equal(label_of(set, index)->code, 0);
    }
    code_labels_free(set);
}

static void test_slots(void **state)
{
    struct code_labels *set = new_set(dns_mnemonic_qtype, 2);
    unsigned aaaa = code_labels_index(set, 28, 1);
    unsigned a = code_labels_index(set, 1, 1);
    unsigned zero = code_labels_index(set, 0, 1);

    (void)state;
    assert_int_equal(aaaa, CODE_LABELS_FIXED);
    assert_int_equal(a, CODE_LABELS_FIXED + 1);
    assert_int_equal(code_labels_index(set, 28, 1), aaaa);
    assert_string_equal(label_of(set, aaaa)->text, "AAAA");
    assert_string_equal(label_of(set, a)->text, "A");
    assert_int_equal(label_of(set, aaaa)->code, 28);
    assert_true(zero >= CODE_LABELS_FIXED); /* number 0 is a number like others */
    code_labels_free(set);
}

static void test_bound_on_unassigned(void **state)
{
    struct code_labels *set = new_set(dns_mnemonic_rcode, 2);

    (void)state;
    unsigned first = code_labels_index(set, 3000, 1);
    unsigned second = code_labels_index(set, 3001, 1);
    assert_string_equal(label_of(set, first)->text, "RCODE3000");
    assert_int_not_equal(first, second);
    assert_int_equal(code_labels_index(set, 3002, 1), CODE_LABEL_OTHER);
    assert_int_equal(code_labels_index(set, 3000, 1), first);
    /* An assigned one has its index all the same. */
    assert_string_equal(label_of(set, code_labels_index(set, 3, 1))->text, "NXDOMAIN");
    assert_int_equal(code_labels_index(set, 3002, 1), CODE_LABEL_OTHER);
    code_labels_free(set);

    set = new_set(dns_mnemonic_rcode, 0);
    assert_int_equal(code_labels_index(set, 3000, 1), CODE_LABEL_OTHER);
    assert_int_equal(code_labels_index(set, 3000, UINT64_MAX), CODE_LABEL_OTHER);
    code_labels_free(set);
}

/* The number that was seen least recently gives its index up, after the time and not before. */
static void test_slots_change_hands(void **state)
{
    struct code_labels *set = new_set(dns_mnemonic_rcode, 2);
    uint64_t counts[CODE_LABELS_MAX] = {0};
    uint64_t late = 100 + EXPIRY_NS + NS_PER_SECOND;

    (void)state;
    unsigned first = code_labels_index(set, 3000, 100);
    unsigned second = code_labels_index(set, 3001, 50);
    uint32_t version = code_labels_version(set);
    counts[first] = 7;
    counts[second] = 9;
    assert_int_equal(code_labels_index(set, 3001, 101), second);
    assert_int_equal(code_labels_index(set, 3002, 100 + EXPIRY_NS - 1), CODE_LABEL_OTHER);
    assert_int_equal(code_labels_version(set), version);
    code_labels_moves(set, version, counts);
    assert_true(counts[first] == 7 && counts[second] == 9 && counts[CODE_LABEL_OTHER] == 0);

    assert_int_equal(code_labels_index(set, 3002, late), first); /* a second after the last try */
    assert_string_equal(label_of(set, first)->text, "RCODE3002");
    assert_int_equal(code_labels_version(set), version + 1);
    code_labels_moves(set, version, counts);
    assert_true(counts[first] == 0 && counts[second] == 9 && counts[CODE_LABEL_OTHER] == 7);
    counts[first] = 3;
    code_labels_moves(set, version + 1, counts); /* nothing since */
    assert_int_equal(counts[first], 3);

    /* The one that lost it comes back, and takes the other's. */
    assert_int_equal(code_labels_index(set, 3000, late), second);
    assert_int_equal(code_labels_index(set, 3001, late), CODE_LABEL_OTHER);
    code_labels_free(set);
}

static bool always_assigned(uint16_t code, char label[DNS_MNEMONIC_SIZE])
{
    (void)snprintf(label, DNS_MNEMONIC_SIZE, "number %u", code);
    return true;
}

static void test_bound_on_all(void **state)
{
    struct code_labels *set = new_set(always_assigned, 10);
    unsigned others = 0;

    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        unsigned index = code_labels_index(set, (uint16_t)code, 1);
        assert_true(index < CODE_LABELS_MAX - 10);
        others += index == CODE_LABEL_OTHER;
    }
    assert_int_equal(others, UINT16_MAX + 1 - (CODE_LABELS_MAX - 10 - CODE_LABELS_FIXED));
    code_labels_free(set);
}

static bool named_alike(uint16_t code, char label[DNS_MNEMONIC_SIZE])
{
    (void)snprintf(label, DNS_MNEMONIC_SIZE, code == 5 ? "other" : "TXT");
    return true;
}

/* Two series with the same labels are one too many, whatever names a library gives. */
static void test_no_label_twice(void **state)
{
    struct code_labels *set = new_set(named_alike, 10);

    (void)state;
    assert_int_equal(code_labels_index(set, 16, 1), CODE_LABELS_FIXED);
    assert_int_equal(code_labels_index(set, 262, 1), CODE_LABEL_OTHER);
    assert_int_equal(code_labels_index(set, 5, 1), CODE_LABEL_OTHER);
    assert_int_equal(code_labels_index(set, 16, 1), CODE_LABELS_FIXED);
    code_labels_free(set);
}

/* All that IANA has assigned, together with the most that the configuration allows beside them,
 * must have indices: "always" in the header. */
static void test_room_for_all_assigned_qtypes(void **state)
{
    struct code_labels *set = new_set(dns_mnemonic_qtype, CODE_UNASSIGNED_MAX);
    char label[DNS_MNEMONIC_SIZE];

    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        if (!dns_mnemonic_qtype((uint16_t)code, label)) {
            (void)code_labels_index(set, (uint16_t)code, 1);
        }
    }
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        if (dns_mnemonic_qtype((uint16_t)code, label)) {
            assert_int_not_equal(code_labels_index(set, (uint16_t)code, 1), CODE_LABEL_OTHER);
        }
    }
    code_labels_free(set);
}

static void *ask_all(void *argument)
{
    static __thread unsigned indices[300];

    for (unsigned code = 0; code < 300; code++) {
        indices[code] = code_labels_index(argument, (uint16_t)code, 1);
    }
    unsigned *copy = malloc(sizeof indices);
    if (copy != NULL) {
        memcpy(copy, indices, sizeof indices);
    }
    return copy;
}

static void test_threads_agree(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        struct code_labels *set = new_set(dns_mnemonic_qtype, 20);
        pthread_t threads[4];
        void *labels[4];

        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, ask_all, set), 0);
        }
        for (unsigned i = 0; i < 4; i++) {
            (void)pthread_join(threads[i], &labels[i]);
            assert_non_null(labels[i]);
        }
        for (unsigned i = 0; i < 4; i++) {
            assert_memory_equal(labels[0], labels[i], 300 * sizeof(unsigned));
        }
        for (unsigned i = 0; i < 4; i++) {
            free(labels[i]);
        }
        code_labels_free(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_slots),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_bound_on_unassigned),
        cmocka_unit_test(test_slots_change_hands),
        cmocka_unit_test(test_bound_on_all),
        cmocka_unit_test(test_no_label_twice),
        cmocka_unit_test(test_room_for_all_assigned_qtypes),
        cmocka_unit_test(test_threads_agree),
    };

    code_labels_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
