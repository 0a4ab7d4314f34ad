/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our reading of DNS messages against ldns, on every message of the captures: both find it sound or
 * both do not, and header, question, EDNS and outcome agree.
 *
 * Known differences: none on these messages. Ldns also checks the data of records by their type;
 * ours looks at their lengths only, since a metric needs no more. Where both refuse a message, ldns
 * tells nothing of it, and ours what comes before the defect.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ldns/ldns.h>
#include <stdlib.h>

#include "decode/dnstap.h"
#include "decode/dns_message.h"
#include "support/capture.h"

static struct capture capture;

static void same_header(const struct dns_message *ours, const ldns_pkt *theirs)
{
    assert_int_equal(ours->id, ldns_pkt_id(theirs));
    assert_int_equal(ours->opcode, ldns_pkt_get_opcode(theirs));
    assert_int_equal((ours->flags & DNS_FLAG_AA) != 0, ldns_pkt_aa(theirs));
    assert_int_equal((ours->flags & DNS_FLAG_TC) != 0, ldns_pkt_tc(theirs));
    assert_int_equal((ours->flags & DNS_FLAG_RD) != 0, ldns_pkt_rd(theirs));
    assert_int_equal((ours->flags & DNS_FLAG_RA) != 0, ldns_pkt_ra(theirs));
    assert_int_equal((ours->flags & DNS_FLAG_AD) != 0, ldns_pkt_ad(theirs));
    assert_int_equal((ours->flags & DNS_FLAG_CD) != 0, ldns_pkt_cd(theirs));
    unsigned extended = ours->edns.present ? ldns_pkt_edns_extended_rcode(theirs) : 0;
    assert_int_equal(ours->rcode, extended << 4 | ldns_pkt_get_rcode(theirs));
}

static void same_question(const struct dns_message *ours, const ldns_pkt *theirs)
{
    const ldns_rr_list *questions = ldns_pkt_question(theirs);
    ldns_buffer *name;

    assert_int_equal(ours->has_question, ldns_rr_list_rr_count(questions) > 0);
    if (!ours->has_question) {
        return;
    }
    ldns_rr *question = ldns_rr_list_rr(questions, 0);
    assert_int_equal(ours->qtype, ldns_rr_get_type(question));
    assert_int_equal(ours->qclass, ldns_rr_get_class(question));
    name = ldns_buffer_new(DNS_NAME_MAX);
    assert_int_equal(ldns_dname2buffer_wire(name, ldns_rr_owner(question)), LDNS_STATUS_OK);
    assert_int_equal(ours->qname_len, ldns_buffer_position(name));
    for (size_t i = 0; i < ours->qname_len; i++) {
        uint8_t theirs_lower = (uint8_t)tolower(ldns_buffer_begin(name)[i]);
        assert_int_equal(ours->qname[i], theirs_lower);
    }
    ldns_buffer_free(name);
}

static void same_edns(const struct dns_message *ours, const ldns_pkt *theirs)
{
    bool theirs_present = ldns_pkt_edns(theirs);

    assert_int_equal(ours->edns.present, theirs_present);
    if (theirs_present) {
        assert_int_equal(ours->edns.version, ldns_pkt_edns_version(theirs));
        assert_int_equal(ours->edns.dnssec_ok, ldns_pkt_edns_do(theirs));
    }
}

static size_t count_type(const ldns_rr_list *records, ldns_rr_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
        count += ldns_rr_get_type(ldns_rr_list_rr(records, i)) == type;
    }
    return count;
}

/* Ldns has a function for nearly this (ldns_pkt_reply_type), but counts an alias without its
 * target's NODATA as an answer and a truncated empty response as NODATA; so the rule is written
 * again on its records. */
static enum dns_outcome outcome_by_ldns(const ldns_pkt *pkt, uint16_t qtype)
{
    const ldns_rr_list *answer = ldns_pkt_answer(pkt);
    const ldns_rr_list *authority = ldns_pkt_authority(pkt);
    size_t alias = qtype == LDNS_RR_TYPE_CNAME ? 0 : count_type(answer, LDNS_RR_TYPE_CNAME);
    bool soa = count_type(authority, LDNS_RR_TYPE_SOA) > 0;
    bool ns = count_type(authority, LDNS_RR_TYPE_NS) > 0;

    alias += qtype == LDNS_RR_TYPE_DNAME ? 0 : count_type(answer, LDNS_RR_TYPE_DNAME);
    alias += qtype == LDNS_RR_TYPE_RRSIG ? 0 : count_type(answer, LDNS_RR_TYPE_RRSIG);
    if (ldns_rr_list_rr_count(answer) > alias || (alias > 0 && !soa)) {
        return DNS_OUTCOME_ANSWER;
    }
    if (ldns_pkt_tc(pkt)) {
        return DNS_OUTCOME_OTHER;
    }
    return ns && !soa ? DNS_OUTCOME_REFERRAL : DNS_OUTCOME_NODATA;
}

static void same_outcome(const struct dns_message *ours, const ldns_pkt *theirs)
{
    enum dns_outcome expected = DNS_OUTCOME_OTHER;

    if (ldns_pkt_get_opcode(theirs) != LDNS_PACKET_QUERY) {
        expected = DNS_OUTCOME_OTHER;
    } else if (ours->rcode == LDNS_RCODE_NOERROR) {
        expected = outcome_by_ldns(theirs, ours->qtype);
    } else if (ours->rcode == LDNS_RCODE_SERVFAIL) {
        expected = DNS_OUTCOME_SERVFAIL;
    } else if (ours->rcode == LDNS_RCODE_NXDOMAIN) {
        expected = DNS_OUTCOME_NXDOMAIN;
    } else if (ours->rcode == LDNS_RCODE_REFUSED) {
        expected = DNS_OUTCOME_REFUSED;
    }
    assert_int_equal(ours->outcome, expected);
}

struct totals {
    size_t sound;
    size_t refused;
};

static void compare(struct bytes message, struct totals *totals)
{
    struct dns_message ours;
    ldns_pkt *theirs = NULL;

    dns_message_read(message, &ours);
    ldns_status status = ldns_wire2pkt(&theirs, message.data, message.len);
    assert_int_equal(ours.defect == DNS_DEFECT_NONE, status == LDNS_STATUS_OK);
    if (status == LDNS_STATUS_OK) {
        totals->sound++;
        same_header(&ours, theirs);
        same_question(&ours, theirs);
        same_edns(&ours, theirs);
        same_outcome(&ours, theirs);
    } else {
        totals->refused++;
    }
    ldns_pkt_free(theirs);
}

static void test_captured_messages(void **state)
{
    struct totals totals = {0};
    struct dnstap frame;

    (void)state;
    for (size_t i = 0; i < capture.count; i++) {
        assert_true(dnstap_decode(capture.frames[i], &frame));
        if (dnstap_has(frame.message.present, DNSTAP_QUERY_MESSAGE)) {
            compare(frame.message.query_message, &totals);
        }
        if (dnstap_has(frame.message.present, DNSTAP_RESPONSE_MESSAGE)) {
            compare(frame.message.response_message, &totals);
        }
    }
    print_message("%zu messages sound to both, %zu refused by both\n", totals.sound,
                  totals.refused);
    assert_true(totals.sound > 10000 && totals.refused > 10); /* else the captures are no test */
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_captured_messages)};

    if (argc != 2) {
        return EXIT_FAILURE;
    }
    capture = capture_load_folder(argv[1]);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    capture_free(&capture);
    return failures;
}
