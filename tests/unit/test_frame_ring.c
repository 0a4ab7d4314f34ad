/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "relay/frame_ring.h"

#define SIZE 4096

/* What is in a batch follows from its number. */
static struct frame_batch make(uint32_t number, uint8_t *bytes)
{
    size_t len = 1 + number * 37 % 300;

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(number + i);
    }
    return (struct frame_batch){{bytes, len}, number};
}

static void check(const struct frame_batch *batch, uint32_t number)
{
    uint8_t bytes[512];
    struct frame_batch expected = make(number, bytes);

    assert_int_equal(batch->frames, number);
    assert_int_equal(batch->bytes.len, expected.bytes.len);
    assert_memory_equal(batch->bytes.data, bytes, expected.bytes.len);
}

static void test_order(void **state)
{
    struct frame_ring queue;
    struct frame_batch batch;
    uint8_t bytes[512];
    uint32_t pushed = 1;
    uint32_t popped = 1;
    uint32_t refused = 0;

    (void)state;
    assert_int_equal(frame_ring_init(&queue, SIZE), 0);
    assert_false(frame_ring_front(&queue, &batch));
    srand(7);
    for (unsigned i = 0; i < 100000; i++) {
        if (rand() % 100 < 50 + 30 * (int)(i / 1000 % 2)) {
            batch = make(pushed, bytes);
            bool taken = frame_ring_push(&queue, &batch);
            pushed += taken;
            refused += !taken;
        } else if (frame_ring_front(&queue, &batch)) {
            check(&batch, popped++);
            frame_ring_pop(&queue);
        } else {
            assert_int_equal(pushed, popped);
        }
    }
    assert_true(pushed > 20000 && refused > 1000);
    while (frame_ring_front(&queue, &batch)) {
        check(&batch, popped++);
        frame_ring_pop(&queue);
    }
    assert_int_equal(pushed, popped);
    frame_ring_deinit(&queue);
}

/* The front stays in its place while others come. */
static void test_front_stays(void **state)
{
    struct frame_ring queue;
    struct frame_batch front;
    uint8_t bytes[512];
    struct frame_batch batch = make(1, bytes);

    (void)state;
    assert_int_equal(frame_ring_init(&queue, SIZE), 0);
    assert_true(frame_ring_push(&queue, &batch));
    assert_true(frame_ring_front(&queue, &front));
    for (uint32_t number = 2; number < 100; number++) {
        batch = make(number, bytes);
        (void)frame_ring_push(&queue, &batch);
        check(&front, 1);
    }
    frame_ring_deinit(&queue);
}

/* Most of the memory can be used, and nothing that is larger than all of it is taken. */
static void test_capacity(void **state)
{
    struct frame_ring queue;
    static uint8_t bytes[SIZE];
    struct frame_batch batch = {{bytes, SIZE - 24}, 1};

    (void)state;
    assert_int_equal(frame_ring_init(&queue, SIZE), 0);
    assert_true(frame_ring_push(&queue, &batch));
    assert_false(frame_ring_push(&queue, &(struct frame_batch){{bytes, 1}, 1}));
    frame_ring_pop(&queue);
    batch.bytes.len = SIZE;
    assert_false(frame_ring_push(&queue, &batch));
    assert_false(frame_ring_front(&queue, &batch));
    frame_ring_deinit(&queue);
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
