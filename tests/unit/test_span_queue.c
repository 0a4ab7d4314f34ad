/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "relay/span_queue.h"

#define SIZE 4096

/* What is in a span follows from its number. */
static struct span make(uint32_t number, uint8_t *bytes)
{
    size_t len = 1 + number * 37 % 300;

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(number + i);
    }
    return (struct span){{bytes, len}, number};
}

static void check(const struct span *span, uint32_t number)
{
    uint8_t bytes[512];
    struct span expected = make(number, bytes);

    assert_int_equal(span->frames, number);
    assert_int_equal(span->bytes.len, expected.bytes.len);
    assert_memory_equal(span->bytes.data, bytes, expected.bytes.len);
}

static void test_order(void **state)
{
    struct span_queue queue;
    struct span span;
    uint8_t bytes[512];
    uint32_t pushed = 1;
    uint32_t popped = 1;
    uint32_t refused = 0;

    (void)state;
    assert_int_equal(span_queue_init(&queue, SIZE), 0);
    assert_false(span_queue_front(&queue, &span));
    srand(7);
    for (unsigned i = 0; i < 100000; i++) {
        if (rand() % 100 < 50 + 30 * (int)(i / 1000 % 2)) {
            span = make(pushed, bytes);
            bool taken = span_queue_push(&queue, &span);
            pushed += taken;
            refused += !taken;
        } else if (span_queue_front(&queue, &span)) {
            check(&span, popped++);
            span_queue_pop(&queue);
        } else {
            assert_int_equal(pushed, popped);
        }
    }
    assert_true(pushed > 20000 && refused > 1000);
    while (span_queue_front(&queue, &span)) {
        check(&span, popped++);
        span_queue_pop(&queue);
    }
    assert_int_equal(pushed, popped);
    span_queue_deinit(&queue);
}

/* The front stays in its place while others come. */
static void test_front_stays(void **state)
{
    struct span_queue queue;
    struct span front;
    uint8_t bytes[512];
    struct span span = make(1, bytes);

    (void)state;
    assert_int_equal(span_queue_init(&queue, SIZE), 0);
    assert_true(span_queue_push(&queue, &span));
    assert_true(span_queue_front(&queue, &front));
    for (uint32_t number = 2; number < 100; number++) {
        span = make(number, bytes);
        (void)span_queue_push(&queue, &span);
        check(&front, 1);
    }
    span_queue_deinit(&queue);
}

/* Most of the memory can be used, and nothing that is larger than all of it is taken. */
static void test_capacity(void **state)
{
    struct span_queue queue;
    static uint8_t bytes[SIZE];
    struct span span = {{bytes, SIZE - 24}, 1};

    (void)state;
    assert_int_equal(span_queue_init(&queue, SIZE), 0);
    assert_true(span_queue_push(&queue, &span));
    assert_false(span_queue_push(&queue, &(struct span){{bytes, 1}, 1}));
    span_queue_pop(&queue);
    span.bytes.len = SIZE;
    assert_false(span_queue_push(&queue, &span));
    assert_false(span_queue_front(&queue, &span));
    span_queue_deinit(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_front_stays),
        cmocka_unit_test(test_capacity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
