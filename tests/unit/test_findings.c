/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "detect/findings.h"

#define CAPACITY 4

static struct findings *findings;
static unsigned begun, ended;
static struct finding last;

static void hear(void *context, const struct finding *finding)
{
    assert_ptr_equal(context, &begun);
    begun += finding->ended_ns == 0;
    ended += finding->ended_ns != 0;
    last = *finding;
}

static unsigned noted;
static struct finding_note last_note;

static void hear_note(void *context, const struct finding_note *note)
{
    assert_ptr_equal(context, &begun);
    noted++;
    last_note = *note;
}

static const struct findings_listener listener = {hear, hear_note, &begun};

static struct finding client_finding(uint8_t number, double score)
{
    struct finding finding = {
        .detector = &detector_nxdomain_client, .key_hash = 1000 + number, .score = score};

    finding.client.len = 4;
    finding.client.data[3] = number;
    return finding;
}

static struct finding domain_finding(uint8_t number)
{
    struct finding finding = {
        .detector = &detector_nxdomain_domain, .key_hash = 1000 + number, .score = 1};

    finding_name_set(&finding.domain, (struct bytes){(const uint8_t *)"\1a", 3});
    return finding;
}

static void evaluate(uint64_t now_ns, const struct finding *reported, size_t count)
{
    findings_begin(findings, now_ns, &listener);
    for (size_t i = 0; i < count; i++) {
        findings_report(findings, &reported[i], true);
    }
    findings_end(findings);
}

/* A finding ends with its last details. */
static void test_last_details(void **state)
{
    struct finding finding = client_finding(1, 2), other = client_finding(2, 1);

    (void)state;
    finding.since_ns = 8;
    evaluate(10, &finding, 1);
    finding.since_ns = 5; /* evidence may turn out to be older, not younger */
    evaluate(15, &finding, 1);
    finding.since_ns = 9;
    findings_begin(findings, 20, &listener);
    finding.score = 0.25;
    findings_report(findings, &finding, false);
    findings_report(findings, &other, false); /* it never began */
    findings_end(findings);
    assert_int_equal(begun, 1);
    assert_int_equal(ended, 1);
    assert_true(last.score == 0.25 && last.began_ns == 10 && last.ended_ns == 20);
    assert_int_equal(last.since_ns, 5);
}

/* What is reported once begins, what is reported no more ends. */
static void test_begin_and_end(void **state)
{
    struct finding finding = client_finding(1, 2);

    (void)state;
    evaluate(10, &finding, 1);
    assert_int_equal(begun, 1);
    assert_int_equal(last.began_ns, 10);
    finding.score = 3;
    finding.began_ns = finding.ended_ns = 77; /* are not taken over */
    evaluate(20, &finding, 1);
    assert_int_equal(begun, 1);
    assert_int_equal(ended, 0);
    assert_int_equal(findings_count(findings, 1).active, 1);
    evaluate(30, NULL, 0);
    assert_int_equal(ended, 1);
    assert_int_equal(last.began_ns, 10);
    assert_int_equal(last.ended_ns, 30);
    assert_true(last.score > 2.5); /* as it was reported last */
    assert_int_equal(findings_count(findings, 1).active, 0);
    assert_int_equal(findings_count(findings, 1).begun, 1);
    evaluate(40, &finding, 1);
    assert_int_equal(begun, 2);
    assert_int_equal(last.began_ns, 40);
}

/* The findings of two detectors about the same key are two. */
static void test_keys(void **state)
{
    const struct finding both[] = {domain_finding(1), client_finding(1, 1)};

    (void)state;
    evaluate(10, both, 2);
    assert_int_equal(begun, 2);
    evaluate(20, &both[1], 1);
    assert_int_equal(ended, 1);
    assert_ptr_equal(last.detector, &detector_nxdomain_domain);
    evaluate(30, both, 2);
    assert_int_equal(begun, 3);
}

/* Only a domain alone, and only in the evaluation that reported it. */
static void test_has_domain(void **state)
{
    const struct finding domain = domain_finding(1);
    const struct finding client = client_finding(2, 1);

    (void)state;
    findings_begin(findings, 10, &listener);
    assert_false(findings_find_domain(findings, domain.key_hash) != NULL);
    findings_report(findings, &domain, true);
    findings_report(findings, &client, true);
    assert_true(findings_find_domain(findings, domain.key_hash) != NULL);
    assert_false(findings_find_domain(findings, client.key_hash) != NULL);
    assert_false(findings_find_domain(findings, 0) != NULL);
    findings_end(findings);
    findings_begin(findings, 20, &listener);
    assert_false(findings_find_domain(findings, domain.key_hash) != NULL);
    findings_end(findings);
}

static void test_list(void **state)
{
    const struct finding all[] = {client_finding(1, 2), client_finding(2, 9), client_finding(3, 5)};
    struct finding list[3];

    (void)state;
    evaluate(10, all, 3);
    assert_int_equal(findings_list(findings, list, 3), 3);
    assert_int_equal(list[0].client.data[3], 2);
    assert_int_equal(list[1].client.data[3], 3);
    assert_int_equal(list[2].client.data[3], 1);
    assert_int_equal(findings_list(findings, list, 1), 1);
    assert_int_equal(list[0].client.data[3], 2);
    assert_int_equal(findings_list(findings, list, 0), 0);
}

/* Many findings of one detector do not hide those of another. */
static void test_shares(void **state)
{
    const struct finding all[] = {client_finding(1, 2), client_finding(2, 9), client_finding(3, 5),
                                  domain_finding(4)};
    struct finding list[4];

    (void)state;
    evaluate(10, all, 4);
    assert_int_equal(findings_list(findings, list, 4), 4);
    assert_int_equal(findings_list(findings, list, 3), 3);
    assert_ptr_equal(list[0].detector, &detector_nxdomain_domain);
    assert_int_equal(list[1].client.data[3], 2);
    assert_int_equal(list[2].client.data[3], 3);
}

/* Nor do those of one block list. */
static void test_shares_of_block_lists(void **state)
{
    struct finding all[] = {client_finding(1, 200), client_finding(2, 900), client_finding(3, 500),
                            client_finding(4, 1)};
    struct finding list[3];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        all[i].detector = &detector_block_list;
        all[i].list_number = i == 3 ? 1 : 0;
        strcpy(all[i].list, i == 3 ? "malware" : "adverts");
    }
    evaluate(10, all, 4);
    assert_int_equal(findings_list(findings, list, 3), 3);
    assert_string_equal(list[0].list, "malware");
    assert_int_equal(list[1].client.data[3], 2);
    assert_int_equal(list[2].client.data[3], 3);
}

/* The latest first; the oldest make room. */
static void test_ended(void **state)
{
    static struct finding list[FINDINGS_ENDED_MAX];

    (void)state;
    assert_int_equal(findings_list_ended(findings, list, FINDINGS_ENDED_MAX), 0);
    for (uint8_t i = 0; i < FINDINGS_ENDED_MAX + 20; i++) {
        const struct finding finding = client_finding(i, 1);
        evaluate(10 * (uint64_t)i + 10, &finding, 1); /* the one before ends */
    }
    assert_int_equal(findings_list_ended(findings, list, 2), 2);
    assert_int_equal(list[0].client.data[3], FINDINGS_ENDED_MAX + 18);
    assert_int_equal(list[0].ended_ns, 10 * (FINDINGS_ENDED_MAX + 20));
    assert_int_equal(list[1].client.data[3], FINDINGS_ENDED_MAX + 17);
    assert_int_equal(findings_list_ended(findings, list, FINDINGS_ENDED_MAX), FINDINGS_ENDED_MAX);
    assert_int_equal(list[FINDINGS_ENDED_MAX - 1].client.data[3], 19);
}

/* Those in the middle end, and the others are still found. */
static void test_many(void **state)
{
    struct finding all[CAPACITY + 1];

    (void)state;
    for (uint8_t i = 0; i <= CAPACITY; i++) {
        all[i] = client_finding(i, 1);
    }
    evaluate(10, all, CAPACITY + 1); /* one finds no room */
    assert_int_equal(begun, CAPACITY);
    const struct finding kept[] = {all[3], all[0]};
    evaluate(20, kept, 2);
    assert_int_equal(ended, CAPACITY - 2);
    evaluate(30, all, CAPACITY);
    assert_int_equal(begun, 2 * CAPACITY - 2);
    evaluate(40, NULL, 0);
    assert_int_equal(ended, begun);
}

/* Notes count as begun, are listed from the latest on, and are known for a day. */
static void test_notes(void **state)
{
    const uint64_t second_ns = UINT64_C(1000000000);
    struct finding_note notes[3];

    (void)state;
    for (uint64_t i = 1; i <= FINDINGS_NOTED_MAX + 1; i++) {
        const struct finding_note note = {.detector = &detector_new_domain, .domain_hash = i};
        findings_begin(findings, i * second_ns, &listener);
        findings_note(findings, &note);
        findings_end(findings);
    }
    assert_int_equal(noted, FINDINGS_NOTED_MAX + 1);
    assert_int_equal(last_note.noted_ns, (FINDINGS_NOTED_MAX + 1) * second_ns);
    assert_int_equal(begun, 0);
    struct findings_count count = findings_count(findings, DETECTOR_new_domain);
    assert_int_equal(count.begun, FINDINGS_NOTED_MAX + 1);
    assert_int_equal(count.active, 0);
    assert_int_equal(findings_list_notes(findings, notes, 3), 3);
    assert_int_equal(notes[0].domain_hash, FINDINGS_NOTED_MAX + 1);
    assert_int_equal(notes[2].domain_hash, FINDINGS_NOTED_MAX - 1);
    assert_true(findings_noted_lately(findings, &detector_new_domain, 2));
    assert_false(findings_noted_lately(findings, &detector_new_domain, 1));
    assert_false(findings_noted_lately(findings, &detector_tunnel, 2));
    findings_begin(findings, (86400 + 2) * second_ns, &listener);
    findings_end(findings);
    assert_false(findings_noted_lately(findings, &detector_new_domain, 2));
    assert_true(findings_noted_lately(findings, &detector_new_domain, 3));
}

static int set_up(void **state)
{
    (void)state;
    begun = ended = noted = 0;
    return findings_create(&findings, CAPACITY);
}

static int tear_down(void **state)
{
    (void)state;
    findings_free(findings);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_begin_and_end), TEST(test_last_details),
        TEST(test_keys),          TEST(test_has_domain),
        TEST(test_list),          TEST(test_many),
        TEST(test_shares),        TEST(test_shares_of_block_lists),
        TEST(test_ended),         TEST(test_notes),
    };

    findings_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
