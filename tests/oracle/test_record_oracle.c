/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our reader of resource records against ldns, record by record, on every message of the captures
 * and on mutations of them: owner, type, class, TTL and where the data begins and ends.
 *
 * Known differences: ldns also reads the data of records by their type, so that it refuses records
 * that are sound to us, and goes on where that data ends and not where the record's length says;
 * and it follows compression pointers forwards, which we refuse.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>
#include <ldns/ldns.h>
#include <stdlib.h>

#include "decode/dns_message.h"
#include "decode/dnstap.h"
#include "support/capture.h"
#include "support/random.h"

#define MUTATIONS 20 /* of each message */

static struct capture capture;

struct totals {
    size_t records;         /* that both read alike */
    size_t forward_owners;  /* that only ldns reads */
    size_t other_ends;      /* records whose length is not that of their data */
    size_t refused_by_both; /* records */
    size_t refused_by_ldns;
};

/* Returns whether ours is the same name. */
static bool same_owner(const struct dns_record *ours, struct bytes message, const ldns_rr *theirs)
{
    uint8_t owner[DNS_NAME_MAX];
    size_t len = dns_record_owner(ours, message, owner);
    ldns_buffer *name = ldns_buffer_new(DNS_NAME_MAX);

    if (len == 0) {
        ldns_buffer_free(name);
        return false;
    }
    assert_int_equal(ldns_dname2buffer_wire(name, ldns_rr_owner(theirs)), LDNS_STATUS_OK);
    assert_int_equal(len, ldns_buffer_position(name));
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(owner[i], (uint8_t)tolower(*ldns_buffer_at(name, i)));
    }
    ldns_buffer_free(name);
    return true;
}

/* The section of a record, by its number in the message and the header's counts. */
static enum dns_section section_of(struct bytes message, unsigned number)
{
    unsigned answers = bytes_be16_at(message.data + 6);
    unsigned authorities = bytes_be16_at(message.data + 8);

    if (number < answers) {
        return DNS_SECTION_ANSWER;
    }
    return number < answers + authorities ? DNS_SECTION_AUTHORITY : DNS_SECTION_ADDITIONAL;
}

/* Returns whether the walk can go on. */
static bool compare_record(struct dns_record_reader *reader, struct bytes message, unsigned number,
                           size_t *at, struct totals *totals)
{
    struct dns_record ours;
    ldns_rr *theirs = NULL;
    bool read = dns_record_next(reader, &ours);

    if (!read && !reader->cursor.failed) {
        return false; /* the last one was before */
    }
    ldns_status status = ldns_wire2rr(&theirs, message.data, message.len, at, LDNS_SECTION_ANSWER);
    if (status != LDNS_STATUS_OK) {
        *(read ? &totals->refused_by_ldns : &totals->refused_by_both) += 1;
        return false;
    }
    assert_true(read);
    assert_int_equal(ours.section, section_of(message, number));
    assert_int_equal(ours.type, ldns_rr_get_type(theirs));
    assert_int_equal(ours.class, ldns_rr_get_class(theirs));
    assert_int_equal(ours.ttl, ldns_rr_ttl(theirs));
    *(same_owner(&ours, message, theirs) ? &totals->records : &totals->forward_owners) += 1;
    ldns_rr_free(theirs);
    if (message.data + *at != ours.data.data + ours.data.len) {
        totals->other_ends++;
        return false;
    }
    return true;
}

static void compare(struct bytes message, struct totals *totals)
{
    struct dns_record_reader reader;
    struct dns_message dns;

    dns_message_read(message, &dns);
    if (dns.records_offset == 0) {
        return;
    }
    size_t at = dns.records_offset;
    unsigned number = 0;
    dns_record_reader_init(&reader, message, at);
    while (compare_record(&reader, message, number, &at, totals)) {
        number++;
    }
}

static void compare_with_mutations(struct bytes message, struct totals *sound,
                                   struct totals *mutated)
{
    static uint64_t random = 2026;

    compare(message, sound);
    for (unsigned i = 0; i < MUTATIONS && message.len > 0; i++) {
        uint8_t *copy = malloc(message.len); /* ends where reading it has to end */

        assert_non_null(copy);
        memcpy(copy, message.data, message.len);
        compare((struct bytes){copy, random_mutate(&random, copy, message.len)}, mutated);
        free(copy);
    }
}

static void print_totals(const char *what, const struct totals *totals)
{
    print_message("%s: %zu records alike, %zu with owners that point forwards, %zu with another "
                  "length than their data, %zu refused by both, %zu by ldns only\n",
                  what, totals->records, totals->forward_owners, totals->other_ends,
                  totals->refused_by_both, totals->refused_by_ldns);
}

static void test_records(void **state)
{
    struct totals sound = {0};
    struct totals mutated = {0};
    struct dnstap frame;

    (void)state;
    for (size_t i = 0; i < capture.count; i++) {
        assert_true(dnstap_decode(capture.frames[i], &frame));
        compare_with_mutations(frame.message.query_message, &sound, &mutated);
        compare_with_mutations(frame.message.response_message, &sound, &mutated);
    }
    print_totals("captured", &sound);
    print_totals("mutated", &mutated);
    assert_int_equal(sound.forward_owners + sound.other_ends, 0);
    assert_true(sound.records > 20000 && mutated.records > 200000);
    assert_true(mutated.refused_by_both > 1000 && mutated.forward_owners > 10);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records)};

    if (argc != 2) {
        return EXIT_FAILURE;
    }
    capture = capture_load_folder(argv[1]);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    capture_free(&capture);
    return failures;
}
