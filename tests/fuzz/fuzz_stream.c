/* SPDX-License-Identifier: Apache-2.0 */
/* A whole Frame Streams stream, into a shard: every frame is counted as a query, a response or
 * rejected. */
#include <stdlib.h>

#include "decode/frame_stream.h"
#include "fuzz/fuzz.h"
#include "metrics/shard.h"

static const struct metrics_limits limits = {
    .servers = 4,
    .qtypes = 4,
    .pairing_capacity = 64,
    .pairing_timeout_ns = 1000000000,
};

static uint64_t count_messages(const struct tally *tally)
{
    uint64_t count = 0;

    for (size_t i = 0; i < (size_t)tally->server_count * ROLE_COUNT; i++) {
        for (size_t k = 0; k < sizeof tally->cells[i].messages / sizeof(uint64_t); k++) {
            count += (&tally->cells[i].messages[0][0][0])[k];
        }
    }
    return count;
}

static void check_conservation(struct shard *shard)
{
    struct shard_sum sum = {0};

    if (tally_init(&sum.tally, limits.servers + 1, 1) < 0) {
        abort();
    }
    shard_add_to(shard, &sum);
    uint64_t counted = count_messages(&sum.tally);
    for (unsigned i = 0; i < REJECTION_COUNT; i++) {
        counted += sum.tally.inputs[0].rejected[i];
    }
    if (counted != sum.tally.inputs[0].frames) {
        abort();
    }
    tally_deinit(&sum.tally);
}

static void feed(struct shard *shard, struct bytes input)
{
    struct source source = {.input = 0, .input_name = "fuzz"};
    struct frame_stream stream;
    struct bytes payload;

    frame_stream_init(&stream, 4096);
    for (;;) {
        switch (frame_stream_next(&stream, &input, &payload)) {
        case FRAME_STREAM_DATA:
            (void)shard_record(shard, &source, payload);
            break;
        case FRAME_STREAM_OVERSIZE:
            shard_record_oversize(shard, &source);
            break;
        case FRAME_STREAM_CONTROL:
            break;
        case FRAME_STREAM_NEED_MORE:
        case FRAME_STREAM_BAD_CONTROL:
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vocabulary vocabulary; /* made once: a stream is short, they are not */
    static struct shard *shard;

    if (shard == NULL && (vocabulary_init(&vocabulary, &limits) < 0 ||
                          shard_create(&shard, &vocabulary, &limits, 1, SHARD_TIME_FRAMES) < 0)) {
        abort();
    }
    shard_begin(shard);
    feed(shard, (struct bytes){data, size});
    shard_settle(shard);
    shard_end(shard);
    check_conservation(shard);
    return 0;
}
