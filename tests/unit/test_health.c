/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "health_internal.h"
#include "support/history_scene.h"

#define MS UINT64_C(1000000)

static struct health_indicator indicators[HEALTH_INDICATORS_MAX];
static size_t count;

/* NULL: it is not there. */
static const struct health_indicator *find(const char *name)
{
    const struct health_indicator *found = NULL;

    count = health_judge(&scene.scrape, scene.history, indicators);
    for (size_t i = 0; i < count; i++) {
        found = strcmp(indicators[i].name, name) == 0 ? &indicators[i] : found;
        assert_true(i == 0 || indicators[i].level >= indicators[i - 1].level);
        assert_true(indicators[i].text[0] != '\0' && indicators[i].title != NULL);
    }
    return found;
}

static void assert_indicator(const char *name, enum health_level level, const char *text)
{
    const struct health_indicator *indicator = find(name);

    if (indicator == NULL) {
        fail_msg("no indicator %s", name);
        return;
    }
    if (indicator->level != level || strstr(indicator->text, text) == NULL) {
        print_message("%s: %s: %s\n", name, health_level_names[indicator->level], indicator->text);
    }
    assert_int_equal(indicator->level, level);
    assert_non_null(strstr(indicator->text, text));
}

static void connect(void)
{
    scene.counters.inputs[0].accepted++;
}

/* Each of `steps` steps the same. */
static void send_steps(unsigned steps, unsigned server, enum role role, struct sent sent)
{
    for (unsigned i = 0; i < steps; i++) {
        send(server, role, sent);
        step();
    }
}

static const struct sent healthy = {.queries = 100, .responses = 100, .response_time_ns = 2 * MS};

/* Nothing is green of which nothing is known. */
static void test_start(void **state)
{
    (void)state;
    assert_indicator("servers", HEALTH_UNKNOWN, "no server has connected");
    assert_indicator("servfail", HEALTH_UNKNOWN, "no data");
    assert_indicator("directions", HEALTH_UNKNOWN, "");
    assert_indicator("lost", HEALTH_UNKNOWN, "");
    assert_indicator("response_time", HEALTH_UNKNOWN, "");
    assert_indicator("delay", HEALTH_UNKNOWN, "");
    assert_null(find("upstream"));
    assert_null(find("cache"));
    scene.scrape.created_ns -= 600 * NS_PER_SECOND;
    assert_indicator("servers", HEALTH_WARNING, "no server has connected");
}

static void test_healthy(void **state)
{
    (void)state;
    connect();
    send_steps(60, 1, ROLE_CLIENT, healthy);
    (void)find("servers");
    for (size_t i = 0; i < count; i++) {
        assert_true(indicators[i].level == HEALTH_GOOD || strcmp(indicators[i].name, "delay") == 0);
    }
    assert_indicator("servers", HEALTH_GOOD, "1 server sends messages");
}

/* The share at a threshold and above it, and too few failures to say. */
static void test_shares(void **state)
{
    static const struct {
        const char *name;
        enum role role;
        struct sent good, warning;
        const char *text;
    } cases[] = {
        {"servfail",
         ROLE_CLIENT,
         {.responses = 100, .servfails = 5},
         {.responses = 100, .servfails = 6},
         "ns1: 6.0 % of responses are SERVFAIL"},
        {"refused",
         ROLE_AUTH,
         {.responses = 100, .refused = 80},
         {.responses = 100, .refused = 81},
         "ns1: 81.0 %"},
        {"unanswered",
         ROLE_CLIENT,
         {.queries = 100, .unanswered = 5},
         {.queries = 100, .unanswered = 6},
         "ns1: 6.0 %"},
        {"upstream",
         ROLE_RESOLVER,
         {.queries = 100, .unanswered = 30},
         {.queries = 100, .unanswered = 31},
         "ns1: 31.0 %"},
        {"unmatched",
         ROLE_CLIENT,
         {.responses = 100, .unmatched = 10},
         {.responses = 100, .unmatched = 11},
         "ns1: 11.0 %"},
    };

    (void)state;
    connect();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_steps(20, 1, cases[i].role, cases[i].good);
        assert_indicator(cases[i].name, HEALTH_GOOD, "ns1");
        send_steps(20, 1, cases[i].role, cases[i].warning);
        assert_indicator(cases[i].name, HEALTH_WARNING, cases[i].text);
        send_steps(20, 1, cases[i].role, (struct sent){0});
    }
    send_steps(20, 1, ROLE_CLIENT, (struct sent){.responses = 100, .servfails = 26});
    assert_indicator("servfail", HEALTH_CRITICAL, "26.0 %");
}

/* A small resolver's failures are counted; the worst server is named and not the mean. */
static void test_small_and_worst(void **state)
{
    (void)state;
    connect();
    send_steps(1, 1, ROLE_CLIENT, (struct sent){.queries = 12, .responses = 12, .servfails = 12});
    assert_indicator("servfail", HEALTH_GOOD, "100.0 %"); /* fewer than twenty */
    send_steps(1, 1, ROLE_CLIENT, (struct sent){.queries = 12, .responses = 12, .servfails = 12});
    assert_indicator("servfail", HEALTH_WARNING, "ns1: 100.0 %");
    send_steps(7, 1, ROLE_CLIENT, (struct sent){.queries = 12, .responses = 12, .servfails = 12});
    assert_indicator("servfail", HEALTH_CRITICAL, "ns1: 100.0 %");
    send_steps(20, 2, ROLE_CLIENT,
               (struct sent){.queries = 9000, .responses = 9000, .servfails = 1000});
    send(1, ROLE_CLIENT, (struct sent){.responses = 80, .servfails = 80});
    step();
    assert_indicator("servfail", HEALTH_CRITICAL,
                     "ns1: 100.0 % of responses are SERVFAIL and 1 more");
}

static struct sent taking(uint64_t response_time_ns)
{
    struct sent sent = healthy;

    sent.response_time_ns = response_time_ns;
    return sent;
}

static void test_response_time(void **state)
{
    (void)state;
    connect();
    send_steps(30, 1, ROLE_CLIENT, healthy);
    assert_indicator("response_time", HEALTH_UNKNOWN, "ns1: p90 is 2.1 ms");
    send_steps(30, 1, ROLE_CLIENT, healthy);
    assert_indicator("response_time", HEALTH_GOOD, "ns1: p90 is 2.1 ms, 1.0 times");
    send_steps(20, 1, ROLE_CLIENT, taking(40 * MS));
    assert_indicator("response_time", HEALTH_GOOD, "p90"); /* slower, and still fast */
    send_steps(20, 1, ROLE_CLIENT, taking(200 * MS));
    assert_indicator("response_time", HEALTH_WARNING, "times its normal of");
}

/* An hour of trouble does not become normal, nor does a peak. */
static void test_long_trouble(void **state)
{
    (void)state;
    connect();
    send_steps(240, 1, ROLE_CLIENT, healthy);
    send_steps(240, 1, ROLE_CLIENT, taking(2000 * MS));
    assert_indicator("response_time", HEALTH_WARNING, "times its normal of");
    send_steps(240, 2, ROLE_CLIENT, healthy);
    send_steps(8, 2, ROLE_CLIENT, taking(5000 * MS));
    send_steps(30, 2, ROLE_CLIENT, healthy);
    send_steps(20, 2, ROLE_CLIENT, taking(300 * MS));
    assert_indicator("response_time", HEALTH_WARNING, "ns2: p90 is");
}

/* Times of zero have a normal, too; a few slow responses say nothing. */
static void test_fast_and_few(void **state)
{
    (void)state;
    connect();
    send_steps(60, 1, ROLE_CLIENT, taking(500));
    assert_indicator("response_time", HEALTH_GOOD, "p90 is 0");
    send_steps(20, 1, ROLE_CLIENT, taking(4000 * MS));
    assert_indicator("response_time", HEALTH_WARNING, "ns1: p90 is 3.97 s");
    send_steps(60, 2, ROLE_CLIENT, (struct sent){.responses = 1, .response_time_ns = 2 * MS});
    send_steps(20, 2, ROLE_CLIENT, (struct sent){.responses = 1, .response_time_ns = 900 * MS});
    assert_indicator("response_time", HEALTH_UNKNOWN, "too few response times");
}

/* What is red when a server dies stays so for hours, and not for ever. */
static void test_servers(void **state)
{
    (void)state;
    connect();
    send_steps(40, 1, ROLE_CLIENT, healthy);
    send_steps(19, 2, ROLE_RESOLVER, healthy);
    assert_indicator("servers", HEALTH_GOOD, "2 servers send");
    send_steps(2, 2, ROLE_RESOLVER, healthy);
    assert_indicator("servers", HEALTH_CRITICAL, "ns1 has sent nothing for 5 minutes");
    send_steps(240, 2, ROLE_RESOLVER, healthy);
    assert_indicator("servers", HEALTH_CRITICAL, "ns1 has sent nothing for 65 minutes");
    send_steps(1200, 2, ROLE_RESOLVER, healthy);
    assert_indicator("servers", HEALTH_GOOD, "1 server sends messages");
    send_steps(40, 1, ROLE_CLIENT, healthy);
    assert_indicator("servers", HEALTH_CRITICAL, "ns2 has sent nothing for 10 minutes");
    send_steps(40, 1, ROLE_AUTH, (struct sent){0});
    assert_indicator("servers", HEALTH_CRITICAL,
                     "ns1 has sent nothing for 10 minutes, and others for longer");
}

/* Who was here for a minute is not missed; that nobody sends any more is. */
static void test_short_visit(void **state)
{
    (void)state;
    connect();
    send_steps(4, 2, ROLE_CLIENT, healthy);
    send_steps(30, 1, ROLE_CLIENT, healthy);
    assert_indicator("servers", HEALTH_GOOD, "1 server sends messages");
    send_steps(30, 1, ROLE_CLIENT, (struct sent){0});
    assert_indicator("servers", HEALTH_CRITICAL, "no server sends messages any more, 1 connected");
}

/* A probe of the input is no server; one that connects for each batch is. */
static void test_connections(void **state)
{
    (void)state;
    connect();
    scene.counters.inputs[0].closed[CLOSED_EOF]++;
    assert_indicator("servers", HEALTH_UNKNOWN, "no server has connected since the start");
    send_steps(3, 1, ROLE_CLIENT, healthy);
    assert_indicator("servers", HEALTH_GOOD, "1 server sends messages");
    send_steps(3, 1, ROLE_CLIENT, (struct sent){0});
    assert_indicator("servers", HEALTH_CRITICAL, "no server is connected any more");
}

/* An input that connects to its server, while another one has its servers. */
static void test_dialled_input(void **state)
{
    static char name[] = "coredns";

    (void)state;
    connect();
    scene.input_name = name;
    scene.input.endpoint.is_dialled = true;
    send_steps(3, 1, ROLE_CLIENT, healthy);
    assert_indicator("servers", HEALTH_WARNING, "the input coredns is not connected to its server");
    atomic_store(&scene.input.connected, true);
    assert_indicator("servers", HEALTH_GOOD, "1 server sends messages");
    atomic_store(&scene.input.connected, false);
    scene.input.is_removed = true;
    assert_indicator("servers", HEALTH_GOOD, "1 server sends messages");
}

/* A server that has just taken another's place is not judged by what that one did. */
static void test_newcomer(void **state)
{
    (void)state;
    connect();
    send_steps(40, 1, ROLE_CLIENT, (struct sent){.responses = 100, .servfails = 100});
    assert_indicator("servfail", HEALTH_CRITICAL, "ns1: 100.0 %");
    counters_replace_server(&scene.counters, 1, 9);
    scene.servers[1].generation = 9;
    send(1, ROLE_CLIENT, healthy);
    assert_indicator("servfail", HEALTH_UNKNOWN, "no data");
    step();
    assert_indicator("servfail", HEALTH_GOOD, "ns1: 0.0 %");
    assert_indicator("servers", HEALTH_GOOD, "1 server sends messages");
}

static void test_directions(void **state)
{
    (void)state;
    connect();
    send_steps(2, 1, ROLE_CLIENT, (struct sent){.queries = 100});
    assert_indicator("directions", HEALTH_GOOD, "");
    stream_states_set(scene.streams, stream_index(1, ROLE_CLIENT), STREAM_QUERIES_ONLY);
    assert_indicator("directions", HEALTH_WARNING,
                     "the dnstap stream of ns1 has queries and no responses");
    assert_indicator("unanswered", HEALTH_UNKNOWN, "no data");
    send_steps(2, 1, ROLE_AUTH, (struct sent){.queries = 100}); /* the same stream */
    assert_indicator("directions", HEALTH_WARNING, "queries and no responses");
    assert_null(strstr(find("directions")->text, "more"));
    send_steps(30, 2, ROLE_CLIENT, healthy); /* the other one has left */
    assert_indicator("directions", HEALTH_GOOD, "queries and responses come in");
}

static void test_archive(void **state)
{
    static struct archive_counters archive;

    (void)state;
    connect();
    send_steps(2, 1, ROLE_CLIENT, healthy);
    assert_null(find("archive"));
    scene.scrape.archive = &archive;
    assert_indicator("archive", HEALTH_WARNING, "it cannot be written");
    atomic_store(&archive.writing, true);
    archive.files = 3;
    archive.size_bytes = 5 << 19;
    assert_indicator("archive", HEALTH_GOOD, "3 files, 2.5 MiB");
    archive.dropped[ARCHIVE_DROP_DISK_FULL] = 7;
    step();
    assert_indicator("archive", HEALTH_WARNING, "7 frames were dropped in five minutes");
    send_steps(21, 1, ROLE_CLIENT, healthy);
    assert_indicator("archive", HEALTH_GOOD, "3 files");
}

static void test_losses_and_limits(void **state)
{
    static struct output_counters output;
    static char name[] = "archive";
    static char *const names[] = {name};

    (void)state;
    connect();
    send_steps(2, 1, ROLE_CLIENT, healthy);
    assert_indicator("lost", HEALTH_GOOD, "none");
    scene.counters.inputs[0].rejected[REJECTED_PROTOBUF] += 10;
    step();
    assert_indicator("lost", HEALTH_WARNING, "10 of 400 frames were rejected");
    send_steps(20, 1, ROLE_CLIENT, healthy);
    assert_indicator("lost", HEALTH_GOOD, "none"); /* five minutes later */
    scene.scrape.outputs = &output;
    scene.scrape.output_labels = names;
    scene.scrape.output_count = 1;
    assert_indicator("lost", HEALTH_WARNING, "the output archive is not connected");
    output_counters_add(&output.dropped[OUTPUT_DROP_QUEUE_FULL], 7);
    step();
    assert_indicator("lost", HEALTH_WARNING, "outputs have dropped 7 frames in five minutes");
    scene.scrape.log_lines_lost = 3;
    atomic_store(&output.connected, true);
    send_steps(20, 1, ROLE_CLIENT, healthy);
    scene.counters.inputs[0].rejected[REJECTED_PROTOBUF] += 1; /* of thousands: hides nothing */
    send_steps(1, 1, ROLE_CLIENT, healthy);
    scene.scrape.log_lines_lost = 6;
    step();
    assert_indicator("lost", HEALTH_WARNING, "3 log lines were lost");
    atomic_store(&output.connected, true);
    send_steps(21, 1, ROLE_CLIENT, healthy);
    assert_indicator("lost", HEALTH_GOOD, "none");

    assert_indicator("limits", HEALTH_GOOD, "no limit");
    scene.counters.global.overflows[LIMIT_QTYPES] += 5; /* makes room by design */
    step();
    assert_indicator("limits", HEALTH_GOOD, "no limit");
    scene.counters.global.overflows[LIMIT_SERVERS] += 5;
    step();
    assert_indicator("limits", HEALTH_WARNING, "servers was reached 5 times");
    scene.scrape.reload_successful = false;
    assert_indicator("configuration", HEALTH_WARNING, "reload failed");
}

static void test_delay_and_cache(void **state)
{
    struct histogram *delay = &scene.counters.inputs[0].ingest_delay;

    (void)state;
    connect();
    histogram_observe(delay, &ingest_delay_bounds, 500 * MS);
    send_steps(1, 1, ROLE_CLIENT, healthy);
    assert_indicator("delay", HEALTH_GOOD, "ms after their time stamps");
    for (unsigned i = 0; i < 10; i++) {
        histogram_observe(delay, &ingest_delay_bounds, 60 * NS_PER_SECOND);
    }
    send_steps(1, 1, ROLE_RESOLVER, (struct sent){.queries = 20, .responses = 20});
    assert_indicator("delay", HEALTH_WARNING, "a clock is wrong");
    assert_indicator("cache", HEALTH_GOOD, "ns1: 80 % of queries");
}

/* Without one there is no indicator. */
static void test_certificate(void **state)
{
    static const struct {
        double left; /* in seconds */
        enum health_level level;
        const char *text;
    } rows[] = {
        {30 * 86400.0, HEALTH_GOOD, "expires in 30 days"},
        {6 * 86400.0, HEALTH_WARNING, "expires in 6 days"},
        {5 * 3600.0, HEALTH_CRITICAL, "expires in 5 hours"},
        {-2 * 86400.0, HEALTH_CRITICAL, "expired 2 days ago"},
    };

    (void)state;
    send_steps(2, 1, ROLE_CLIENT, healthy);
    assert_null(find("certificate"));
    scene.scrape.has_certificate = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene.scrape.certificate_expiry_seconds = (double)clock_realtime_ns() / 1e9 + rows[i].left;
        assert_indicator("certificate", rows[i].level, rows[i].text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)

/* --- Upstream servers, each beside the others --- */

static struct pane *lists;

static void upstreams_begin(unsigned kept)
{
    static struct evaluator_view view;
    const struct pane_shape shape = {.lists = kept, .capacity = 100};

    assert_int_equal(pane_create(&lists, &shape), 0);
    view.window = lists;
    scene.scrape.numbers.view = &view;
}

static void upstreams_end(void)
{
    pane_free(lists);
    scene.scrape.numbers.view = NULL;
}

/* What is counted for 192.0.2.`host`. */
static void ask(uint8_t host, unsigned queries, unsigned unanswered, uint64_t response_time_ns)
{
    const uint8_t address[4] = {192, 0, 2, host};
    const struct upstream upstream = {.address = {address, sizeof address}, .hash = host + 1u};

    pane_count_upstream(lists, TOP_UPSTREAM_QUERIES, &upstream, queries);
    if (unanswered > 0) {
        pane_count_upstream(lists, TOP_UPSTREAM_UNANSWERED, &upstream, unanswered);
    }
    if (response_time_ns > 0) {
        pane_count_upstream(lists, TOP_UPSTREAM_RESPONSE_SECONDS, &upstream,
                            queries * response_time_ns);
    }
}

#define UPSTREAM_LISTS                                                                             \
    (1u << TOP_UPSTREAM_QUERIES | 1u << TOP_UPSTREAM_UNANSWERED |                                  \
     1u << TOP_UPSTREAM_RESPONSE_SECONDS)

/* One upstream server, what the other one has beside it, and what is said. */
static void test_upstream_servers(void **state)
{
    static const struct {
        unsigned queries, unanswered;
        uint64_t time_ns;
        unsigned other_queries, other_unanswered;
        uint64_t other_time_ns;
        enum health_level level;
        const char *text;
    } cases[] = {
        {100, 0, 10 * MS, 100, 0, 10 * MS, HEALTH_GOOD, "none is silent or slow"},
        {100, 50, 10 * MS, 100, 0, 10 * MS, HEALTH_GOOD, ""},
        {100, 51, 10 * MS, 100, 10, 10 * MS, HEALTH_WARNING,
         "192.0.2.1 answers 49 % of queries, the others 90 %"},
        {6, 6, 10 * MS, 100, 0, 10 * MS, HEALTH_WARNING, "192.0.2.1 answers 0 % of queries"},
        {5, 5, 10 * MS, 100, 0, 10 * MS, HEALTH_GOOD, ""},     /* too few */
        {100, 90, 10 * MS, 100, 11, 10 * MS, HEALTH_GOOD, ""}, /* the others fail, too */
        {100, 90, 10 * MS, 19, 0, 10 * MS, HEALTH_GOOD, ""},   /* too few others */
        {100, 0, 500 * MS, 100, 0, 10 * MS, HEALTH_GOOD, ""},
        {100, 0, 600 * MS, 100, 0, 10 * MS, HEALTH_WARNING,
         "192.0.2.1 answers within 600.0 ms, the others within 10.0 ms"},
        {19, 0, 600 * MS, 100, 0, 10 * MS, HEALTH_GOOD, ""},
        {100, 0, 600 * MS, 100, 0, 120 * MS, HEALTH_GOOD, ""}, /* five times, and not more */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        upstreams_begin(UPSTREAM_LISTS);
        ask(1, cases[i].queries, cases[i].unanswered, cases[i].time_ns);
        assert_null(find("upstream_servers")); /* there is nothing to compare with */
        ask(2, cases[i].other_queries, cases[i].other_unanswered, cases[i].other_time_ns);
        assert_indicator("upstream_servers", cases[i].level, cases[i].text);
        upstreams_end();
    }
    upstreams_begin(1u << TOP_UPSTREAM_QUERIES);
    ask(1, 100, 0, 0);
    ask(2, 100, 0, 0);
    assert_null(find("upstream_servers")); /* the other lists are off */
    upstreams_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start),           TEST(test_healthy),       TEST(test_shares),
        TEST(test_small_and_worst), TEST(test_response_time), TEST(test_servers),
        TEST(test_short_visit),     TEST(test_connections),   TEST(test_dialled_input),
        TEST(test_newcomer),        TEST(test_long_trouble),  TEST(test_fast_and_few),
        TEST(test_directions),      TEST(test_archive),       TEST(test_losses_and_limits),
        TEST(test_delay_and_cache), TEST(test_certificate),   TEST(test_upstream_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
