/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "relay/frame_queue.h"

#define SIZE    8192
#define BATCHES 20000
#define THREADS 2

static struct frame_queue queue;
static _Atomic uint64_t dropped;

static void *push_all(void *context)
{
    const uint8_t *thread = context;
    uint8_t bytes[100];

    for (uint32_t i = 0; i < BATCHES; i++) {
        size_t len = 3 + i % 90;
        bytes[0] = *thread;
        bytes[1] = (uint8_t)(i >> 8);
        bytes[2] = (uint8_t)i;
        frame_queue_push(&queue, &(struct frame_batch){{bytes, len}, 1});
    }
    return NULL;
}

/* Each batch comes, in the order of its thread, or is counted. */
static void test_threads(void **state)
{
    static uint8_t numbers[THREADS] = {0, 1};
    int last[THREADS] = {-1, -1};
    pthread_t threads[THREADS];
    struct frame_batch batch;
    uint64_t taken = 0;

    (void)state;
    dropped = 0;
    assert_int_equal(frame_queue_init(&queue, SIZE, &dropped), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, push_all, &numbers[i]), 0);
    }
    while (taken + dropped < (uint64_t)THREADS * BATCHES) {
        if (!frame_queue_wait(&queue, clock_monotonic_ns() + NS_PER_SECOND, &batch)) {
            continue;
        }
        int number = batch.bytes.data[1] << 8 | batch.bytes.data[2];
        unsigned thread = batch.bytes.data[0];
        assert_int_equal(batch.bytes.len, 3 + number % 90);
        assert_true(thread < THREADS && number > last[thread]);
        last[thread] = number;
        taken++;
        frame_queue_pop(&queue);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(taken > 0);
    assert_false(frame_queue_wait(&queue, 0, &batch));
    frame_queue_deinit(&queue);
}

static void test_waiting(void **state)
{
    static const uint8_t byte = 7;
    const struct frame_batch one = {{&byte, 1}, 5};
    struct frame_batch batch;

    (void)state;
    dropped = 0;
    assert_int_equal(frame_queue_init(&queue, 64, &dropped), 0);
    uint64_t begun_ns = clock_monotonic_ns();
    assert_false(frame_queue_wait(&queue, begun_ns + 50 * NS_PER_MS, &batch));
    assert_true(clock_monotonic_ns() >= begun_ns + 50 * NS_PER_MS);
    frame_queue_wake(&queue);
    assert_false(frame_queue_wait(&queue, UINT64_MAX, &batch));
    while (dropped == 0) {
        frame_queue_push(&queue, &one);
    }
    assert_int_equal(dropped, 5);
    assert_true(frame_queue_wait(&queue, 0, &batch));
    assert_int_equal(batch.frames, 5);
    assert_int_equal(*batch.bytes.data, 7);
    frame_queue_deinit(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
