/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "dnstap.pb-c.h"
#include "support/registry_fixture.h"

#define QUERY "\x12\x34\x01\x20\0\1\0\0\0\0\0\1\3www\7example\0\0\1\0\1\0\0\x29\4\xd0\0\0\x80\0\0\0"
#define RESPONSE                                                                                   \
    "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\3www\7example\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0" \
    "\2\1"
#define NXDOMAIN                                                                                   \
    "\x12\x35\x85\x83\0\1\0\0\0\0\0\1\0\0\2\0\1\0\0\x29\4\xd0\0\0\0\0\0\6\0\x0f\0\2\0\x0f"

static ProtobufCBinaryData binary(char *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)data};
}

struct seen {
    Dnstap__Message__Type type;
    uint64_t query_ns, response_ns;
    char *dns;
    size_t dns_len;
    Dnstap__Policy *policy;
};

static void record(struct shard *shard, struct source *source, char *identity,
                   const struct seen *seen)
{
    Dnstap__Message message = DNSTAP__MESSAGE__INIT;
    Dnstap__Dnstap frame = DNSTAP__DNSTAP__INIT;
    char address[] = {10, 0, 0, 1};
    /* A batch's frames stay where they are. */
    static __thread uint8_t buffers[64][1024];
    static __thread unsigned buffers_used;
    uint8_t *buffer = buffers[buffers_used++ % 64];

    message.type = seen->type;
    message.has_socket_protocol = 1;
    message.socket_protocol = DNSTAP__SOCKET_PROTOCOL__UDP;
    message.has_query_address = 1;
    message.query_address = binary(address, sizeof address);
    message.has_query_time_sec = seen->query_ns != 0;
    message.query_time_sec = 1700000000;
    message.has_query_time_nsec = 1;
    message.query_time_nsec = (uint32_t)seen->query_ns;
    message.has_response_time_sec = seen->response_ns != 0;
    message.response_time_sec = 1700000000;
    message.has_response_time_nsec = 1;
    message.response_time_nsec = (uint32_t)seen->response_ns;
    message.has_query_message = seen->type % 2 == 1 && seen->dns != NULL;
    message.query_message = binary(seen->dns, seen->dns_len);
    message.has_response_message = seen->type % 2 == 0 && seen->dns != NULL;
    message.response_message = binary(seen->dns, seen->dns_len);
    message.policy = seen->policy;
    frame.type = DNSTAP__DNSTAP__TYPE__MESSAGE;
    frame.message = &message;
    frame.has_identity = 1;
    frame.identity = binary(identity, strlen(identity));
    assert_true(dnstap__dnstap__get_packed_size(&frame) <= sizeof buffers[0]);
    struct bytes bytes = {buffer, dnstap__dnstap__pack(&frame, buffer)};
    assert_int_equal(shard_record(shard, source, bytes), DECODE_OK);
}

static void make_registry_of(struct registry_fixture *fixture, enum shard_time time,
                             unsigned shards, const char *const *names, unsigned inputs,
                             uint64_t window_ns)
{
    const struct registry_fixture_setup setup = {
        .aggregator =
            {
                .limits = {8, 56, 3600 * NS_PER_SECOND, 4, 64, 10 * NS_PER_SECOND, true},
                .analysis = {.panes = {.lists = 0x1fff, .distincts = 0x1f, .capacity = 100},
                             .detect = {{{.enabled = true, .capacity = 16, .threshold = 150},
                                         {.enabled = true, .capacity = 16, .threshold = 6},
                                         {.enabled = true, .capacity = 16, .threshold = 1500}}},
                             .findings_max = 5,
                             .window_ns = window_ns,
                             .privacy = {.ipv4_prefix = 32, .ipv6_prefix = 128}},
                .time = time,
                .shard_count = shards,
                .input_count = inputs,
            },
        .input_names = names,
        .top_max_series = 10,
        .native_schema = HISTOGRAM_SCHEMA_MAX,
    };

    *fixture = (struct registry_fixture){0};
    assert_int_equal(registry_fixture_create(fixture, &setup), 0);
}

#define WINDOW_NS (300 * NS_PER_SECOND)

static void make_registry(struct registry_fixture *fixture, unsigned shards,
                          const char *const *names, unsigned inputs)
{
    make_registry_of(fixture, SHARD_TIME_LIVE, shards, names, inputs, WINDOW_NS);
}

/* --- The golden page --- */

static void record_a_bit_of_everything(struct aggregator *aggregator)
{
    static char query[] = QUERY;
    static char response[] = RESPONSE;
    static char nxdomain[] = NXDOMAIN;
    static char plain[] = "ns1";
    static char hostile[] = "q\"b\\n\nu\xc3\xa4\xff";
    Dnstap__Policy policy = DNSTAP__POLICY__INIT;
    struct source source = {.input = 0, .server_name = "unix"};
    struct source second = {.input = 0, .server_name = "unix"}; /* of the second worker */
    struct source other = {.input = 1, .server_name = "tcp"};
    const struct seen seen[] = {
        {DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, 1000, 0, query, sizeof QUERY - 1, NULL},
        {DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, 0, 301000, response, sizeof RESPONSE - 1, NULL},
        {DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, 5, 25000005, nxdomain, sizeof NXDOMAIN - 1,
         &policy},
        {DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, 2000, 0, NULL, 0, NULL},
        {DNSTAP__MESSAGE__TYPE__RESOLVER_QUERY, 2000, 0, query, sizeof QUERY - 1, NULL},
    };

    policy.has_action = policy.has_match = 1;
    policy.action = DNSTAP__POLICY__ACTION__NXDOMAIN;
    policy.match = DNSTAP__POLICY__MATCH__QNAME;
    struct shard *shard = aggregator_shard(aggregator, 0);
    shard_begin(shard);
    shard_record_accepted(shard, 0);
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        record(shard, &source, plain, &seen[i]);
    }
    shard_flush(shard);
    shard_end(shard);

    shard = aggregator_shard(aggregator, 1);
    shard_begin(shard);
    record(shard, &second, plain, &seen[0]);
    record(shard, &other, hostile, &seen[3]);
    assert_int_equal(shard_record(shard, &other, bytes_of_string("\xff")), DECODE_PROTOBUF);
    shard_record_oversize(shard, &other);
    shard_record_accepted(shard, 1);
    shard_record_closed(shard, 1, CLOSED_EOF);
    shard_flush(shard);
    shard_end(shard);
}

static bool is_volatile(const char *line)
{
    return strncmp(line, "process_", 8) == 0 ||
           strncmp(line, "dnstap_exporter_config_last_reload_success_timestamp_seconds", 60) == 0;
}

/* The page with `X` in place of what no two runs have in common. */
static void add_lasting_part(struct text *out, char *page)
{
    for (char *line = strtok(page, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "dnstap_exporter_build_info{", 27) == 0) {
            text_append_string(out, "dnstap_exporter_build_info{X} 1\n");
            continue;
        }
        if (is_volatile(line)) {
            strcpy(strrchr(line, ' '), " X");
        }
        text_append_string(out, line);
        text_append_char(out, '\n');
    }
}

static struct text golden_file(const char *path)
{
    struct text content = {0};
    FILE *file = fopen(path, "r");
    char line[512];

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        text_append_string(&content, line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return content;
}

/* `UPDATE_GOLDEN=1 build/tests/unit/test_registry` writes the page anew; look at the difference. */
static void compare_with_golden(const struct text *page)
{
    const char *folder = getenv("UNIT_TEST_SOURCE");
    struct text path = {0};

    text_append_format(&path, "%s/golden.txt", folder != NULL ? folder : "tests/unit");
    if (getenv("UPDATE_GOLDEN") != NULL) {
        FILE *file = fopen(path.data, "w");
        assert_non_null(file);
        assert_true(fputs(page->data, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    struct text golden = golden_file(path.data);
    assert_true(golden.len > 0);
    assert_string_equal(page->data, golden.data);
    text_deinit(&golden);
    text_deinit(&path);
}

static void test_golden_page(void **state)
{
    static const char *const names[] = {"unix", "tcp"};
    struct registry_fixture fixture;
    struct text page = {0};
    struct text lasting = {0};

    make_registry(&fixture, 2, names, 2);
    (void)state;
    record_a_bit_of_everything(fixture.aggregator);
    aggregator_evaluate(fixture.aggregator, clock_monotonic_ns());
    registry_note_scrape(fixture.registry, EXPOSITION_TEXT, 1);
    registry_note_scrape(fixture.registry, EXPOSITION_TEXT, 1500000);
    assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
    add_lasting_part(&lasting, page.data);
    compare_with_golden(&lasting);
    text_deinit(&lasting);
    text_deinit(&page);
    registry_fixture_free(&fixture);
}

/* --- The registry itself --- */

static bool has_line(const struct text *page, const char *line)
{
    struct text wanted = {0};

    text_append_format(&wanted, "\n%s\n", line);
    bool found = strstr(page->data, wanted.data) != NULL;
    text_deinit(&wanted);
    return found;
}

static void test_pages_do_not_add_up(void **state)
{
    static const char *const names[] = {"a"};
    struct registry_fixture fixture;
    struct text page = {0};

    make_registry(&fixture, 1, names, 1);
    struct shard *shard = aggregator_shard(fixture.aggregator, 0);
    (void)state;
    shard_begin(shard);
    shard_record_accepted(shard, 0);
    shard_end(shard);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
        assert_true(has_line(&page, "dnstap_connections_accepted_total{input=\"a\"} 1"));
        assert_true(has_line(&page, "dnstap_connections{input=\"a\"} 1"));
    }
    text_deinit(&page);
    registry_fixture_free(&fixture);
}

/* A file has no connections, and the process that read it is nobody's concern. */
static void test_page_of_files(void **state)
{
    static const char *const names[] = {"a"};
    struct registry_fixture fixture;
    struct text page = {0};

    make_registry_of(&fixture, SHARD_TIME_FRAMES, 1, names, 1, WINDOW_NS);
    (void)state;
    assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
    assert_true(has_line(&page, "dnstap_frames_total{input=\"a\"} 0"));
    assert_null(strstr(page.data, "dnstap_connections"));
    assert_null(strstr(page.data, "dnstap_ingest_delay"));
    assert_null(strstr(page.data, "dnstap_exporter_scrape"));
    assert_null(strstr(page.data, "reload"));
    assert_null(strstr(page.data, "process_"));
    text_deinit(&page);
    registry_fixture_free(&fixture);
}

static void test_input_names_are_escaped(void **state)
{
    static const char *const names[] = {"dir/\xff\"x\".gz"};
    struct registry_fixture fixture;
    struct text page = {0};

    make_registry(&fixture, 1, names, 1);
    (void)state;
    assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
    assert_true(has_line(&page, "dnstap_frames_total{input=\"dir/\\\\xff\\\"x\\\".gz\"} 0"));
    text_deinit(&page);
    registry_fixture_free(&fixture);
}

static void test_reload(void **state)
{
    static const char *const names[] = {"a"};
    uint64_t before_ns = clock_realtime_ns();
    struct registry_fixture fixture;
    uint64_t after_ns = clock_realtime_ns();
    struct text page = {0};

    make_registry(&fixture, 1, names, 1);
    (void)state;
    assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
    assert_true(has_line(&page, "dnstap_exporter_config_last_reload_successful 1"));
    registry_note_reload(fixture.registry, false);
    assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
    assert_true(has_line(&page, "dnstap_exporter_config_last_reload_successful 0"));
    static const char stamp[] = "\ndnstap_exporter_config_last_reload_success_timestamp_seconds ";
    const char *found = strstr(page.data, stamp);
    assert_non_null(found);
    double reload = strtod(found + strlen(stamp), NULL);
    /* To a second: the time comes from the monotonic clock. */
    assert_true(reload > (double)before_ns / 1e9 - 1 && reload < (double)after_ns / 1e9 + 1);
    registry_note_reload(fixture.registry, true);
    assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
    assert_true(has_line(&page, "dnstap_exporter_config_last_reload_successful 1"));
    text_deinit(&page);
    registry_fixture_free(&fixture);
}

/* --- Conservation under load --- */

static atomic_bool stop;

static void *work(void *argument)
{
    static char query[] = QUERY;
    static char name[] = "ns";
    const struct seen seen = {
        DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, 1000, 0, query, sizeof QUERY - 1, NULL};
    struct source source = {.input = 0, .server_name = "unix"};

    while (!atomic_load(&stop)) {
        shard_begin(argument);
        for (unsigned i = 0; i < 7; i++) {
            record(argument, &source, name, &seen);
        }
        shard_record_oversize(argument, &source);
        shard_end(argument);
    }
    return NULL;
}

static uint64_t value_of(const struct text *page, const char *series)
{
    const char *found = strstr(page->data, series);

    return found != NULL ? strtoull(found + strlen(series), NULL, 10) : 0;
}

/* Scraped all the time, every page has whole batches only. */
static void test_conservation_at_every_scrape(void **state)
{
    static const char *const names[] = {"a"};
    struct registry_fixture fixture;
    struct text page = {0};
    pthread_t threads[2];
    uint64_t last = 0;

    make_registry(&fixture, 2, names, 1);
    (void)state;
    atomic_store(&stop, false);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, work, aggregator_shard(fixture.aggregator, i)), 0);
    }
    for (unsigned i = 0; i < 300 || last == 0; i++) {
        assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
        uint64_t frames = value_of(&page, "\ndnstap_frames_total{input=\"a\"} ");
        uint64_t queries = value_of(&page, "\ndnstap_queries_total{server=\"ns\",role=\"client\","
                                           "family=\"ipv4\",transport=\"udp\"} ");
        uint64_t rejected = value_of(
            &page, "\ndnstap_frames_rejected_total{input=\"a\",reason=\"oversize\"} ");
        assert_int_equal(frames % 8, 0);
        assert_int_equal(queries, frames / 8 * 7);
        assert_int_equal(rejected, frames / 8);
        assert_true(frames >= last);
        last = frames;
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    text_deinit(&page);
    registry_fixture_free(&fixture);
}

/* --- Labels while types are new --- */

static void *record_new_types(void *argument)
{
    char query[] = QUERY;
    static char name[] = "ns";
    const struct seen seen = {
        DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, 1000, 0, query, sizeof QUERY - 1, NULL};
    struct source source = {.input = 0, .server_name = "unix"};
    char *qtype = query + 25; /* behind header and name */

    for (unsigned type = 1; type < 256; type++) {
        qtype[1] = (char)type;
        shard_begin(argument);
        record(argument, &source, name, &seen);
        shard_end(argument);
    }
    atomic_store(&stop, true);
    return NULL;
}

/* A type that is seen for the first time while a page is made is on it with its name, or not. */
static void test_new_types_have_names(void **state)
{
    static const char *const names[] = {"a"};
    struct text page = {0};

    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct registry_fixture fixture;
        pthread_t thread;

        make_registry(&fixture, 1, names, 1);
        atomic_store(&stop, false);
        assert_int_equal(pthread_create(&thread, NULL, record_new_types,
                                        aggregator_shard(fixture.aggregator, 0)),
                         0);
        while (!atomic_load(&stop)) {
            assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
            assert_null(strstr(page.data, "qtype=\"\""));
        }
        (void)pthread_join(thread, NULL);
        registry_fixture_free(&fixture);
    }
    text_deinit(&page);
}

/* --- Lists while steps of the window end --- */

#define STEP_NS (50 * NS_PER_MS)

static void read_both(const struct text *page, uint64_t *queries, uint64_t *listed)
{
    static const char top[] = "\ndnstap_top_client_queries{client=\"10.0.0.1\"} ";

    *queries = value_of(page, "\ndnstap_queries_total{server=\"ns\",role=\"client\","
                              "family=\"ipv4\",transport=\"udp\"} ");
    *listed = strstr(page->data, top) != NULL ? value_of(page, top) : 0;
}

/* Parts are taken while pages are made: no page lists more than the counters have, and in the end,
 * as long as nothing has left the window, the list has what they have. */
static void test_no_part_is_lost(void **state)
{
    static const char *const names[] = {"a"};
    uint64_t began_ns = clock_monotonic_ns();
    struct registry_fixture fixture;
    struct text page = {0};
    pthread_t threads[2];
    uint64_t listed = 0;
    uint64_t queries = 0;

    make_registry_of(&fixture, SHARD_TIME_LIVE, 2, names, 1, WINDOW_STEPS * STEP_NS);
    (void)state;
    assert_int_equal(aggregator_start(fixture.aggregator), 0);
    atomic_store(&stop, false);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, work, aggregator_shard(fixture.aggregator, i)), 0);
    }
    while (clock_monotonic_ns() - began_ns < (WINDOW_STEPS - 2) * STEP_NS) {
        uint64_t before = listed;
        assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
        read_both(&page, &queries, &listed);
        assert_true(listed <= queries);
        assert_true(listed >= before);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    aggregator_stop(fixture.aggregator);
    aggregator_evaluate(fixture.aggregator, clock_monotonic_ns());
    if (clock_monotonic_ns() - began_ns < (WINDOW_STEPS - 1) * STEP_NS) {
        assert_int_equal(registry_write_page(fixture.registry, EXPOSITION_TEXT, &page), 0);
        read_both(&page, &queries, &listed);
        assert_int_equal(listed, queries);
    }
    text_deinit(&page);
    registry_fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_page),
        cmocka_unit_test(test_pages_do_not_add_up),
        cmocka_unit_test(test_page_of_files),
        cmocka_unit_test(test_input_names_are_escaped),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_conservation_at_every_scrape),
        cmocka_unit_test(test_new_types_have_names),
        cmocka_unit_test(test_no_part_is_lost),
    };

    registry_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
