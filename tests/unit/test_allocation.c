/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/*
 * Each allocation fails in turn: no crash, no leak (LeakSanitizer sees to that), a negative errno.
 * The linker leads the calls of our own objects here; those of shared libraries stay as they are.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ingest/connection.h"
#include "ingest/default_socket.h"
#include "ingest/file_reader.h"
#include "present/message_text.h"
#include "present/passive_dns.h"
#include "program/file_list.h"
#include "program/ordered_output.h"
#include "ingest/ingest.h"
#include "program/program.h"
#include "program/sandbox_rules.h"
#include "support/failing_allocation.h"
#include "support/message_scene.h"
#include "support/registry_fixture.h"
#include "support/temp_file.h"

/* --- Registry
 * ------------------------------------------------------------------------------------- */

static const char *const names[] = {"a", "b"};
static const char suffix_list[] = "test_allocation.suffixes";
static const struct registry_fixture_setup setup = {
    .aggregator =
        {
            .limits = {4, 28, 3600 * NS_PER_SECOND, 4, 64, 10 * NS_PER_SECOND, true},
            .analysis = {.panes = {.lists = 0x1fff, .distincts = 0x1f, .capacity = 10},
                         .detect = {{{.enabled = true, .capacity = 16, .threshold = 150},
                                     {.enabled = true, .capacity = 16, .threshold = 6},
                                     {.enabled = true, .capacity = 16, .threshold = 1500}}},
                         .findings_max = 5,
                         .window_ns = 300 * NS_PER_SECOND,
                         .privacy = {.ipv4_prefix = 32, .ipv6_prefix = 128}},
            .time = SHARD_TIME_FRAMES,
            .shard_count = 2,
            .input_count = 2,
        },
    .input_names = names,
    .top_max_series = 10,
};

static int make_registry(void)
{
    struct registry_fixture made = {0};
    int result = registry_fixture_create(&made, &setup);

    if (result == 0) {
        registry_fixture_free(&made);
    }
    return result;
}

static void test_registry_create(void **state)
{
    (void)state;
    assert_true(fail_in_turn(make_registry) > 10);
}

static struct registry_fixture fixture;
static enum exposition page_format;

static int make_page(void)
{
    struct text page = {0};
    int result = registry_write_page(fixture.registry, page_format, &page);

    text_deinit(&page);
    return result;
}

static void test_registry_write_page(void **state)
{
    (void)state;
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    for (page_format = 0; page_format < EXPOSITION_COUNT; page_format++) {
        assert_true(fail_in_turn(make_page) > 3);
    }
    registry_fixture_free(&fixture);
}

static int make_top(void)
{
    struct text page = {0};
    int result = registry_write_top(fixture.registry, 3, &page);

    text_deinit(&page);
    return result;
}

static void test_registry_write_top(void **state)
{
    (void)state;
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    assert_true(fail_in_turn(make_top) >= 2);
    registry_fixture_free(&fixture);
}

static int set_suffixes(void)
{
    const struct bytes allowed = {(const uint8_t *)"\7example", 9};
    struct text error = {0};
    int result = aggregator_set_suffixes(fixture.aggregator, suffix_list, &allowed, 1, &error);

    text_deinit(&error);
    return result;
}

/* What is in force stays in force, and is freed once. */
static void test_registry_set_suffixes(void **state)
{
    FILE *file = fopen(suffix_list, "w");

    (void)state;
    assert_non_null(file);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(fprintf(file, "rule%u\n", i) > 0);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    assert_true(fail_in_turn(set_suffixes) > 3);
    registry_fixture_free(&fixture);
    (void)unlink(suffix_list);
}

/* --- Configuration
 * -------------------------------------------------------------------------------- */

static char config_path[] = "/tmp/dnstap_exporter-test-allocation-XXXXXX";

static int load_with(const char *file, const struct config_override *overrides, unsigned count)
{
    struct settings settings;
    struct text error = {0};
    int result = config_load(&settings_schema, file, overrides, count, &settings, &error);

    if (result == 0) {
        config_deinit(&settings_schema, &settings);
    }
    text_deinit(&error);
    return result;
}

static int load_file(void)
{
    return load_with(config_path, NULL, 0);
}

static int load_flags(void)
{
    static const struct config_override overrides[] = {
        {"web.config_file", "web.config.file", "w"},
        {"web.listen_addresses", "web.listen-address", ":1"},
        {"web.listen_addresses", "web.listen-address", ":3"},
        {"inputs.unix", "input.unix", "/a"},
        {"inputs.unix", "input.unix", "/b"},
        {"inputs.tcp", "input.tcp", ":1"},
    };

    return load_with(NULL, overrides, sizeof overrides / sizeof overrides[0]);
}

static void write_config(const char *yaml)
{
    FILE *file = fopen(config_path, "w");

    assert_non_null(file);
    (void)fputs(yaml, file);
    (void)fclose(file);
}

static void test_config_load(void **state)
{
    (void)state;
    write_config("inputs: [{name: a, unix: /a, mode: \"0600\"}, {name: b, tcp: \":1\"}]\n"
                 "web: {listen_addresses: [\":2\"]}\n");
    assert_true(fail_in_turn(load_file) > 5);
    assert_true(fail_in_turn(load_flags) > 5);
}

/* A mistake while memory is short: its text may be missing, but it is a mistake all the same. */
static void test_config_mistakes(void **state)
{
    static const char *const mistakes[] = {"workers: x\n", "x: 1\n", "inputs: [{name: a}]\n", "[",
                                           "web: 1\n"};

    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        write_config(mistakes[i]);
        for (int count = 0; count < 20; count++) {
            atomic_store(&left, count);
            int result = load_file();
            atomic_store(&left, -1);
            assert_true(result < 0);
        }
    }
}

/* --- Ingest
 * --------------------------------------------------------------------------------------- */

static int place_socket(void)
{
    struct text path = {0};
    int result = default_socket_place(geteuid(), &path);

    text_deinit(&path);
    return result;
}

/* It makes the folder; one that was not there before is taken away again. */
static void test_default_socket(void **state)
{
    bool was_there = access(INPUT_DEFAULT_DIRECTORY, F_OK) == 0;

    (void)state;
    assert_true(fail_in_turn(place_socket) > 0);
    if (!was_there) {
        (void)rmdir(INPUT_DEFAULT_DIRECTORY);
    }
}

static char input_name[] = "unix";
static char socket_path[64];

static int run_ingest(void)
{
    struct input_settings input = {
        .name = input_name,
        .mode = 0600,
        .sampling = 1,
        .owner = {CONFIG_ID_KEEP, ""},
        .group = {CONFIG_ID_KEEP, ""},
    };
    static const struct ingest_settings settings = {
        .connections_max = 4,
        .frame_size_max = 4096,
        .handshake_timeout_ns = NS_PER_SECOND,
    };
    struct text error = {0};
    struct ingest *ingest;
    const int passed[] = {-1, -1};
    const struct ingest_setup of_ingest = {
        .inputs = &input,
        .input_count = 1,
        .settings = &settings,
        .passed = passed,
        .aggregator = fixture.aggregator,
        .gauges = fixture.inputs,
        .counters = fixture.outputs,
    };

    assert_true(endpoint_parse_unix(socket_path, &input.endpoint));
    int result = ingest_create(&ingest, &of_ingest, &error);

    if (result == 0) {
        ingest_free(ingest);
    }
    text_deinit(&error);
    assert_int_not_equal(access(socket_path, F_OK), 0); /* nothing is left behind */
    return result;
}

static void test_ingest_create(void **state)
{
    (void)state;
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    (void)snprintf(socket_path, sizeof socket_path, "%s.sock", config_path);
    assert_true(fail_in_turn(run_ingest) >= 7);
    registry_fixture_free(&fixture);
}

static int make_connection(void)
{
    struct source source = {.input = 0, .server_name = "a"};
    int fd = dup(STDIN_FILENO);
    struct frame_queue *const no_queues[] = {NULL};
    struct connection *connection = NULL;
    struct byte_stream *stream;

    if (byte_stream_create(&stream, fd, false, NULL) < 0) {
        return close(fd) < 0 ? 0 : -ENOMEM; /* still the caller's */
    }
    if (shard_open_source(aggregator_shard(fixture.aggregator, 0), &source) == 0) {
        connection = connection_create(stream, &source, no_queues, 512, 0);
        shard_close_source(aggregator_shard(fixture.aggregator, 0), &source);
    }
    if (connection == NULL) {
        byte_stream_free(stream); /* still the caller's */
        return -ENOMEM;
    }
    connection_free(connection);
    return 0;
}

static void test_connection_create(void **state)
{
    (void)state;
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    assert_int_equal(fail_in_turn(make_connection), 3);
    registry_fixture_free(&fixture);
}

static int read_file(void)
{
    struct text damage = {0};
    const struct file_reader_target target = {.shard = aggregator_shard(fixture.aggregator, 0),
                                              .server_name = "a",
                                              .max_frame_size = 4096};
    bool is_dnstap;
    int result = file_reader_run(config_path, &target, &is_dnstap, &damage);

    /* What could not be said is left out, and not printed as a NULL pointer. */
    bool null_printed = damage.len > 0 && strstr(damage.data, "(null)") != NULL;
    text_deinit(&damage);
    assert_false(null_printed);
    return result;
}

static void test_file_reader(void **state)
{
    static const char sound[] = "\0\0\0\0\0\0\0\4\0\0\0\2\0\0\0\0\0\0\0\4\0\0\0\3";
    FILE *file = fopen(config_path, "w");

    (void)state;
    assert_non_null(file);
    assert_int_equal(fwrite(sound, 1, sizeof sound - 1, file), sizeof sound - 1);
    (void)fclose(file);
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    assert_int_equal(fail_in_turn(read_file), 2);
    registry_fixture_free(&fixture);
}

/* Damage that cannot be described is damage all the same. */
static void test_damaged_file(void **state)
{
    static const char *const damaged[] = {"", "garbage!", "\x1f\x8bgarbage", "(\xb5/\xfdgarbage"};

    (void)state;
    assert_int_equal(registry_fixture_create(&fixture, &setup), 0);
    for (size_t i = 0; i < 2 * sizeof damaged / sizeof damaged[0]; i++) {
        write_config(damaged[i / 2]);
        only_one = i % 2 == 1;
        for (int count = 0; count < 8; count++) {
            atomic_store(&left, count);
            int result = read_file();
            atomic_store(&left, -1);
            assert_true(result < 0);
        }
    }
    only_one = false;
    registry_fixture_free(&fixture);
}

/* --- Print --- */

static const struct event *answer;

static int add_and_merge(struct passive_dns *one, struct passive_dns *other)
{
    int result = passive_dns_add(one, answer);

    return result == 0 ? passive_dns_merge(other, one) : result;
}

static int collect_records(void)
{
    struct passive_dns *one = NULL;
    struct passive_dns *other = NULL;
    int result = passive_dns_create(&one);

    if (result == 0) {
        result = passive_dns_create(&other);
    }
    if (result == 0) {
        result = add_and_merge(one, other);
    }
    passive_dns_free(one);
    passive_dns_free(other);
    return result;
}

static int list_files(void)
{
    struct file_list list = {0};
    struct ordered_output *output = NULL;
    struct text error = {0};
    int result = file_list_add(&list, config_path, &error);

    if (result == 0) {
        result = ordered_output_create(&output, (unsigned)list.count, 1);
    }
    ordered_output_free(output);
    file_list_deinit(&list);
    text_deinit(&error);
    return result;
}

/* A line that memory was missing for says so, and is not printed in part. */
static int print_line(void)
{
    struct message_text state = {0};
    struct text line = {0};

    message_text_json(&state, answer, &line);
    message_text_line(&state, answer, &line);
    int result = line.failed ? -ENOMEM : 0;
    text_deinit(&line);
    return result;
}

static void test_print(void **state)
{
    (void)state;
    answer = message_scene(SCENE_RESPONSE);
    assert_in_range(fail_in_turn(collect_records), 8, 16);
    assert_int_equal(fail_in_turn(list_files), 4);
    assert_in_range(fail_in_turn(print_line), 1, 8);
}

/* --- The program: start, reload, end --- */

static unsigned short free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Signals that wait are read in the order of their numbers: the program starts, reloads, ends. */
static int serve(void)
{
    const struct command_line line = {.file = config_path};
    struct settings settings;
    struct text error = {0};
    sigset_t waiting;

    (void)kill(getpid(), SIGHUP);
    (void)kill(getpid(), SIGTERM);
    int result = config_load(&settings_schema, line.file, NULL, 0, &settings, &error);
    text_deinit(&error);
    if (result < 0) {
        return result;
    }
    int status = program_serve(&line, &settings);
    config_deinit(&settings_schema, &settings);
    (void)sigpending(&waiting);
    bool ran = sigismember(&waiting, SIGTERM) == 0;
    assert_int_equal(status, ran ? EXIT_SUCCESS : EXIT_FAILURE);
    return ran && atomic_load(&failures) == 0 ? 0 : -ENOMEM;
}

/* Where one allocation fails, and where all do from then on, the program ends with an error or does
 * without; a reload that fails leaves everything as it is. */
static void test_program(void **state)
{
    sigset_t signals;
    sigset_t before;
    char yaml[512];

    (void)state;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    (void)snprintf(yaml, sizeof yaml,
                   "inputs: [{name: a, unix: \"%s.sock\"}]\n"
                   "web: {listen_addresses: [\"127.0.0.1:%u\"]}\n"
                   "log: {level: error}\nworkers: 1\nmatching: {capacity: 8}\n"
                   "top: {capacity: 10}\ndetection: {capacity: 10}\nlimits: {servers: 2}\n"
                   "public_suffix_list: \"\"\nsandbox: off\n", /* which nothing ends: below */
                   config_path, free_port());
    write_config(yaml);
    assert_true(fail_in_turn(serve) > 100);
    only_one = true;
    assert_true(fail_in_turn(serve) > 100);
    only_one = false;
    while (sigtimedwait(&signals, NULL, &(struct timespec){0}) > 0) { /* those not read */
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* --- The sandbox: whatever is in force is so in a process of its own --- */

static int restrict_process(void)
{
    const struct command_line line = {.file = config_path};
    struct settings settings;
    struct text error = {0};
    struct sandbox *sandbox;
    int count = atomic_exchange(&left, -1); /* the configuration is read by another test */

    if (config_load(&settings_schema, line.file, NULL, 0, &settings, &error) < 0) {
        _exit(EXIT_FAILURE);
    }
    atomic_store(&left, count);
    int result = sandbox_rules_start_service(&sandbox, &line, &settings, &error);
    atomic_store(&left, -1);
    if (result == 0) {
        sandbox_free(sandbox);
    }
    config_deinit(&settings_schema, &settings);
    text_deinit(&error);
    return result;
}

/* Its result is the child's exit status. */
static int restrict_child(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        int result = restrict_process();
        bool failed = atomic_load(&failures) > 0;
        _exit(result == (failed ? -ENOMEM : 0) ? 2 * failed : EXIT_FAILURE);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_sandbox(void **state)
{
    int status;
    int count = 0;

    (void)state;
    write_config("web: {listen_addresses: [\"127.0.0.1:1\"]}\n");
    do {
        atomic_store(&left, count++);
        status = restrict_child();
        atomic_store(&left, -1);
        assert_true(status == 0 || status == 2);
    } while (status != 0 && count < 1000);
    assert_true(count > 10 && status == 0);
}

static int make_file(void **state)
{
    (void)state;
    return temp_file_make(config_path);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(config_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_create),
        cmocka_unit_test(test_registry_write_page),
        cmocka_unit_test(test_registry_write_top),
        cmocka_unit_test(test_registry_set_suffixes),
        cmocka_unit_test(test_config_load),
        cmocka_unit_test(test_config_mistakes),
        cmocka_unit_test(test_default_socket),
        cmocka_unit_test(test_ingest_create),
        cmocka_unit_test(test_connection_create),
        cmocka_unit_test(test_file_reader),
        cmocka_unit_test(test_damaged_file),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_sandbox),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
