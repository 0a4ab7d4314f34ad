/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every captured frame, and every DNS message in it, truncated at every length, right before a page
 * that nobody may touch: a read of one byte too many ends the test.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "decode/dnstap.h"
#include "decode/event.h"
#include "support/capture.h"
#include "support/guard.h"

static struct capture capture;
static struct guard guard;

static void test_frames(void **state)
{
    struct event seen;

    (void)state;
    for (size_t i = 0; i < capture.count; i++) {
        struct bytes frame = capture.frames[i];

        assert_int_equal(event_read(guard_place(&guard, frame), &seen), DECODE_OK);
        for (size_t len = 0; len < frame.len; len++) {
            struct bytes cut = guard_place(&guard, (struct bytes){frame.data, len});
            assert_true(event_read(cut, &seen) <= DECODE_MESSAGE_TYPE);
        }
    }
}

/* Everything that a reader of records gives out lies within the message. */
static void touch_records(struct bytes message, size_t records_offset)
{
    struct dns_record_reader reader;
    struct dns_record record;
    uint8_t owner[DNS_NAME_MAX];
    volatile uint8_t touched;

    dns_record_reader_init(&reader, message, records_offset);
    while (dns_record_next(&reader, &record)) {
        (void)dns_record_owner(&record, message, owner);
        (void)dns_nsec_has_type(record.data, DNS_TYPE_NXNAME);
        for (size_t i = 0; i < record.data.len; i++) {
            touched = record.data.data[i];
        }
    }
    (void)touched;
}

/* A message cut short is never sound, whatever its counts promise, unless they promise less. */
static void check_cuts(struct bytes message)
{
    struct dns_message whole;
    struct dns_message cut;

    dns_message_read(guard_place(&guard, message), &whole);
    for (size_t len = 0; len < message.len; len++) {
        struct bytes placed = guard_place(&guard, (struct bytes){message.data, len});
        dns_message_read(placed, &cut);
        if (cut.records_offset > 0) {
            touch_records(placed, cut.records_offset);
        }
        if (len < DNS_HEADER_SIZE) {
            assert_int_equal(cut.defect, DNS_DEFECT_SHORT);
        } else {
            assert_int_equal(cut.id, whole.id);
            assert_int_equal(cut.opcode, whole.opcode);
        }
        if (cut.has_question) {
            assert_int_equal(cut.qtype, whole.qtype);
            assert_memory_equal(cut.qname, whole.qname, cut.qname_len);
        }
    }
}

static void test_messages(void **state)
{
    struct dnstap frame;

    (void)state;
    for (size_t i = 0; i < capture.count; i++) {
        assert_true(dnstap_decode(capture.frames[i], &frame));
        check_cuts(frame.message.query_message);
        check_cuts(frame.message.response_message);
    }
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_messages),
    };

    if (argc != 2) {
        return EXIT_FAILURE;
    }
    capture = capture_load_folder(argv[1]);
    guard = guard_create(1024 * 1024);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    guard_free(&guard);
    capture_free(&capture);
    return failures;
}
