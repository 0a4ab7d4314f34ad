/* SPDX-License-Identifier: Apache-2.0 */
/* How long a worker's batch waits for readers: one thread counts messages of 64 servers with ever
 * new names, in batches, while others make pages of metrics without a pause. Prints the longest
 * wait, a quantile, and the longest time for a page. Exit status 1 where one batch in a hundred
 * waits for a millisecond: single ones wait for the scheduler. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dnstap.pb-c.h"
#include "support/registry_fixture.h"

#define SERVERS     64
#define BATCHES     40000
#define BATCH       50 /* messages: some 5 KB */
#define FRAME_SIZE  256
#define READERS_MAX 8

static const char *const names[] = {"bench"};
static const struct registry_fixture_setup setup = {
    .aggregator =
        {
            .limits = {.servers = SERVERS,
                       .series = SERVERS,
                       .qtypes = 32,
                       .expiry_ns = 3600 * NS_PER_SECOND,
                       .matching_capacity = 65536,
                       .matching_timeout_ns = 15 * NS_PER_SECOND},
            .traffic = {.panes = {.lists = 0x1ff, .distincts = 0x1f, .capacity = 1000},
                        .detect = {{{true, 500, 300}, {true, 500, 30}}},
                        .findings_max = 50,
                        .window_ns = 10 * NS_PER_SECOND, /* steps of a second: they end, too */
                        .privacy = {.ipv4_prefix = 32, .ipv6_prefix = 128}},
            .time = SHARD_TIME_LIVE,
            .shard_count = 1,
            .input_count = 1,
        },
    .input_names = names,
    .top_max_series = 10,
    .native_schema = 3,
};

static struct registry_fixture fixture;
static atomic_bool done;
static uint64_t waits_ns[BATCHES];

struct reader {
    pthread_t thread;
    uint64_t longest_ns;
    unsigned pages;
};

static void *read_pages(void *argument)
{
    struct reader *reader = argument;
    struct text page = {0};

    while (!atomic_load(&done)) {
        uint64_t begin_ns = clock_monotonic_ns();
        if (registry_write_page(fixture.registry, EXPOSITION_TEXT, &page) < 0) {
            abort();
        }
        uint64_t took_ns = clock_monotonic_ns() - begin_ns;
        reader->longest_ns = took_ns > reader->longest_ns ? took_ns : reader->longest_ns;
        reader->pages++;
    }
    text_deinit(&page);
    return NULL;
}

/* A query, or its NXDOMAIN response, for a name of its own. */
static size_t make_frame(uint32_t number, uint8_t out[FRAME_SIZE])
{
    Dnstap__Dnstap frame = DNSTAP__DNSTAP__INIT;
    Dnstap__Message message = DNSTAP__MESSAGE__INIT;
    bool response = number % 2 == 1;
    uint32_t exchange = number / 2;
    uint8_t dns[] = "\0\0\1\0\0\1\0\0\0\0\0\0\12aaaaaaaaaa\7example\3org\0\0\1\0\1";
    uint8_t client[4] = {10, (uint8_t)(exchange >> 16), (uint8_t)(exchange >> 8),
                         (uint8_t)exchange};
    char identity[16];

    dns[0] = (uint8_t)(exchange >> 8);
    dns[1] = (uint8_t)exchange;
    dns[2] = response ? 0x81 : 1;
    dns[3] = response ? 0x83 : 0;
    for (unsigned i = 0; i < 8; i++) {
        dns[13 + i] = (uint8_t)('a' + (exchange >> 4 * i & 15));
    }
    (void)snprintf(identity, sizeof identity, "server%u", exchange % SERVERS);
    frame.type = DNSTAP__DNSTAP__TYPE__MESSAGE;
    frame.message = &message;
    frame.has_identity = true;
    frame.identity = (ProtobufCBinaryData){strlen(identity), (uint8_t *)identity};
    message.type = response ? DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE
                            : DNSTAP__MESSAGE__TYPE__CLIENT_QUERY;
    message.has_query_address = true;
    message.query_address = (ProtobufCBinaryData){sizeof client, client};
    message.has_query_message = !response;
    message.has_response_message = response;
    message.query_message = message.response_message = (ProtobufCBinaryData){sizeof dns - 1, dns};
    return dnstap__dnstap__pack(&frame, out);
}

static void count_batches(void)
{
    static uint8_t frames[BATCH][FRAME_SIZE];
    struct shard *shard = aggregator_shard(fixture.aggregator, 0);
    struct source source = {.input = 0, .server_name = "bench"};
    size_t sizes[BATCH];
    uint32_t number = 0;

    for (unsigned batch = 0; batch < BATCHES; batch++) {
        for (unsigned i = 0; i < BATCH; i++) {
            sizes[i] = make_frame(number++, frames[i]);
        }
        uint64_t begin_ns = clock_monotonic_ns();
        shard_begin(shard);
        waits_ns[batch] = clock_monotonic_ns() - begin_ns;
        for (unsigned i = 0; i < BATCH; i++) {
            (void)shard_record(shard, &source, (struct bytes){frames[i], sizes[i]});
        }
        if (batch % 1000 == 999) {
            shard_expire(shard);
        }
        shard_end(shard);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

int main(int argc, char *argv[])
{
    unsigned count = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    struct reader readers[READERS_MAX] = {0};
    uint64_t longest_page_ns = 0;
    unsigned pages = 0;

    if (count > READERS_MAX || registry_fixture_create(&fixture, &setup) < 0) {
        (void)fprintf(stderr, "usage: batch_wait [READERS, at most %d]\n", READERS_MAX);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_create(&readers[i].thread, NULL, read_pages, &readers[i]);
    }
    count_batches();
    atomic_store(&done, true);
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(readers[i].thread, NULL);
        longest_page_ns = readers[i].longest_ns > longest_page_ns ? readers[i].longest_ns
                                                                  : longest_page_ns;
        pages += readers[i].pages;
    }
    qsort(waits_ns, BATCHES, sizeof waits_ns[0], compare);
    (void)printf("%u readers, %u pages: a batch waits %.3f ms at the longest, 99.9 %% at most %.3f "
                 "ms, half at most %.6f ms; the slowest page took %.1f ms\n",
                 count, pages, ms(waits_ns[BATCHES - 1]), ms(waits_ns[BATCHES - BATCHES / 1000]),
                 ms(waits_ns[BATCHES / 2]), ms(longest_page_ns));
    registry_fixture_free(&fixture);
    return waits_ns[BATCHES - BATCHES / 100] < NS_PER_MS ? EXIT_SUCCESS : EXIT_FAILURE;
}
