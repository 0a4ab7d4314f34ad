/* SPDX-License-Identifier: Apache-2.0 */
/* Presentation of a record's data, from the message on: ours and ldns' in turn. Both read the
 * record in the message and append the text of its data to a buffer that is there already; ldns
 * makes a structure of the record between, as it always does. The fastest round of each counts. */
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "present/record_text.h"
#include "support/hex.h"

#define RECORDS 200000 /* a round */
#define ROUNDS  9

/* The question is for www.example.com, at offset 12; the record's owner points to it. */
#define BEFORE         "1234 8180 0001 0001 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001 c00c "
#define RECORDS_OFFSET 33

#define EIGHT(text)    text text text text text text text text

struct sample {
    const char *type, *hex; /* from the type on */
};

static const struct sample samples[] = {
    {"A", "0001 0001 0000003c 0004 c0000201"},
    {"AAAA", "001c 0001 0000003c 0010 20010db800010000000000000000abcd"},
    {"CNAME", "0005 0001 0000003c 0016 03777777 0765 7861 6d70 6c65 046564676503 6e6574 00"},
    {"MX", "000f 0001 0000003c 0009 000a 046d61696c c010"},
    {"TXT", "0010 0001 0000003c 0025 "
            "24 763d73706631 20 696e636c7564653a5f7370662e6578616d706c652e636f6d 20 2d616c6c"},
    {"HTTPS", "0041 0001 0000003c 0029 0001 00 0001 0006 026832026833 0004 0004 c0000250 "
              "0006 0010 20010db8000100000000000000000050"},
    {"RRSIG", "002e 0001 0000003c 005f 0001 0d 03 0000012c 6675ff80 665df280 4a3b 076578616d706c65 "
              "03636f6d 00 " EIGHT("0123456789abcdef")},
    {"NSEC", "002f 0001 0000003c 000e 026e73 c010 00 07 62018008000380"},
};

static void present_ours(struct bytes message, struct text *out)
{
    struct dns_record_reader reader;
    struct dns_record record;

    dns_record_reader_init(&reader, message, RECORDS_OFFSET);
    if (!dns_record_next(&reader, &record) ||
        record_text_data(&record, message, out) != RECORD_TEXT_SOUND) {
        abort();
    }
}

static void present_theirs(struct bytes message, ldns_buffer *out)
{
    size_t at = RECORDS_OFFSET;
    ldns_rr *rr = NULL;

    if (ldns_wire2rr(&rr, message.data, message.len, &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) {
        abort();
    }
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        if ((i > 0 && ldns_buffer_printf(out, " ") < 0) ||
            ldns_rdf2buffer_str(out, ldns_rr_rdf(rr, i)) != LDNS_STATUS_OK) {
            abort();
        }
    }
    ldns_rr_free(rr);
}

static double round_of_ours(struct bytes message, struct text *out)
{
    uint64_t begin_ns = clock_monotonic_ns();

    for (unsigned i = 0; i < RECORDS; i++) {
        text_clear(out);
        present_ours(message, out);
    }
    return (double)(clock_monotonic_ns() - begin_ns) / RECORDS;
}

static double round_of_theirs(struct bytes message, ldns_buffer *out)
{
    uint64_t begin_ns = clock_monotonic_ns();

    for (unsigned i = 0; i < RECORDS; i++) {
        ldns_buffer_clear(out);
        present_theirs(message, out);
    }
    return (double)(clock_monotonic_ns() - begin_ns) / RECORDS;
}

static void run(const struct sample *sample)
{
    uint8_t message[512];
    size_t len = hex_read(BEFORE, message, sizeof message);
    double ours_ns = 0;
    double theirs_ns = 0;
    struct text out = {0};
    ldns_buffer *their_out = ldns_buffer_new(512);

    len += hex_read(sample->hex, message + len, sizeof message - len);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double our_round = round_of_ours((struct bytes){message, len}, &out);
        double their_round = round_of_theirs((struct bytes){message, len}, their_out);
        ours_ns = i == 0 || our_round < ours_ns ? our_round : ours_ns;
        theirs_ns = i == 0 || their_round < theirs_ns ? their_round : theirs_ns;
    }
    (void)printf("| %-6s | %4.0f | %5.0f | %4.0f | %s |\n", sample->type, ours_ns, theirs_ns,
                 theirs_ns / ours_ns, text_string(&out));
    ldns_buffer_free(their_out);
    text_deinit(&out);
}

int main(void)
{
    (void)printf("| record | ns   | ldns  | ratio | text |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        run(&samples[i]);
    }
    return EXIT_SUCCESS;
}
