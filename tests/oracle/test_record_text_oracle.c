/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our presentation of records against ldns' on every record of the captures, on mutations of their
 * messages, and on random data of every type. Ldns' names are printed by our dns_name_print(),
 * which has an oracle of its own in test_dns_name.c.
 *
 * Known differences:
 * - ldns does not quote the values of SVCB parameters;
 * - a tab stays a tab in its strings, and is \009 in ours (RFC 1035 section 5.1);
 * - it does not know all types (count/dns_mnemonic.h), neither as data nor in a list of types;
 * - dates of RRSIG are nearest to today with it (RFC 4034 section 3.1.5), and from 1970 to 2106
 *   with us: they differ from 68 years ahead on;
 * - data that is empty is `\# 0` to us, and nothing in one of its fields;
 * - types of unprinted_types are unknown data to us;
 * - the hash of NSEC3 is padded with it if it has not 20 bytes (RFC 5155 section 3.3: unpadded);
 * - it follows compression pointers forwards, and reads bit maps and SVCB parameters that are out
 *   of order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <time.h>

#include "count/dns_mnemonic.h"
#include "decode/dns_message.h"
#include "decode/dnstap.h"
#include "present/record_text.h"
#include "support/capture.h"
#include "support/random.h"

#define MUTATIONS 20  /* of each message */
#define ROUNDS    300 /* of random data, for each type */
#define LAST_TYPE 300

/* Which ldns prints, and we leave unknown. */
static const uint16_t unprinted_types[] = {
    LDNS_RR_TYPE_WKS, LDNS_RR_TYPE_NSAP_PTR, LDNS_RR_TYPE_SINK, LDNS_RR_TYPE_NXT,
    LDNS_RR_TYPE_EID, LDNS_RR_TYPE_NIMLOC,   LDNS_RR_TYPE_ATMA, LDNS_RR_TYPE_IPSECKEY,
    LDNS_RR_TYPE_HIP, LDNS_RR_TYPE_TKEY,     LDNS_RR_TYPE_TSIG, LDNS_RR_TYPE_DLV,
};

static struct capture capture;

struct totals {
    size_t alike;
    size_t malformed; /* to both */
    size_t refused_by_ldns;
    size_t refused_by_us;
    size_t different;
    size_t unprinted; /* data that ldns prints and we leave unknown, or the other way round */
};

static void append_their_name(const ldns_rdf *name, struct text *out)
{
    uint8_t wire[DNS_NAME_MAX];
    char printed[DNS_NAME_TEXT_SIZE];
    size_t len = ldns_rdf_size(name);

    for (size_t i = 0; i < len; i++) {
        wire[i] = dns_name_lower(ldns_rdf_data(name)[i]);
    }
    dns_name_print((struct bytes){wire, len}, printed);
    text_append_string(out, printed);
}

static void trim(struct text *text)
{
    while (text->len > 0 && text->data[text->len - 1] == ' ') {
        text_cut(text, text->len - 1);
    }
}

/* Returns whether ldns prints it. */
static bool append_their_field(const ldns_rdf *field, struct text *out)
{
    ldns_buffer *buffer = ldns_buffer_new(512);
    bool printed = true;

    if (ldns_rdf_get_type(field) == LDNS_RDF_TYPE_DNAME) {
        append_their_name(field, out);
    } else {
        printed = ldns_rdf2buffer_str(buffer, field) == LDNS_STATUS_OK;
        text_append_bytes(out,
                          (struct bytes){ldns_buffer_begin(buffer), ldns_buffer_position(buffer)});
    }
    ldns_buffer_free(buffer);
    return printed;
}

/* Returns whether ldns finds the record sound. */
static bool append_theirs(const struct dns_record *record, struct bytes message, struct text *out)
{
    size_t at = (size_t)(record->owner.data - message.data);
    ldns_rr *rr = NULL;

    if (ldns_wire2rr(&rr, message.data, message.len, &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) {
        return false;
    }
    bool whole = message.data + at == record->data.data + record->data.len &&
                 ldns_rr_rd_count(rr) >= ldns_rr_descriptor_minimum(ldns_rr_descript(record->type));
    for (size_t i = 0; whole && i < ldns_rr_rd_count(rr); i++) {
        text_append_string(out, i > 0 ? " " : "");
        whole = append_their_field(ldns_rr_rdf(rr, i), out);
    }
    trim(out);
    ldns_rr_free(rr);
    return whole;
}

static bool is_unprinted(uint16_t type)
{
    for (size_t i = 0; i < sizeof unprinted_types / sizeof unprinted_types[0]; i++) {
        if (unprinted_types[i] == type) {
            return true;
        }
    }
    return false;
}

/* Whether ldns does not know the type. */
static bool is_nameless(uint16_t type)
{
    const char *name = ldns_rr_descript(type)->_name;

    return name == NULL || strncmp(name, "TYPE", 4) == 0;
}

/* Whether a type is `our` name of a number, and `their` ldns' name of the same number. */
static bool same_type(const char *our, const char *their)
{
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        char label[DNS_MNEMONIC_SIZE];
        if (dns_mnemonic_qtype((uint16_t)type, label) && strcmp(label, our) == 0) {
            char number[sizeof "TYPE65535"];
            char *name = ldns_rr_type2str((ldns_rr_type)type);
            (void)sprintf(number, "TYPE%u", type);
            bool same = strcmp(name, their) == 0 || strcmp(number, their) == 0;
            free(name);
            return same;
        }
    }
    return false;
}

/* Whether a date of RRSIG is one that ldns takes for an earlier one. */
static bool has_late_date(const struct dns_record *record)
{
    static const size_t offsets[] = {8, 12};
    bool late = false;

    for (size_t i = 0; i < 2 && offsets[i] + 4 <= record->data.len; i++) {
        const uint8_t *at = record->data.data + offsets[i];
        uint32_t seconds = (uint32_t)bytes_be16_at(at) << 16 | bytes_be16_at(at + 2);
        late = late || seconds > time(NULL) + INT32_MAX - 1;
    }
    return late && (record->type == LDNS_RR_TYPE_RRSIG || record->type == LDNS_RR_TYPE_SIG);
}

/* Word by word, where the words are types. */
static bool same_words(char *ours, char *theirs)
{
    char *our_rest;
    char *their_rest;
    char *our = strtok_r(ours, " ", &our_rest);
    char *their = strtok_r(theirs, " ", &their_rest);

    while (our != NULL && their != NULL && (strcmp(our, their) == 0 || same_type(our, their))) {
        our = strtok_r(NULL, " ", &our_rest);
        their = strtok_r(NULL, " ", &their_rest);
    }
    return our == NULL && their == NULL;
}

/* Whether the character is one that only one of us writes, and that means nothing. */
static bool is_left_out(uint16_t type, char c, char before)
{
    switch (type) {
    case LDNS_RR_TYPE_SVCB:
    case LDNS_RR_TYPE_HTTPS:
        return c == '"' && before != '\\';
    case LDNS_RR_TYPE_NSEC3:
        return c == '=';
    default:
        return false;
    }
}

/* Replace what is known to differ. */
static void normalise(uint16_t type, struct text *text)
{
    struct text out = {0};

    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] == '\t') {
            text_append_string(&out, "\\009");
        } else if (!is_left_out(type, text->data[i], i > 0 ? text->data[i - 1] : ' ')) {
            text_append_char(&out, text->data[i]);
        }
    }
    text_deinit(text);
    *text = out;
}

static bool same_text(const struct dns_record *record, struct text *ours, struct text *theirs)
{
    normalise(record->type, ours);
    normalise(record->type, theirs);
    switch (record->type) {
    case LDNS_RR_TYPE_SIG:
    case LDNS_RR_TYPE_RRSIG:
    case LDNS_RR_TYPE_NSEC:
    case LDNS_RR_TYPE_NSEC3:
    case LDNS_RR_TYPE_CSYNC:
        return has_late_date(record) || same_words(ours->data, theirs->data);
    default:
        return strcmp(ours->data, theirs->data) == 0;
    }
}

static bool is_unknown(const struct text *text)
{
    return strncmp(text_string(text), "\\# ", 3) == 0;
}

static void compare_texts(const struct dns_record *record, struct text *ours, struct text *theirs,
                          struct totals *totals)
{
    bool we_print = !is_unknown(ours);

    if (theirs->len == 0) {
        assert_string_equal(ours->data, "\\# 0");
    } else if (we_print == is_unknown(theirs)) {
        bool is_known = we_print ? is_nameless(record->type) : is_unprinted(record->type);
        *(is_known ? &totals->unprinted : &totals->different) += 1;
        if (!is_known) {
            print_message("TYPE%u: %s, not %s\n", record->type, ours->data, text_string(theirs));
        }
    } else if (!same_text(record, ours, theirs)) {
        totals->different++;
        print_message("TYPE%u, not alike: %s\n", record->type, theirs->data);
    } else {
        totals->alike++;
    }
}

static void compare_record(const struct dns_record *record, struct bytes message,
                           struct totals *totals)
{
    uint8_t owner[DNS_NAME_MAX];
    struct text ours = {0};
    struct text theirs = {0};

    /* Which is no record of a zone, or which ldns does not read. */
    if (record->type == DNS_TYPE_OPT || dns_record_owner(record, message, owner) == 0) {
        return;
    }
    bool sound = record_text_data(record, message, &ours) == RECORD_TEXT_SOUND;
    bool sound_to_them = append_theirs(record, message, &theirs);
    assert_true(!ours.failed && ours.len > 0 && ours.len <= RECORD_TEXT_MAX);
    if (sound && sound_to_them) {
        compare_texts(record, &ours, &theirs, totals);
    } else if (sound) {
        *(is_unknown(&ours) ? &totals->unprinted : &totals->refused_by_ldns) += 1;
    } else if (sound_to_them) {
        *(is_unknown(&theirs) ? &totals->unprinted : &totals->refused_by_us) += 1;
    } else {
        totals->malformed++;
    }
    text_deinit(&ours);
    text_deinit(&theirs);
}

static void compare(struct bytes message, struct totals *totals)
{
    struct dns_record_reader reader;
    struct dns_record record;
    struct dns_message dns;

    dns_message_read(message, &dns);
    if (dns.records_offset == 0) {
        return;
    }
    dns_record_reader_init(&reader, message, dns.records_offset);
    while (dns_record_next(&reader, &record)) {
        compare_record(&record, message, totals);
    }
}

static void compare_with_mutations(struct bytes message, struct totals *sound,
                                   struct totals *mutated)
{
    static uint64_t random = 2027;

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
    print_message(
        "%s: %zu records alike, %zu not, %zu unknown to one, %zu malformed to both, %zu to ldns "
        "only, %zu to us only\n",
        what, totals->alike, totals->different, totals->unprinted, totals->malformed,
        totals->refused_by_ldns, totals->refused_by_us);
}

static void test_captures(void **state)
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
    assert_int_equal(sound.different + mutated.different, 0);
    assert_true(sound.alike > 15000 && mutated.alike > 200000);
    assert_int_equal(sound.malformed + sound.refused_by_ldns + sound.refused_by_us, 0);
    assert_true(mutated.malformed > 1000);
    assert_true(mutated.refused_by_us + mutated.refused_by_ldns < mutated.alike / 200);
}

/* Data of a type: most of its bytes are small, as lengths and numbers of windows are. */
static void compare_random(uint16_t type, uint64_t *random, struct totals *totals)
{
    uint8_t header[] = {0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    size_t len = random_below(random, 48);
    uint8_t *message = malloc(sizeof header + len);

    assert_non_null(message);
    header[13] = (uint8_t)(type >> 8);
    header[14] = (uint8_t)type;
    header[22] = (uint8_t)len;
    memcpy(message, header, sizeof header);
    for (size_t i = 0; i < len; i++) {
        uint64_t number = random_next(random);
        message[sizeof header + i] = (uint8_t)(number >> 8 & (number % 4 == 0   ? 0xff
                                                              : number % 4 == 1 ? 7
                                                                                : 1));
    }
    compare((struct bytes){message, sizeof header + len}, totals);
    free(message);
}

static void test_random_data(void **state)
{
    struct totals totals = {0};
    uint64_t random = 2028;

    (void)state;
    for (unsigned type = 0; type <= LAST_TYPE; type++) {
        for (unsigned i = 0; i < ROUNDS; i++) {
            compare_random((uint16_t)type, &random, &totals);
        }
    }
    print_totals("random", &totals);
    assert_int_equal(totals.different, 0);
    assert_true(totals.alike > 50000 && totals.malformed > 10000);
    assert_true(totals.refused_by_us + totals.refused_by_ldns < totals.alike / 100);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_captures),
                                       cmocka_unit_test(test_random_data)};

    if (argc != 2) {
        return EXIT_FAILURE;
    }
    capture = capture_load_folder(argv[1]);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    capture_free(&capture);
    return failures;
}
