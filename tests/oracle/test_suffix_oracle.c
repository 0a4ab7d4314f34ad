/* SPDX-License-Identifier: Apache-2.0 */
/* Our suffix table and libpsl find the same registered domain: around every rule of Debian's list,
 * and for names put together from its labels. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode/dns_name.h"
#include "support/random.h"
#include "support/wire_name.h"
#include "client/suffix_table.h"

#define LIST       "/usr/share/publicsuffix/public_suffix_list.dat"
#define RULES_MAX  20000
#define LABELS_MAX 40000

static psl_ctx_t *psl;
static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
static struct suffix_table *table;
static char *rules[RULES_MAX]; /* as ASCII, without `*.` and `!` */
static size_t rule_count;
static char *labels[LABELS_MAX];
static size_t label_count;

static void add_rule(char *line)
{
    char *ascii = NULL;

    line[strcspn(line, " \t\r\n")] = '\0';
    if (line[0] == '\0' || strncmp(line, "//", 2) == 0) {
        return;
    }
    line += line[0] == '!' ? 1 : 0;
    line += strncmp(line, "*.", 2) == 0 ? 2 : 0;
    if (idn2_to_ascii_8z(line, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK) {
        abort();
    }
    rules[rule_count++] = ascii;

    char *copy = strdup(ascii);
    for (char *label = strtok(copy, "."); label != NULL; label = strtok(NULL, ".")) {
        labels[label_count++] = strdup(label);
    }
    free(copy);
}

static int set_up(void **state)
{
    FILE *file = fopen(LIST, "r");
    struct text error = {0};
    char line[512];

    (void)state;
    while (file != NULL && rule_count < RULES_MAX && fgets(line, sizeof line, file) != NULL) {
        add_rule(line);
    }
    if (file == NULL || fclose(file) != 0) {
        return -1;
    }
    psl = psl_load_file(LIST);
    return psl == NULL ? -1 : suffix_table_create(&table, &secret, LIST, NULL, 0, &error);
}

static int tear_down(void **state)
{
    (void)state;
    psl_free(psl);
    suffix_table_free(table);
    for (size_t i = 0; i < rule_count; i++) {
        idn2_free(rules[i]);
    }
    for (size_t i = 0; i < label_count; i++) {
        free(labels[i]);
    }
    return 0;
}

static bool ends_in(const char *name, const char *end)
{
    size_t name_len = strlen(name);
    size_t end_len = strlen(end);

    return name_len > end_len && strcmp(name + name_len - end_len, end) == 0;
}

/* Libpsl gives nothing for a public suffix, which is its own domain for us. Reverse names have
 * domains of our own: tests/unit/test_suffix_table.c. */
static void compare(const char *name)
{
    const char *expected = psl_registrable_domain(psl, name);
    char ours[DNS_NAME_TEXT_SIZE];
    uint8_t space[DNS_NAME_MAX];

    struct dns_name_suffixes suffixes;
    struct bytes wire = wire_name(name, space);

    if (ends_in(name, ".in-addr.arpa") || ends_in(name, ".ip6.arpa")) {
        return;
    }
    dns_name_sum(&secret, wire, &suffixes);
    dns_name_print(suffix_table_match(table, wire, &suffixes).domain, ours);
    if (strcmp(ours, expected != NULL ? expected : name) != 0) {
        fail_msg("%s: %s by libpsl, %s by us", name, expected != NULL ? expected : "(none)", ours);
    }
}

static void test_around_every_rule(void **state)
{
    static const char *const before[] = {"", "a.", "b.a.", "c.b.a.", "www."};
    char name[512];

    (void)state;
    assert_true(rule_count > 8000);
    for (size_t i = 0; i < rule_count; i++) {
        for (size_t k = 0; k < sizeof before / sizeof before[0]; k++) {
            (void)snprintf(name, sizeof name, "%s%s", before[k], rules[i]);
            compare(name);
        }
        const char *parent = strchr(rules[i], '.');
        if (parent != NULL) {
            compare(parent + 1);
            (void)snprintf(name, sizeof name, "x.%s", parent + 1);
            compare(name);
        }
    }
}

static void test_names_of_their_labels(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        char name[512] = "";
        const char *end = rules[random_below(&seed, rule_count)];

        for (size_t count = random_below(&seed, 4); count > 0; count--) {
            strcat(name, labels[random_below(&seed, label_count)]);
            strcat(name, ".");
        }
        if (random_below(&seed, 2) == 0 && strchr(end, '.') != NULL) {
            end = strchr(end, '.') + 1;
        }
        strcat(name, end);
        if (strlen(name) < 250) {
            compare(name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_around_every_rule),
        cmocka_unit_test(test_names_of_their_labels),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
