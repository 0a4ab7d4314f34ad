/* SPDX-License-Identifier: Apache-2.0 */
/* A whole Frame Streams stream, into a shard with lists and detectors: every frame is counted as a
 * query, a response or rejected, and the pages can be written. */
#include <stdlib.h>

#include "decode/frame_stream.h"
#include "fuzz/fuzz.h"
#include "metrics/registry.h"

static const char *const input_names[] = {"fuzz"};
static const struct registry_setup setup = {
    .limits = {.servers = 4,
               .series = 6,
               .qtypes = 4,
               .pairing_capacity = 64,
               .pairing_timeout_ns = NS_PER_SECOND},
    .traffic = {.panes = {.lists = 0x1ff, .distincts = 0x1f, .capacity = 10},
                .top_size = 5,
                .watch = {.detectors = 3, .capacity = 5, .least_names = {5, 5}},
                .suspects_max = 5,
                .window_ns = 10 * NS_PER_SECOND,
                .privacy = {.ipv4_prefix = 20, .ipv6_prefix = 61}},
    .time = SHARD_TIME_FRAMES,
    .shard_count = 1,
    .input_names = input_names,
    .input_count = 1,
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

static struct shard_sum sum;

static void check_conservation(struct shard *shard)
{
    if (sum.pane == NULL && (shard_sum_init(&sum, &setup.limits, 1) < 0 ||
                             pane_create(&sum.pane, &setup.traffic.panes) < 0)) {
        abort();
    }
    shard_sum_begin(&sum);
    shard_add_to(shard, &sum);
    uint64_t counted = count_messages(&sum.tally) + sum.tally.common.expired_messages;
    for (unsigned i = 0; i < REJECTION_COUNT; i++) {
        counted += sum.tally.inputs[0].rejected[i];
    }
    if (counted != sum.tally.inputs[0].frames) {
        abort();
    }
}

static void feed(struct shard *shard, struct bytes input)
{
    struct source source = {.input = 0, .server_name = "fuzz"};
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
        case FRAME_STREAM_BAD_LENGTH:
        case FRAME_STREAM_BAD_CONTROL:
            return;
        }
    }
}

static void write_pages(struct registry *registry)
{
    struct text page = {0};

    if (registry_write_page(registry, EXPOSITION_TEXT, &page) < 0 ||
        registry_write_top(registry, 10, &page) < 0) {
        abort();
    }
    text_deinit(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct registry *registry; /* made once: a stream is short, it is not */

    if (registry == NULL && registry_create(&registry, &setup) < 0) {
        abort();
    }
    struct shard *shard = registry_shard(registry, 0);
    shard_begin(shard);
    feed(shard, (struct bytes){data, size});
    shard_settle(shard);
    shard_end(shard);
    check_conservation(shard);
    if (size % 16 == 0) { /* a page takes longer than a stream */
        write_pages(registry);
    }
    return 0;
}
