/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/code_set.h"

static struct code_set *new_set(code_namer namer, unsigned unassigned_max)
{
    struct code_set *set = NULL;

    assert_int_equal(code_set_create(&set, namer, unassigned_max), 0);
    return set;
}

static void test_fixed_slots(void **state)
{
    struct code_set *set = new_set(dns_mnemonic_qtype, 2);

    (void)state;
    assert_int_equal(code_set_size(set), CODE_SLOTS_FIXED);
    assert_string_equal(code_set_label(set, CODE_SLOT_OTHER), "other");
    assert_string_equal(code_set_label(set, CODE_SLOT_MALFORMED), "malformed");
    assert_string_equal(code_set_label(set, CODE_SLOT_NONE), "none");
    for (unsigned slot = 0; slot < CODE_SLOTS_FIXED; slot++) {
        assert_int_equal(code_set_code(set, slot), 0);
    }
    code_set_free(set);
}

static void test_slots(void **state)
{
    struct code_set *set = new_set(dns_mnemonic_qtype, 2);
    unsigned aaaa = code_set_slot(set, 28);
    unsigned a = code_set_slot(set, 1);
    unsigned zero = code_set_slot(set, 0);

    (void)state;
    assert_int_equal(aaaa, CODE_SLOTS_FIXED);
    assert_int_equal(a, CODE_SLOTS_FIXED + 1);
    assert_int_equal(code_set_slot(set, 28), aaaa);
    assert_string_equal(code_set_label(set, aaaa), "AAAA");
    assert_string_equal(code_set_label(set, a), "A");
    assert_int_equal(code_set_code(set, aaaa), 28);
    assert_true(zero >= CODE_SLOTS_FIXED); /* number 0 is a number like others */
    assert_int_equal(code_set_size(set), CODE_SLOTS_FIXED + 3);
    code_set_free(set);
}

static void test_bound_on_unassigned(void **state)
{
    struct code_set *set = new_set(dns_mnemonic_rcode, 2);

    (void)state;
    unsigned first = code_set_slot(set, 3000);
    unsigned second = code_set_slot(set, 3001);
    assert_string_equal(code_set_label(set, first), "RCODE3000");
    assert_int_not_equal(first, second);
    assert_int_equal(code_set_slot(set, 3002), CODE_SLOT_OTHER);
    assert_int_equal(code_set_slot(set, 3000), first);
    /* An assigned one has its slot all the same. */
    assert_string_equal(code_set_label(set, code_set_slot(set, 3)), "NXDOMAIN");
    assert_int_equal(code_set_slot(set, 3002), CODE_SLOT_OTHER);
    code_set_free(set);

    set = new_set(dns_mnemonic_rcode, 0);
    assert_int_equal(code_set_slot(set, 3000), CODE_SLOT_OTHER);
    code_set_free(set);
}

static bool always_assigned(uint16_t code, char label[DNS_MNEMONIC_SIZE])
{
    label[0] = (char)('a' + code % 26);
    label[1] = '\0';
    return true;
}

static void test_bound_on_all(void **state)
{
    struct code_set *set = new_set(always_assigned, 10);
    unsigned others = 0;

    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        unsigned slot = code_set_slot(set, (uint16_t)code);
        assert_true(slot < CODE_SLOTS);
        others += slot == CODE_SLOT_OTHER;
    }
    assert_int_equal(code_set_size(set), CODE_SLOTS);
    assert_int_equal(others, UINT16_MAX + 1 - (CODE_SLOTS - CODE_SLOTS_FIXED));
    code_set_free(set);
}

/* All that IANA has assigned, together with the most that the configuration allows beside them,
 * must have slots: "always" in the header. */
static void test_room_for_all_assigned_qtypes(void **state)
{
    struct code_set *set = new_set(dns_mnemonic_qtype, 48);
    char label[DNS_MNEMONIC_SIZE];

    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        if (!dns_mnemonic_qtype((uint16_t)code, label)) {
            (void)code_set_slot(set, (uint16_t)code);
        }
    }
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        if (dns_mnemonic_qtype((uint16_t)code, label)) {
            assert_int_not_equal(code_set_slot(set, (uint16_t)code), CODE_SLOT_OTHER);
        }
    }
    code_set_free(set);
}

static void *ask_all(void *argument)
{
    static __thread unsigned slots[300];

    for (unsigned code = 0; code < 300; code++) {
        slots[code] = code_set_slot(argument, (uint16_t)code);
    }
    unsigned *copy = malloc(sizeof slots);
    if (copy != NULL) {
        memcpy(copy, slots, sizeof slots);
    }
    return copy;
}

static void test_threads_agree(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        struct code_set *set = new_set(dns_mnemonic_qtype, 20);
        pthread_t threads[4];
        void *slots[4];

        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, ask_all, set), 0);
        }
        for (unsigned i = 0; i < 4; i++) {
            (void)pthread_join(threads[i], &slots[i]);
            assert_non_null(slots[i]);
        }
        for (unsigned i = 0; i < 4; i++) {
            assert_memory_equal(slots[0], slots[i], 300 * sizeof(unsigned));
        }
        for (unsigned i = 0; i < 4; i++) {
            free(slots[i]);
        }
        code_set_free(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_slots),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_bound_on_unassigned),
        cmocka_unit_test(test_bound_on_all),
        cmocka_unit_test(test_room_for_all_assigned_qtypes),
        cmocka_unit_test(test_threads_agree),
    };

    code_set_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
