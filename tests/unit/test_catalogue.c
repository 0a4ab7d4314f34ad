/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expose/catalogue.h"

/* The numbers of a row. */
static size_t row_size(const struct metric_entry *entry)
{
    size_t size = metric_value_size(entry->value);

    for (unsigned i = 0; entry->labels[i] != NULL; i++) {
        size *= entry->labels[i]->shares_index ? 1 : entry->labels[i]->count;
    }
    return size;
}

/* Every byte of a table belongs to one row: what is counted is shown, and once. */
static void check_table(enum metric_scope scope, const char *name, size_t size)
{
    unsigned char *rows = calloc(size, 1);

    assert_non_null(rows);
    for (size_t i = 0; i < metric_catalogue_count; i++) {
        const struct metric_entry *entry = &metric_catalogue[i];
        if (entry->scope != scope) {
            continue;
        }
        assert_true(entry->offset + row_size(entry) <= size);
        for (size_t at = entry->offset; at < entry->offset + row_size(entry); at++) {
            rows[at]++;
        }
    }
    for (size_t at = 0; at < size; at++) {
        if (rows[at] != 1) {
            fail_msg("%s: byte %zu of %zu has %d rows", name, at, size, rows[at]);
        }
    }
    free(rows);
}

static void test_tables(void **state)
{
    (void)state;
    check_table(SCOPE_SERVER_ROLE, "server_counters", sizeof(struct server_counters));
    check_table(SCOPE_ANSWERS, "answer_counters", sizeof(struct answer_counters));
    check_table(SCOPE_SERVER, "policy_counters", sizeof(struct policy_counters));
    check_table(SCOPE_INPUT, "input_counters", sizeof(struct input_counters));
    /* Its last member has the names of the lists as labels. */
    check_table(SCOPE_GLOBAL, "global_counters", offsetof(struct global_counters, block_list_hits));
    /* Without the padding behind its last member. */
    check_table(SCOPE_OUTPUT, "output_counters",
                offsetof(struct output_counters, connected) + sizeof(atomic_bool));
}

/* Every value has a text, but the one that is no defect. */
static void test_texts(void **state)
{
#define LABEL_POINTER(id, ...) {#id, &label_##id},
    static const struct {
        const char *id;
        const struct label_values *label;
    } all[] = {LABELS(LABEL_POINTER)};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const struct label_values *label = all[i].label;
        for (unsigned value = 0; label->source == LABEL_FIXED && value < label->count; value++) {
            bool none = label == &label_defect && value == DNS_DEFECT_NONE;
            if ((label->texts[value] == NULL) != none) {
                fail_msg("%s: value %u has %s text", all[i].id, value, none ? "a" : "no");
            }
            for (unsigned other = 0; other < value; other++) {
                assert_true(none || label->texts[other] == NULL ||
                            strcmp(label->texts[other], label->texts[value]) != 0);
            }
        }
    }
}

static bool ends_in(const char *name, const char *end)
{
    return strlen(name) > strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0;
}

/* Prometheus' rules for names: https://prometheus.io/docs/practices/naming/ */
static void test_names(void **state)
{
    (void)state;
    assert_true(metric_catalogue_count > 70);
    for (size_t i = 0; i < metric_catalogue_count; i++) {
        const struct metric_entry *entry = &metric_catalogue[i];
        char end[32] = "";

        assert_true(ends_in(entry->name, "_total") == (entry->type == METRIC_TYPE_COUNTER));
        (void)snprintf(end, sizeof end, "_%s%s", entry->unit,
                       entry->type == METRIC_TYPE_COUNTER ? "_total" : "");
        assert_true(entry->unit[0] == '\0' || ends_in(entry->name, end));
        assert_true(ends_in(entry->help, "."));
        assert_true((entry->bounds != NULL) == (entry->type == METRIC_TYPE_HISTOGRAM));
        assert_true((entry->collect != NULL) == (entry->scope == SCOPE_FUNCTION));
        for (size_t other = 0; other < i; other++) {
            assert_string_not_equal(entry->name, metric_catalogue[other].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
