/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "count/dns_mnemonic.h"

struct sample {
    uint16_t code;
    const char *label;
    bool assigned;
};

static void check(const struct sample *samples, size_t count,
                  bool (*namer)(uint16_t, char[DNS_MNEMONIC_SIZE]))
{
    for (size_t i = 0; i < count; i++) {
        char label[DNS_MNEMONIC_SIZE];
        assert_int_equal(namer(samples[i].code, label), samples[i].assigned);
        assert_string_equal(label, samples[i].label);
    }
}

#define CHECK(namer, ...)                                                                          \
    do {                                                                                           \
        static const struct sample samples[] = {__VA_ARGS__};                                      \
        check(samples, sizeof samples / sizeof samples[0], namer);                                 \
    } while (0)

static void test_qtypes(void **state)
{
    (void)state;
    CHECK(dns_mnemonic_qtype, {1, "A", true}, {2, "NS", true}, {6, "SOA", true}, {12, "PTR", true},
          {15, "MX", true}, {16, "TXT", true}, {28, "AAAA", true}, {33, "SRV", true},
          {35, "NAPTR", true}, {41, "OPT", true}, {43, "DS", true}, {48, "DNSKEY", true},
          {52, "TLSA", true}, {64, "SVCB", true}, {65, "HTTPS", true}, {99, "SPF", true},
          {128, "NXNAME", true}, {249, "TKEY", true}, {250, "TSIG", true}, {251, "IXFR", true},
          {252, "AXFR", true}, {255, "ANY", true}, {256, "URI", true}, {257, "CAA", true},
          {261, "RESINFO", true}, {262, "WALLET", true}, {65280, "TYPE65280", false},
          {65535, "TYPE65535", false}, {54, "TYPE54", false});
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* No two numbers have the same label: that would be two series with the same labels. Fixed slots
 * have labels, too. */
static void test_no_label_twice(void **state)
{
    static bool (*const namers[])(uint16_t, char[DNS_MNEMONIC_SIZE]) = {
        dns_mnemonic_qtype, dns_mnemonic_rcode, dns_mnemonic_opcode, dns_mnemonic_info_code};
    static char labels[UINT16_MAX + 4][DNS_MNEMONIC_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof namers / sizeof namers[0]; i++) {
        for (unsigned code = 0; code <= UINT16_MAX; code++) {
            (void)namers[i]((uint16_t)code, labels[code]);
        }
        strcpy(labels[UINT16_MAX + 1], "other");
        strcpy(labels[UINT16_MAX + 2], "malformed");
        strcpy(labels[UINT16_MAX + 3], "none");
        qsort(labels, UINT16_MAX + 4, DNS_MNEMONIC_SIZE, compare_labels);
        for (unsigned j = 1; j < UINT16_MAX + 4; j++) {
            assert_string_not_equal(labels[j - 1], labels[j]);
        }
    }
}

static void test_rcodes(void **state)
{
    (void)state;
    CHECK(dns_mnemonic_rcode, {0, "NOERROR", true}, {1, "FORMERR", true}, {2, "SERVFAIL", true},
          {3, "NXDOMAIN", true}, {4, "NOTIMP", true}, {5, "REFUSED", true}, {10, "NOTZONE", true},
          {11, "DSOTYPENI", true}, {12, "RCODE12", false}, {15, "RCODE15", false},
          {16, "BADVERS", true}, {23, "BADCOOKIE", true}, {24, "RCODE24", false},
          {4095, "RCODE4095", false});
}

static void test_opcodes(void **state)
{
    (void)state;
    CHECK(dns_mnemonic_opcode, {0, "QUERY", true}, {1, "IQUERY", true}, {2, "STATUS", true},
          {3, "OPCODE3", false}, {4, "NOTIFY", true}, {5, "UPDATE", true}, {6, "DSO", true},
          {7, "OPCODE7", false}, {15, "OPCODE15", false});
}

static void test_info_codes(void **state)
{
    (void)state;
    CHECK(dns_mnemonic_info_code, {0, "Other Error", true}, {6, "DNSSEC Bogus", true},
          {15, "Blocked", true}, {22, "No Reachable Authority", true}, {24, "Invalid Data", true},
          {65535, "65535", false});
}

/* Every number has a label that fits, in upper case, and no two numbers share one. */
static void test_all_numbers(void **state)
{
    static char labels[65536][DNS_MNEMONIC_SIZE];
    unsigned assigned = 0;

    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        assigned += dns_mnemonic_qtype((uint16_t)code, labels[code]);
        size_t len = strlen(labels[code]);
        assert_in_range(len, 1, DNS_MNEMONIC_SIZE - 1);
        assert_int_equal(strspn(labels[code], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"), len);
    }
    assert_in_range(assigned, 80, 110);
    for (unsigned a = 0; a < 300; a++) {
        for (unsigned b = a + 1; b < 300; b++) {
            assert_string_not_equal(labels[a], labels[b]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_label_twice), cmocka_unit_test(test_qtypes),
        cmocka_unit_test(test_rcodes),         cmocka_unit_test(test_opcodes),
        cmocka_unit_test(test_info_codes),     cmocka_unit_test(test_all_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
