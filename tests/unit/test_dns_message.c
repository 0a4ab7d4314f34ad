/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "decode/dns_message.h"
#include "support/hex.h"

/* A question for the A records of www.example., at offset 12. */
#define QUESTION "0377 7777 0765 7861 6d70 6c65 00 0001 0001 "
/* Records; the owner is a pointer to the question's name. */
#define A             "c00c 0001 0001 0000003c 0004 c0000201 "
#define CNAME         "c00c 0005 0001 0000003c 0002 c00c "
#define DNAME         "c00c 0027 0001 0000003c 0002 c00c "
#define RRSIG         "c00c 002e 0001 0000003c 0001 00 "
#define SOA           "c00c 0006 0001 0000003c 0000 "
#define SOA_OF(owner) owner " 0006 0001 0000003c 0000 "
#define NS            "c00c 0002 0001 0000003c 0002 c00c "
/* The type bit map of NSEC: RRSIG, NSEC and NXNAME (RFC 9824 section 3.1); and A, RRSIG, NSEC. */
#define NSEC(owner, map)     owner " 002f 0001 0000003c " map
#define NXNAME_MAP           "0016 0100 00 0011 0000000000030000000000000000000080 "
#define A_MAP                "000b 0100 00 0006 400000000003 "
#define DS                   "c00c 002b 0001 0000003c 0000 "
#define OPT(length, options) "00 0029 04d0 00000000 " length options

/* Options of OPT. */
#define EDE(code)    "000f 0002 " code " "

#define OPTION(name) (1u << EDNS_OPTION_##name)

struct expected {
    enum dns_defect defect;
    enum dns_outcome outcome;
    uint16_t rcode;
    uint8_t opcode;
    bool promised, question;
    uint16_t qtype;
    struct edns edns;
};

struct sample {
    const char *what, *hex;
    struct expected expected;
};

/* Most samples are about the outcome of a response to one question. */
#define RESPONSE(outcome_, rcode_)                                                                 \
    {                                                                                              \
        .outcome = DNS_OUTCOME_##outcome_, .rcode = rcode_, .promised = true, .question = true,    \
        .qtype = 1                                                                                 \
    }

#define WITH_EDNS(...)                                                                             \
    {                                                                                              \
        .outcome = DNS_OUTCOME_NODATA, .promised = true, .question = true, .qtype = 1, .edns = {   \
            .present = true,                                                                       \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct sample samples[] = {
    /* Outcomes */
    {"data", "1234 8180 0001 0001 0000 0000 " QUESTION A, RESPONSE(ANSWER, 0)},
    {"nothing", "1234 8180 0001 0000 0000 0000 " QUESTION, RESPONSE(NODATA, 0)},
    {"a SOA", "1234 8180 0001 0000 0001 0000 " QUESTION SOA, RESPONSE(NODATA, 0)},
    {"SOA and NS", "1234 8180 0001 0000 0002 0000 " QUESTION SOA NS, RESPONSE(NODATA, 0)},
    {"NS and DS", "1234 8180 0001 0000 0002 0000 " QUESTION NS DS, RESPONSE(REFERRAL, 0)},
    {"NS with a glue record", "1234 8100 0001 0000 0001 0001 " QUESTION NS A,
     RESPONSE(REFERRAL, 0)},
    {"data and NS", "1234 8180 0001 0001 0001 0000 " QUESTION A NS, RESPONSE(ANSWER, 0)},
    {"an alias to follow", "1234 8180 0001 0001 0000 0000 " QUESTION CNAME, RESPONSE(ANSWER, 0)},
    {"DNAME and CNAME", "1234 8180 0001 0002 0000 0000 " QUESTION DNAME CNAME, RESPONSE(ANSWER, 0)},
    {"an alias that leads nowhere", "1234 8180 0001 0001 0001 0000 " QUESTION CNAME SOA,
     RESPONSE(NODATA, 0)},
    {"a signed alias that leads nowhere", "1234 8180 0001 0002 0001 0000 " QUESTION CNAME RRSIG SOA,
     RESPONSE(NODATA, 0)},
    {"an alias that leads to data", "1234 8180 0001 0002 0000 0000 " QUESTION CNAME A,
     RESPONSE(ANSWER, 0)},
    {"alias, data and SOA", "1234 8180 0001 0002 0001 0000 " QUESTION CNAME A SOA,
     RESPONSE(ANSWER, 0)},
    {"a CNAME asked for",
     "1234 8180 0001 0001 0001 0000 0377 7777 0765 7861 6d70 6c65 00 0005 0001" CNAME SOA,
     {.outcome = DNS_OUTCOME_ANSWER, .promised = true, .question = true, .qtype = 5}},
    {"truncated without data", "1234 8380 0001 0000 0000 0000 " QUESTION, RESPONSE(OTHER, 0)},
    {"truncated with NS only", "1234 8380 0001 0000 0001 0000 " QUESTION NS, RESPONSE(OTHER, 0)},
    {"truncated with data", "1234 8380 0001 0001 0000 0000 " QUESTION A, RESPONSE(ANSWER, 0)},
    {"FORMERR", "1234 8181 0001 0000 0000 0000 " QUESTION, RESPONSE(OTHER, 1)},
    {"SERVFAIL", "1234 8182 0001 0000 0000 0000 " QUESTION, RESPONSE(SERVFAIL, 2)},
    {"NXDOMAIN", "1234 8183 0001 0000 0001 0000 " QUESTION SOA, RESPONSE(NXDOMAIN, 3)},
    {"NXDOMAIN behind an alias", "1234 8183 0001 0001 0001 0000 " QUESTION CNAME SOA,
     RESPONSE(NXDOMAIN, 3)},
    {"NOTIMP", "1234 8184 0001 0000 0000 0000 " QUESTION, RESPONSE(OTHER, 4)},
    {"REFUSED", "1234 8185 0001 0000 0000 0000 " QUESTION, RESPONSE(REFUSED, 5)},
    {"a NOTIFY's response",
     "1234 a400 0001 0000 0000 0000 " QUESTION,
     {.outcome = DNS_OUTCOME_OTHER, .opcode = 4, .promised = true, .question = true, .qtype = 1}},
    {"a DSO's response, without question",
     "1234 b000 0000 0000 0000 0000",
     {.outcome = DNS_OUTCOME_OTHER, .opcode = 6}},

    /* Questions */
    {"no question", "1234 8180 0000 0000 0000 0000", {.outcome = DNS_OUTCOME_NODATA}},
    {"no question, an answer",
     "1234 8180 0000 0001 0000 0000 00 0001 0001 0000003c 0000",
     {.outcome = DNS_OUTCOME_ANSWER}},
    {"two questions", "1234 8180 0002 0001 0000 0000 " QUESTION "c00c 001c 0001" A,
     RESPONSE(ANSWER, 0)},
    {"the root",
     "1234 0100 0001 0000 0000 0000 00 0002 0003",
     {.outcome = DNS_OUTCOME_NODATA, .promised = true, .question = true, .qtype = 2}},

    /* EDNS */
    {"OPT without options", "1234 8180 0001 0000 0000 0001 " QUESTION OPT("0000 ", ""),
     WITH_EDNS(.options = 0)},
    {"DO", "1234 8180 0001 0000 0000 0001 " QUESTION "00 0029 04d0 00008000 0000",
     WITH_EDNS(.dnssec_ok = true)},
    {"other bits beside DO", "1234 8180 0001 0000 0000 0001 " QUESTION "00 0029 04d0 00007fff 0000",
     WITH_EDNS(.dnssec_ok = false)},
    {"version", "1234 8180 0001 0000 0000 0001 " QUESTION "00 0029 04d0 00050000 0000",
     WITH_EDNS(.version = 5)},
    {"each option",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT(
         "0020 ", "0003 0000 0008 0000 000a 0000 000b 0000 000c 0000 000f 0000 0002 0000 0003 "
                  "0000"),
     WITH_EDNS(.options = OPTION(NSID) | OPTION(ECS) | OPTION(COOKIE) | OPTION(KEEPALIVE) |
                          OPTION(PADDING) | OPTION(EDE) | OPTION(OTHER))},
    {"a long option",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT("000c ", "000a 0008 0123 4567 89ab cdef"),
     WITH_EDNS(.options = OPTION(COOKIE))},
    {"an extended error with a text",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT("0009 ", "000f 0005 0016 6162 63"),
     WITH_EDNS(.options = OPTION(EDE), .info_code_len = 1, .info_codes = {22})},
    {"an extended error without a code",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT("0005 ", "000f 0001 00"),
     WITH_EDNS(.options = OPTION(EDE))},
    {"eight extended errors",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT("0030 ", EDE("0001") EDE("0002") EDE("0003")
                                                                EDE("0004") EDE("0005") EDE("0006")
                                                                    EDE("0007") EDE("ffff")),
     WITH_EDNS(.options = OPTION(EDE), .info_code_len = 8,
               .info_codes = {1, 2, 3, 4, 5, 6, 7, 0xffff})},
    {"ten extended errors",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT(
         "003c ", EDE("0001") EDE("0002") EDE("0003") EDE("0004") EDE("0005") EDE("0006")
                      EDE("0007") EDE("0008") EDE("0009") EDE("000a")),
     WITH_EDNS(.options = OPTION(EDE), .info_code_len = 8, .info_codes = {1, 2, 3, 4, 5, 6, 7, 8})},
    {"an extended rcode",
     "1234 8187 0001 0000 0000 0001 " QUESTION "00 0029 04d0 01000000 0000",
     {.outcome = DNS_OUTCOME_OTHER,
      .rcode = 23,
      .promised = true,
      .question = true,
      .qtype = 1,
      .edns = {.present = true}}},
    {"all bits of an extended rcode",
     "1234 818f 0001 0000 0000 0001 " QUESTION "00 0029 04d0 ff000000 0000",
     {.outcome = DNS_OUTCOME_OTHER,
      .rcode = 0xfff,
      .promised = true,
      .question = true,
      .qtype = 1,
      .edns = {.present = true}}},
    {"an extended rcode that looks like NOERROR",
     "1234 8180 0001 0000 0000 0001 " QUESTION "00 0029 04d0 ff000000 0000",
     {.outcome = DNS_OUTCOME_OTHER,
      .rcode = 0xff0,
      .promised = true,
      .question = true,
      .qtype = 1,
      .edns = {.present = true}}},
    {"the second of two OPT records counts",
     "1234 8181 0001 0000 0000 0002 " QUESTION
     "00 0029 04d0 02008000 0006 " EDE("0001") "00 0029 04d0 01000000 0004 0003 0000",
     {.outcome = DNS_OUTCOME_OTHER,
      .rcode = 17,
      .promised = true,
      .question = true,
      .qtype = 1,
      .edns = {.present = true, .options = OPTION(NSID)}}},
    {"OPT behind other records",
     "1234 8180 0001 0001 0001 0002 " QUESTION A NS A OPT("0000 ", ""),
     {.outcome = DNS_OUTCOME_ANSWER,
      .promised = true,
      .question = true,
      .qtype = 1,
      .edns = {.present = true}}},
    {"OPT in the authority section is none",
     "1234 8180 0001 0000 0001 0000 " QUESTION OPT("0000 ", ""), RESPONSE(NODATA, 0)},
};

/* Messages that are broken before they end; not truncated again below. */
static const struct sample broken[] = {
    {"nothing", "", {.defect = DNS_DEFECT_SHORT, .outcome = DNS_OUTCOME_OTHER}},
    {"11 bytes",
     "1234 8180 0001 0000 0000 00",
     {.defect = DNS_DEFECT_SHORT, .outcome = DNS_OUTCOME_OTHER}},
    {"no question behind the header",
     "1234 0100 0001 0000 0000 0000",
     {.defect = DNS_DEFECT_QUESTION, .outcome = DNS_OUTCOME_OTHER, .promised = true}},
    {"a label of 64 bytes",
     "1234 0100 0001 0000 0000 0000 40",
     {.defect = DNS_DEFECT_QUESTION, .outcome = DNS_OUTCOME_OTHER, .promised = true}},
    {"a name that points to itself",
     "1234 0100 0001 0000 0000 0000 c00c 0001 0001",
     {.defect = DNS_DEFECT_QUESTION, .outcome = DNS_OUTCOME_OTHER, .promised = true}},
    {"the second question is missing",
     "1234 8180 0002 0000 0000 0000 " QUESTION,
     {.defect = DNS_DEFECT_QUESTION,
      .outcome = DNS_OUTCOME_OTHER,
      .promised = true,
      .question = true,
      .qtype = 1}},
    {"a second question of 64 bytes",
     "1234 8180 0002 0000 0000 0000 " QUESTION "40",
     {.defect = DNS_DEFECT_QUESTION,
      .outcome = DNS_OUTCOME_OTHER,
      .promised = true,
      .question = true,
      .qtype = 1}},
    {"65535 questions",
     "1234 8180 ffff 0000 0000 0000 " QUESTION,
     {.defect = DNS_DEFECT_QUESTION,
      .outcome = DNS_OUTCOME_OTHER,
      .promised = true,
      .question = true,
      .qtype = 1}},
    {"no answer where one is promised",
     "1234 8180 0001 0001 0000 0000 " QUESTION,
     {.defect = DNS_DEFECT_TRUNCATED,
      .outcome = DNS_OUTCOME_OTHER,
      .promised = true,
      .question = true,
      .qtype = 1}},
    {"one answer of two",
     "1234 8180 0001 0002 0000 0000 " QUESTION A,
     {.defect = DNS_DEFECT_TRUNCATED,
      .outcome = DNS_OUTCOME_ANSWER,
      .promised = true,
      .question = true,
      .qtype = 1}},
    {"data longer than the message",
     "1234 8180 0001 0001 0000 0000 " QUESTION "c00c 0001 0001 0000003c 0005 c0000201",
     {.defect = DNS_DEFECT_TRUNCATED,
      .outcome = DNS_OUTCOME_OTHER,
      .promised = true,
      .question = true,
      .qtype = 1}},
    {"an option longer than its record",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT("0005 ", "0003 0002 00"),
     {.defect = DNS_DEFECT_TRUNCATED,
      .outcome = DNS_OUTCOME_OTHER,
      .promised = true,
      .question = true,
      .qtype = 1,
      .edns = {.present = true}}},
    {"half an option",
     "1234 8180 0001 0000 0000 0001 " QUESTION OPT("0007 ", "0003 0000 0008 00"),
     {.defect = DNS_DEFECT_TRUNCATED,
      .outcome = DNS_OUTCOME_OTHER,
      .promised = true,
      .question = true,
      .qtype = 1,
      .edns = {.present = true, .options = OPTION(NSID)}}},
};

/* In a block of exactly `len` bytes, so that ASan sees a read past it; nothing is left over from
 * an earlier message. */
static void read_exact(const uint8_t *message, size_t len, struct dns_message *out)
{
    uint8_t *block = malloc(len > 0 ? len : 1);

    assert_non_null(block);
    memcpy(block, message, len);
    memset(out, 0xa5, sizeof *out);
    dns_message_read((struct bytes){len > 0 ? block : block + 1, len}, out);
    free(block);
}

static void same_edns(const struct edns *got, const struct edns *expected)
{
    assert_int_equal(got->present, expected->present);
    assert_int_equal(got->dnssec_ok, expected->dnssec_ok);
    assert_int_equal(got->version, expected->version);
    assert_int_equal(got->options, expected->options);
    assert_int_equal(got->info_code_len, expected->info_code_len);
    assert_memory_equal(got->info_codes, expected->info_codes,
                        expected->info_code_len * sizeof got->info_codes[0]);
}

static void same(const struct dns_message *got, const struct expected *expected)
{
    assert_int_equal(got->defect, expected->defect);
    assert_int_equal(got->outcome, expected->outcome);
    assert_int_equal(got->rcode, expected->rcode);
    assert_int_equal(got->opcode, expected->opcode);
    assert_int_equal(got->has_header, expected->defect != DNS_DEFECT_SHORT);
    assert_int_equal(got->question_promised, expected->promised);
    assert_int_equal(got->has_question, expected->question);
    assert_int_equal(got->qtype, expected->qtype);
    same_edns(&got->edns, &expected->edns);
}

static void check_samples(const struct sample *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t message[512];
        struct dns_message got;

        print_message("  %s\n", table[i].what);
        read_exact(message, hex_read(table[i].hex, message, sizeof message), &got);
        same(&got, &table[i].expected);
    }
}

static void test_samples(void **state)
{
    (void)state;
    check_samples(samples, sizeof samples / sizeof samples[0]);
}

static void test_broken(void **state)
{
    (void)state;
    check_samples(broken, sizeof broken / sizeof broken[0]);
}

/* What names say who does not exist: aliases, and compact denial. Names: www.example (the
 * question), at offset 12; a.test is "01 61 04 74657374 00". */
#define A_TEST      "0161 0474657374 00"
#define B_TEST      "0162 0474657374 00"
#define TO_A_TEST   "c00c 0005 0001 0000003c 0008 " A_TEST
#define A_TO_B_TEST A_TEST " 0005 0001 0000003c 0008 " B_TEST
#define B_TO_A_TEST B_TEST " 0005 0001 0000003c 0008 " A_TEST

static void test_names_that_do_not_exist(void **state)
{
    static const struct {
        const char *what, *hex;
        enum dns_outcome outcome;
        const char *target; /* in wire format; NULL: none */
    } cases[] = {
        {"NXDOMAIN of the name itself", "1234 8183 0001 0000 0001 0000 " QUESTION SOA,
         DNS_OUTCOME_NXDOMAIN, NULL},
        {"behind an alias", "1234 8183 0001 0001 0001 0000 " QUESTION TO_A_TEST SOA,
         DNS_OUTCOME_NXDOMAIN, "\1a\4test"},
        {"behind two", "1234 8183 0001 0002 0001 0000 " QUESTION TO_A_TEST A_TO_B_TEST SOA,
         DNS_OUTCOME_NXDOMAIN, "\1b\4test"},
        {"in another order", "1234 8183 0001 0002 0001 0000 " QUESTION A_TO_B_TEST TO_A_TEST SOA,
         DNS_OUTCOME_NXDOMAIN, "\1b\4test"},
        {"in a circle",
         "1234 8183 0001 0003 0001 0000 " QUESTION TO_A_TEST A_TO_B_TEST B_TO_A_TEST SOA,
         DNS_OUTCOME_NXDOMAIN, "\1a\4test"},
        {"an alias of another name", "1234 8183 0001 0001 0001 0000 " QUESTION A_TO_B_TEST SOA,
         DNS_OUTCOME_NXDOMAIN, NULL},
        {"a signed one", "1234 8183 0001 0002 0001 0000 " QUESTION RRSIG TO_A_TEST SOA,
         DNS_OUTCOME_NXDOMAIN, "\1a\4test"},
        {"an alias whose target is no name",
         "1234 8183 0001 0001 0001 0000 " QUESTION "c00c 0005 0001 0000003c 0002 ffff" SOA,
         DNS_OUTCOME_NXDOMAIN, NULL},
        {"an alias that exists", "1234 8180 0001 0001 0000 0000 " QUESTION TO_A_TEST,
         DNS_OUTCOME_ANSWER, NULL},
        {"compact denial", "1234 8180 0001 0000 0002 0000 " QUESTION SOA NSEC("c00c", NXNAME_MAP),
         DNS_OUTCOME_NXDOMAIN, NULL},
        {"compact denial behind an alias",
         "1234 8180 0001 0001 0002 0000 " QUESTION TO_A_TEST SOA NSEC(A_TEST, NXNAME_MAP),
         DNS_OUTCOME_NXDOMAIN, "\1a\4test"},
        {"of another name", "1234 8180 0001 0000 0002 0000 " QUESTION SOA NSEC(A_TEST, NXNAME_MAP),
         DNS_OUTCOME_NODATA, NULL},
        {"of the alias and not its target",
         "1234 8180 0001 0001 0002 0000 " QUESTION TO_A_TEST SOA NSEC("c00c", NXNAME_MAP),
         DNS_OUTCOME_NODATA, "\1a\4test"},
        {"NSEC of a name with other types",
         "1234 8180 0001 0000 0002 0000 " QUESTION SOA NSEC("c00c", A_MAP), DNS_OUTCOME_NODATA,
         NULL},
        {"NSEC in the answer", "1234 8180 0001 0001 0000 0000 " QUESTION NSEC("c00c", NXNAME_MAP),
         DNS_OUTCOME_ANSWER, NULL},
        {"compact denial with an answer all the same",
         "1234 8180 0001 0001 0001 0000 " QUESTION A NSEC("c00c", NXNAME_MAP), DNS_OUTCOME_ANSWER,
         NULL},
        {"compact denial of no question", "1234 8180 0000 0000 0001 0000 " NSEC("00", NXNAME_MAP),
         DNS_OUTCOME_NODATA, NULL},
        {"SERVFAIL with it", "1234 8182 0001 0000 0001 0000 " QUESTION NSEC("c00c", NXNAME_MAP),
         DNS_OUTCOME_SERVFAIL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t message[512];
        struct dns_message got;

        print_message("  %s\n", cases[i].what);
        read_exact(message, hex_read(cases[i].hex, message, sizeof message), &got);
        assert_int_equal(got.defect, DNS_DEFECT_NONE);
        assert_int_equal(got.outcome, cases[i].outcome);
        if (cases[i].target == NULL) {
            assert_int_equal(got.target_len, 0);
        } else {
            assert_int_equal(got.target_len, strlen(cases[i].target) + 1);
            assert_memory_equal(got.target, cases[i].target, got.target_len);
        }
    }
}

/* Which zone denies a name: the owner of the SOA record, if the name is in it. */
static void test_denying_zone(void **state)
{
    static const struct {
        const char *what, *hex;
        unsigned zone_len;
    } cases[] = {
        {"the name's own parent", "1234 8183 0001 0000 0001 0000 " QUESTION SOA_OF("c010"), 9},
        {"the root", "1234 8183 0001 0000 0001 0000 " QUESTION SOA_OF("00"), 1},
        {"written out, in upper case",
         "1234 8183 0001 0000 0001 0000 " QUESTION SOA_OF("07 4558414d504c45 00"), 9},
        {"the name itself", "1234 8183 0001 0000 0001 0000 " QUESTION SOA_OF("c00c"), 13},
        {"another zone", "1234 8183 0001 0000 0001 0000 " QUESTION SOA_OF(A_TEST), 0},
        {"an end of a label",
         "1234 8183 0001 0000 0001 0000 " QUESTION SOA_OF("06 78616d706c65 00"), 0},
        {"no record", "1234 8183 0001 0000 0000 0000 " QUESTION, 0},
        {"no name", "1234 8183 0001 0000 0001 0000 " QUESTION SOA_OF("ffff"), 0},
        {"in the answer", "1234 8183 0001 0001 0000 0000 " QUESTION SOA_OF("c010"), 0},
        {"no NXDOMAIN", "1234 8180 0001 0000 0001 0000 " QUESTION SOA_OF("c010"), 0},
        {"compact denial",
         "1234 8180 0001 0000 0002 0000 " QUESTION SOA_OF("c010") NSEC("c00c", NXNAME_MAP), 9},
        {"behind an alias, of the target",
         "1234 8183 0001 0001 0001 0000 " QUESTION TO_A_TEST SOA_OF("04 74657374 00"), 6},
        {"behind an alias, of the alias",
         "1234 8183 0001 0001 0001 0000 " QUESTION TO_A_TEST SOA_OF("c010"), 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t message[512];
        struct dns_message got;

        print_message("  %s\n", cases[i].what);
        read_exact(message, hex_read(cases[i].hex, message, sizeof message), &got);
        assert_int_equal(got.zone_len, cases[i].zone_len);
    }
}

/* --- Messages made to cost time --- */

#define LARGEST 65535

static size_t put(uint8_t *message, size_t at, const char *hex)
{
    return at + hex_read(hex, message + at, LARGEST - at);
}

/* CPU time: on a busy machine others take a part of the time that passes. */
static uint64_t cpu_ns(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t reading_ns(const uint8_t *message, size_t len)
{
    struct dns_message got;
    uint64_t began_ns = cpu_ns();

    read_exact(message, len, &got);
    assert_int_equal(got.outcome, DNS_OUTCOME_NXDOMAIN);
    return cpu_ns() - began_ns;
}

/* A question, and as many records as there is room for. */
static size_t make_aliases(uint8_t *message, const char *question, const char *alias)
{
    size_t at = put(message, 0, "1234 8183 0001 ffff 0000 0000 ");

    at = put(message, at, question);
    for (; at + 32 < LARGEST; at = put(message, at, alias)) {
    }
    return at;
}

/* CNAME records whose names are chains of 8,000 pointers. */
static size_t make_pointers(uint8_t *message)
{
    size_t at = put(message, 0, "1234 8183 0001 ffff 0000 0000 " QUESTION);
    size_t last = 16; /* the name "example", of which nobody asked */

    /* TXT of 16,000 bytes: pointers, each to the one before it */
    at = put(message, at, "c00c 0010 0001 00000000 3e80");
    for (unsigned i = 0; i < 8000; i++, at += 2) {
        message[at] = (uint8_t)(0xc0 | last >> 8);
        message[at + 1] = (uint8_t)last;
        last = at;
    }
    while (at + 32 < LARGEST) {
        message[at++] = (uint8_t)(0xc0 | last >> 8);
        message[at++] = (uint8_t)last;
        at = put(message, at, "0005 0001 00000000 0002");
        message[at++] = (uint8_t)(0xc0 | last >> 8);
        message[at++] = (uint8_t)last;
    }
    return at;
}

/* No message costs more than a few times what its length does. The yardstick, beside it: one as
 * long whose records are not looked into. */
static void test_cost_is_bounded(void **state)
{
    static uint8_t plain[LARGEST], circle[LARGEST], others[LARGEST], pointers[LARGEST];
    const size_t lens[] = {
        make_aliases(plain, QUESTION, "c00c 0001 0001 00000000 0002 c00c"),
        make_aliases(circle, QUESTION, "c00c 0005 0001 00000000 0002 c00c"),
        make_aliases(others, QUESTION, "c010 0005 0001 00000000 0002 c00c"),
        make_pointers(pointers),
    };
    const uint8_t *const messages[] = {plain, circle, others, pointers};
    uint64_t least[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 4; i++) {
            uint64_t ns = reading_ns(messages[i], lens[i]);
            least[i] = ns < least[i] ? ns : least[i];
        }
    }
    for (unsigned i = 1; i < 4; i++) {
        print_message("  message %u: %.1f times the plain one\n", i,
                      (double)least[i] / (double)least[0]);
        assert_true(least[i] < 20 * least[0]);
    }
}

/* The type bit maps of RFC 4034 section 4.1.2, and broken ones. */
static void test_nsec_types(void **state)
{
    static const struct {
        const char *hex;
        uint16_t type;
        bool has;
    } cases[] = {
        {"00 0006 400100000003", 1, true},
        {"00 0006 400100000003", 15, true},
        {"00 0006 400100000003", 46, true},
        {"00 0006 400100000003", 47, true},
        {"00 0006 400100000003", 2, false},
        {"00 0006 400100000003", 48, false},
        {"00 0006 400100000003", 128, false},
        {"00 0006 400100000003", 257, false},
        {"00 0006 400100000003 0101 40", 257, true},
        {"00 0101 40", 257, true},
        {"00 0101 40", 1, false},
        {"00", 1, false},
        {"", 1, false},
        {"00 00", 1, false},
        {"00 0006 4001", 1, false}, /* the map ends early */
        {"00 0006 400100000003 0120 40", 257, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[64];
        size_t len = hex_read(cases[i].hex, data, sizeof data);
        uint8_t *block = malloc(len + 1);

        assert_non_null(block);
        memcpy(block + 1, data, len); /* ends where the block does */
        assert_int_equal(dns_nsec_has_type((struct bytes){block + 1, len}, cases[i].type),
                         cases[i].has);
        free(block);
    }
}

/* Sections in their order, and the end of the records. */
static void test_record_reader(void **state)
{
    static const enum dns_section expected[] = {DNS_SECTION_ANSWER, DNS_SECTION_ANSWER,
                                                DNS_SECTION_ADDITIONAL};
    uint8_t bytes[512];
    const struct bytes message = {
        bytes, hex_read("1234 8180 0001 0002 0000 0001 " QUESTION TO_A_TEST A OPT("0000 ", ""),
                        bytes, sizeof bytes)};
    struct dns_message dns;
    struct dns_record_reader reader;
    struct dns_record record;
    uint8_t owner[DNS_NAME_MAX];

    (void)state;
    dns_message_read(message, &dns);
    assert_int_equal(dns.records_offset, 12 + 17);
    assert_int_equal(dns_record_answer_count(message), 2);
    dns_record_reader_init(&reader, message, dns.records_offset);
    for (size_t i = 0; i < 3; i++) {
        assert_true(dns_record_next(&reader, &record));
        assert_int_equal(record.section, expected[i]);
        if (i == 1) {
            assert_int_equal(record.type, 1);
            assert_int_equal(record.class, 1);
            assert_int_equal(record.ttl, 60);
            assert_int_equal(record.owner.len, 2);
            assert_int_equal(record.data.len, 4);
            assert_memory_equal(record.data.data, "\xc0\0\2\1", 4);
            assert_int_equal(dns_record_owner(&record, message, owner), 13);
            assert_memory_equal(owner, "\3www\7example", 13);
        }
    }
    assert_false(dns_record_next(&reader, &record));
    assert_false(dns_record_next(&reader, &record));
    assert_false(reader.cursor.failed);
    assert_ptr_equal(reader.cursor.at, message.data + message.len);
}

static void test_header_and_question(void **state)
{
    uint8_t message[512];
    struct dns_message got;

    (void)state;
    read_exact(message,
               hex_read("beef 87b5 0001 0000 0000 0000 0357 5777 0765 7841 6d70 6c65 00 "
                        "001c 0003",
                        message, sizeof message),
               &got);
    assert_int_equal(got.id, 0xbeef);
    assert_int_equal(got.flags, 0x87b5);
    assert_int_equal(got.flags & DNS_FLAG_AA, DNS_FLAG_AA);
    assert_int_equal(got.qclass, 3);
    assert_int_equal(got.qtype, 28);
    assert_int_equal(got.qname_len, 13);
    assert_memory_equal(got.qname, "\3www\7example", 13); /* with its NUL: the root */
}

/* Every beginning of a sound message is told from the whole, and never makes it past its end. */
static void test_truncated_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uint8_t message[512];
        size_t len = hex_read(samples[i].hex, message, sizeof message);

        for (size_t cut = 0; cut < len; cut++) {
            struct dns_message got;
            read_exact(message, cut, &got);
            assert_int_not_equal(got.defect, DNS_DEFECT_NONE);
            assert_int_equal(got.defect == DNS_DEFECT_SHORT, cut < DNS_HEADER_SIZE);
            assert_int_equal(got.has_header, cut >= DNS_HEADER_SIZE);
            assert_true(!got.has_question || cut >= DNS_HEADER_SIZE + got.qname_len + 4u);
            if (got.defect == DNS_DEFECT_TRUNCATED) {
                assert_int_equal(got.has_question, samples[i].expected.question);
            }
        }
    }
}

static void test_bytes_behind_the_message_do_not_matter(void **state)
{
    uint8_t message[512];
    struct dns_message got;

    (void)state;
    read_exact(
        message,
        hex_read("1234 8180 0001 0001 0000 0000 " QUESTION A "ffff ffff", message, sizeof message),
        &got);
    assert_int_equal(got.defect, DNS_DEFECT_NONE);
    assert_int_equal(got.outcome, DNS_OUTCOME_ANSWER);
}

static void test_missing(void **state)
{
    struct dns_message got;

    (void)state;
    memset(&got, 0xa5, sizeof got);
    dns_message_missing(&got);
    assert_int_equal(got.defect, DNS_DEFECT_MISSING);
    assert_int_equal(got.outcome, DNS_OUTCOME_OTHER);
    assert_false(got.has_header || got.has_question || got.question_promised);
    assert_int_equal(got.qname_len, 0);
    assert_int_equal(got.edns.options, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_names_that_do_not_exist),
        cmocka_unit_test(test_denying_zone),
        cmocka_unit_test(test_cost_is_bounded),
        cmocka_unit_test(test_nsec_types),
        cmocka_unit_test(test_record_reader),
        cmocka_unit_test(test_header_and_question),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_bytes_behind_the_message_do_not_matter),
        cmocka_unit_test(test_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
