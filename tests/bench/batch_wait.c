/* SPDX-License-Identifier: Apache-2.0 */
/* How long a worker's batch, and a scrape, waits for others: one thread counts messages of 64
 * servers with ever new names, in batches, while the evaluating thread merges lists and detectors
 * of the largest capacities that the configuration accepts, and scrapers make expositions one after
 * the other without a pause. Prints the longest wait and a quantile of both, and the longest time
 * for an exposition. Exit status 1 if one batch in a hundred, or every second scrape, waits for a
 * millisecond: on two busy cores a thread that holds the lock waits for the scheduler, too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "dnstap.pb-c.h"
#include "support/registry_fixture.h"

#define SERVERS                64
#define BATCHES                400000
#define BATCH                  50 /* messages: some 5 KB */
#define FRAME_SIZE             256
#define READERS_MAX            8
#define SCRAPES_MAX            100000

#define DETECTION_CAPACITY_MAX 5000 /* include/detect/detect.h */
#define DETECTOR(least)                                                                            \
    {                                                                                              \
        .enabled = true, .capacity = DETECTION_CAPACITY_MAX, .threshold = (least)                  \
    }

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
            .analysis = {.panes = {.lists = 0x1ff,
                                   .distincts = 0x1f,
                                   .capacity = HEAVY_HITTERS_CAPACITY_MAX},
                         .detect = {{DETECTOR(150), DETECTOR(6), DETECTOR(1500)}},
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
};

/* Scrapers wait for each other, as in the registry; that is not what is measured. */
static pthread_mutex_t scraping = PTHREAD_MUTEX_INITIALIZER;
static uint64_t scrape_waits_ns[SCRAPES_MAX];
static size_t scrape_count;

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* What it waits is the time in which it does not add up. */
static void time_collect(void)
{
    struct snapshot snapshot;
    uint64_t begin_ns = clock_monotonic_ns();
    uint64_t cpu_ns = thread_cpu_ns();

    aggregator_collect(fixture.aggregator, &snapshot);
    cpu_ns = thread_cpu_ns() - cpu_ns;
    uint64_t took_ns = clock_monotonic_ns() - begin_ns;
    if (scrape_count < SCRAPES_MAX) {
        scrape_waits_ns[scrape_count++] = took_ns > cpu_ns ? took_ns - cpu_ns : 0;
    }
    aggregator_release(fixture.aggregator);
}

static void *read_pages(void *argument)
{
    struct reader *reader = argument;
    struct text page = {0};

    while (!atomic_load(&done)) {
        (void)pthread_mutex_lock(&scraping);
        time_collect();
        uint64_t begin_ns = clock_monotonic_ns();
        if (registry_write_page(fixture.registry, EXPOSITION_TEXT, &page) < 0) {
            abort();
        }
        uint64_t took_ns = clock_monotonic_ns() - begin_ns;
        (void)pthread_mutex_unlock(&scraping);
        reader->longest_ns = took_ns > reader->longest_ns ? took_ns : reader->longest_ns;
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

/* Returns whether `least` in a hundred are below a millisecond. */
static bool report(const char *who, uint64_t *times_ns, size_t count, unsigned percent,
                   unsigned least)
{
    size_t rank = count * percent / 100;

    qsort(times_ns, count, sizeof times_ns[0], compare);
    (void)printf(
        "%s waits %.3f ms at the longest, %u %% at most %.3f ms, half at most %.6f ms (%zu)\n", who,
        ms(times_ns[count - 1]), percent, ms(times_ns[rank]), ms(times_ns[count / 2]), count);
    return times_ns[count * least / 100] < NS_PER_MS;
}

int main(int argc, char *argv[])
{
    unsigned count = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : READERS_MAX;
    struct reader readers[READERS_MAX] = {0};
    uint64_t longest_page_ns = 0;

    if (count < 1 || count > READERS_MAX || registry_fixture_create(&fixture, &setup) < 0 ||
        aggregator_start(fixture.aggregator) < 0) {
        (void)fprintf(stderr, "usage: batch_wait [SCRAPERS, at most %d]\n", READERS_MAX);
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
    }
    (void)printf("%u scrapers; the slowest exposition took %.1f ms\n", count, ms(longest_page_ns));
    bool batches = report("a batch", waits_ns, BATCHES, 99, 99);
    bool scrapes = report("a scrape", scrape_waits_ns, scrape_count, 95, 50);
    registry_fixture_free(&fixture);
    return batches && scrapes ? EXIT_SUCCESS : EXIT_FAILURE;
}
