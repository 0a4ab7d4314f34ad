/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our decoder of dnstap frames against protobuf-c: on every frame of the captures and on mutated
 * ones both accept or both reject, and every field of what they accept is the same.
 *
 * Known differences, and why they do not matter:
 * - protobuf-c refuses a message that lacks a required field; ours leaves that to its caller, so it
 * is asked for here, as src/decode/event.c does.
 * - Of a sub-message that occurs twice protobuf-c wants each to be whole, and keeps a non-empty
 * bytes field of the first where the second has it empty; ours looks at the merged message, and the
 * last field counts, as the protobuf documentation has it. The mutations here, whose seed is fixed,
 * make no such frame; it has its cases in tests/unit/test_dnstap.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "decode/dnstap.h"
#include "dnstap.pb-c.h"
#include "support/capture.h"
#include "support/guard.h"
#include "support/random.h"

#define MUTATIONS_PER_FRAME 40

static struct capture capture;
static struct guard guard;

static void same_bytes(struct bytes ours, uint32_t present, unsigned field, protobuf_c_boolean has,
                       ProtobufCBinaryData theirs)
{
    assert_int_equal(dnstap_has(present, field), has);
    if (has) {
        assert_true(bytes_equal(ours, (struct bytes){theirs.data, theirs.len}));
    }
}

static void same_number(uint64_t ours, uint32_t present, unsigned field, protobuf_c_boolean has,
                        uint64_t theirs)
{
    assert_int_equal(dnstap_has(present, field), has);
    if (has) {
        assert_true(ours == theirs);
    }
}

#define NUMBER(ours, theirs, field, member)                                                        \
    same_number((ours)->member, (ours)->present, field, (theirs)->has_##member,                    \
                (uint64_t)(uint32_t)(theirs)->member)
#define NUMBER64(ours, theirs, field, member)                                                      \
    same_number((ours)->member, (ours)->present, field, (theirs)->has_##member, (theirs)->member)
#define BYTES(ours, theirs, field, member)                                                         \
    same_bytes((ours)->member, (ours)->present, field, (theirs)->has_##member, (theirs)->member)

static void same_policy(const struct dnstap_policy *ours, const Dnstap__Policy *theirs)
{
    assert_int_equal(dnstap_has(ours->present, DNSTAP_POLICY_TYPE), theirs->type != NULL);
    BYTES(ours, theirs, DNSTAP_POLICY_RULE, rule);
    NUMBER(ours, theirs, DNSTAP_POLICY_ACTION, action);
    NUMBER(ours, theirs, DNSTAP_POLICY_MATCH, match);
    assert_int_equal(dnstap_has(ours->present, DNSTAP_POLICY_VALUE), theirs->has_value);
}

static void same_message(const struct dnstap_message *ours, const Dnstap__Message *theirs)
{
    assert_int_equal(ours->type, (uint32_t)theirs->type);
    NUMBER(ours, theirs, DNSTAP_SOCKET_FAMILY, socket_family);
    NUMBER(ours, theirs, DNSTAP_SOCKET_PROTOCOL, socket_protocol);
    BYTES(ours, theirs, DNSTAP_QUERY_ADDRESS, query_address);
    BYTES(ours, theirs, DNSTAP_RESPONSE_ADDRESS, response_address);
    NUMBER(ours, theirs, DNSTAP_QUERY_PORT, query_port);
    assert_int_equal(dnstap_has(ours->present, DNSTAP_RESPONSE_PORT), theirs->has_response_port);
    NUMBER64(ours, theirs, DNSTAP_QUERY_TIME_SEC, query_time_sec);
    NUMBER(ours, theirs, DNSTAP_QUERY_TIME_NSEC, query_time_nsec);
    BYTES(ours, theirs, DNSTAP_QUERY_MESSAGE, query_message);
    assert_int_equal(dnstap_has(ours->present, DNSTAP_QUERY_ZONE), theirs->has_query_zone);
    NUMBER64(ours, theirs, DNSTAP_RESPONSE_TIME_SEC, response_time_sec);
    NUMBER(ours, theirs, DNSTAP_RESPONSE_TIME_NSEC, response_time_nsec);
    BYTES(ours, theirs, DNSTAP_RESPONSE_MESSAGE, response_message);
    NUMBER(ours, theirs, DNSTAP_HTTP_PROTOCOL, http_protocol);
    assert_int_equal(dnstap_has(ours->present, DNSTAP_POLICY), theirs->policy != NULL);
    if (theirs->policy != NULL) {
        same_policy(&ours->policy, theirs->policy);
    }
}

static void same_frame(const struct dnstap *ours, const Dnstap__Dnstap *theirs)
{
    BYTES(ours, theirs, DNSTAP_IDENTITY, identity);
    BYTES(ours, theirs, DNSTAP_VERSION, version);
    assert_int_equal(dnstap_has(ours->present, DNSTAP_EXTRA), theirs->has_extra);
    assert_int_equal(ours->type, (uint32_t)theirs->type);
    assert_int_equal(dnstap_has(ours->present, DNSTAP_MESSAGE), theirs->message != NULL);
    if (theirs->message != NULL) {
        same_message(&ours->message, theirs->message);
    }
}

static bool required_fields_there(const struct dnstap *frame)
{
    return dnstap_has(frame->present, DNSTAP_TYPE) &&
           (!dnstap_has(frame->present, DNSTAP_MESSAGE) ||
            dnstap_has(frame->message.present, DNSTAP_MESSAGE_TYPE));
}

/* Returns whether both accepted it. */
static bool compare(struct bytes frame)
{
    struct dnstap ours;
    struct bytes input = guard_place(&guard, frame);
    bool accepted = dnstap_decode(input, &ours) && required_fields_there(&ours);
    Dnstap__Dnstap *theirs = dnstap__dnstap__unpack(NULL, input.len, input.data);

    assert_int_equal(accepted, theirs != NULL);
    if (accepted) {
        same_frame(&ours, theirs);
        dnstap__dnstap__free_unpacked(theirs, NULL);
    }
    return accepted;
}

static void test_captured_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < capture.count; i++) {
        assert_true(compare(capture.frames[i]));
    }
}

static void test_mutated_frames(void **state)
{
    uint64_t seed = 20261122;
    size_t accepted = 0;
    size_t rejected = 0;

    (void)state;
    for (size_t i = 0; i < capture.count; i++) {
        struct bytes frame = capture.frames[i];
        uint8_t *copy = malloc(frame.len);

        assert_non_null(copy);
        for (unsigned n = 0; n < MUTATIONS_PER_FRAME; n++) {
            memcpy(copy, frame.data, frame.len);
            size_t len = random_mutate(&seed, copy, frame.len);
            if (compare((struct bytes){copy, len})) {
                accepted++;
            } else {
                rejected++;
            }
        }
        free(copy);
    }
    print_message("%zu mutated frames accepted by both, %zu rejected by both\n", accepted,
                  rejected);
    assert_true(accepted > 1000 && rejected > 1000); /* else the mutations are no test */
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured_frames),
        cmocka_unit_test(test_mutated_frames),
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
