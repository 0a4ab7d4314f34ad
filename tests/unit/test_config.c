/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "support/temp_file.h"

static char path[] = "/tmp/dnstap_exporter-test-config-XXXXXX";

static void write_file(const char *content, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* The result; where it is an error, its text with FILE for the path in *error. */
static int load(const char *yaml, struct config_flags *flags, struct config *config,
                struct text *error)
{
    struct text raw = {0};

    if (yaml != NULL) {
        write_file(yaml, strlen(yaml));
        flags->file = path;
    }
    int result = config_load(config, flags, &raw);
    if (result == 0) {
        assert_int_equal(raw.len, 0);
    } else {
        assert_true(raw.len > 0);
        bool named = strncmp(raw.data, path, strlen(path)) == 0;
        text_clear(error);
        text_append_format(error, "%s%s", named ? "FILE" : "",
                           raw.data + (named ? strlen(path) : 0));
    }
    text_deinit(&raw);
    return result;
}

static struct config load_sound(const char *yaml)
{
    struct config_flags flags = {0};
    struct config config;
    struct text error = {0};
    int result = load(yaml, &flags, &config, &error);

    if (result != 0) {
        fail_msg("%s", error.data);
    }
    text_deinit(&error);
    return config;
}

/* --- Values
 * ----------------------------------------------------------------------------------------- */

static bool all_on(const bool *switches, unsigned count)
{
    unsigned on = 0;

    while (on < count && switches[on]) {
        on++;
    }
    return on == count;
}

/* `wire` is a name in wire format, its root label being the NUL. */
static bool is_allowed(const struct config *config, const char *wire)
{
    for (unsigned i = 0; i < config->allow_count; i++) {
        const struct config_name *name = &config->allow[i];
        if (name->len == strlen(wire) + 1 && memcmp(name->wire, wire, name->len) == 0) {
            return true;
        }
    }
    return false;
}

static void are_defaults(const struct config *config)
{
    assert_int_equal(config->input_count, 1);
    assert_true(config->default_input);
    assert_string_equal(config->inputs[0].name, "unix");
    assert_string_equal(config->inputs[0].path, "/run/dnstap_exporter/dnstap.sock");
    assert_null(config->inputs[0].address);
    assert_int_equal(config->inputs[0].mode, 0660);
    assert_int_equal(config->inputs[0].uid, CONFIG_ID_KEEP);
    assert_int_equal(config->inputs[0].gid, CONFIG_ID_KEEP);
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->web_address_count, 1);
    assert_string_equal(config->web_addresses[0], ":9353");
    assert_string_equal(config->web_config_file, "");
    assert_false(config->web_lifecycle);
    assert_int_equal(config->web_connections, 64);
    assert_int_equal(config->web_timeout_ns, 10 * NS_PER_SECOND);
    assert_int_equal(config->servers_max, 64);
    assert_int_equal(config->unassigned_qtypes_max, 32);
    assert_int_equal(config->connections_max, 128);
    assert_int_equal(config->frame_size_max, 131072);
    assert_int_equal(config->handshake_timeout_ns, 5 * NS_PER_SECOND);
    assert_int_equal(config->matching_capacity, 65536);
    assert_int_equal(config->matching_timeout_ns, 15 * NS_PER_SECOND);
    assert_int_equal(config->window_ns, 300 * NS_PER_SECOND);
    assert_int_equal(config->top_max_series, 10);
    assert_int_equal(config->top_capacity, 1000);
    assert_true(all_on(config->top_lists, CONFIG_TOP_LISTS));
    assert_true(all_on(config->distinct_counts, CONFIG_DISTINCT_COUNTS));
    assert_int_equal(config->client_ipv4_prefix, 32);
    assert_int_equal(config->client_ipv6_prefix, 128);
    assert_false(config->client_hash);
    assert_string_equal(config->suffix_list, CONFIG_DEFAULT_SUFFIX_LIST);
    assert_true(all_on(config->detectors, CONFIG_DETECTORS));
    assert_int_equal(config->detection_min_names[0], 30);
    assert_int_equal(config->detection_min_names[1], 300);
    assert_int_equal(config->detection_capacity, 500);
    assert_int_equal(config->detection_max_series, 50);
    assert_true(is_allowed(config, "\10spamhaus\3org"));
    assert_true(is_allowed(config, "\7in-addr\4arpa"));
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    assert_int_equal(config->log_format, LOG_FORMAT_LOGFMT);
}

static void test_defaults(void **state)
{
    static const char *const files[] = {NULL,           "",          "# nothing\n",
                                        "inputs: []\n", "web: {}\n", "--- {}\n"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        print_message("  %s\n", files[i] != NULL ? files[i] : "no file");
        struct config config = load_sound(files[i]);
        are_defaults(&config);
        config_deinit(&config);
    }
}

static void test_every_key(void **state)
{
    struct config config = load_sound("inputs:\n"
                                      "  - name: resolver-1_a.b\n"
                                      "    unix: /tmp/a.sock\n"
                                      "    mode: \"0666\"\n"
                                      "    owner: root\n"
                                      "    group: \"12345\"\n"
                                      "  - name: net\n"
                                      "    tcp: \"[::1]:6000\"\n"
                                      "workers: 3\n"
                                      "web:\n"
                                      "  listen_addresses: [localhost:80, \"[::1]:81\"]\n"
                                      "  config_file: web.yml\n"
                                      "  enable_lifecycle: true\n"
                                      "  connections: 10000\n"
                                      "  timeout: 1m30s\n"
                                      "limits:\n"
                                      "  servers: 1000\n"
                                      "  unassigned_qtypes: 0\n"
                                      "  connections: 1\n"
                                      "  frame_size: 512\n"
                                      "  handshake_timeout: 1h\n"
                                      "matching:\n"
                                      "  capacity: 8\n"
                                      "  timeout: 2500ms\n"
                                      "log:\n"
                                      "  level: debug\n"
                                      "  format: json\n");

    (void)state;
    assert_int_equal(config.input_count, 2);
    assert_false(config.default_input);
    assert_string_equal(config.inputs[0].name, "resolver-1_a.b");
    assert_string_equal(config.inputs[0].path, "/tmp/a.sock");
    assert_null(config.inputs[0].address);
    assert_int_equal(config.inputs[0].mode, 0666);
    assert_int_equal(config.inputs[0].uid, 0);
    assert_int_equal(config.inputs[0].gid, 12345);
    assert_string_equal(config.inputs[1].name, "net");
    assert_null(config.inputs[1].path);
    assert_string_equal(config.inputs[1].address, "[::1]:6000");
    assert_int_equal(config.workers, 3);
    assert_int_equal(config.web_address_count, 2);
    assert_string_equal(config.web_addresses[0], "localhost:80");
    assert_string_equal(config.web_addresses[1], "[::1]:81");
    assert_string_equal(config.web_config_file, "web.yml");
    assert_true(config.web_lifecycle);
    assert_false(config.web_systemd_socket);
    assert_int_equal(config.web_connections, 10000);
    assert_int_equal(config.web_timeout_ns, 90 * NS_PER_SECOND);
    assert_int_equal(config.servers_max, 1000);
    assert_int_equal(config.unassigned_qtypes_max, 0);
    assert_int_equal(config.connections_max, 1);
    assert_int_equal(config.frame_size_max, 512);
    assert_int_equal(config.handshake_timeout_ns, 3600 * NS_PER_SECOND);
    assert_int_equal(config.matching_capacity, 8);
    assert_int_equal(config.matching_timeout_ns, 2500 * NS_PER_MS);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(config.log_format, LOG_FORMAT_JSON);
    config_deinit(&config);
    config_deinit(&config); /* all zero now */
}

static void test_every_key_of_traffic(void **state)
{
    struct config config = load_sound("window: 1m\n"
                                      "public_suffix_list: /a/list.dat\n"
                                      "top:\n"
                                      "  max_series: 3\n"
                                      "  capacity: 40000\n"
                                      "distinct: {}\n"
                                      "privacy:\n"
                                      "  client_ipv4_prefix: 24\n"
                                      "  client_ipv6_prefix: 0\n"
                                      "  client_hash: true\n"
                                      "detection:\n"
                                      "  nxdomain_client: {min_names: 5}\n"
                                      "  nxdomain_domain: {min_names: 1000000}\n"
                                      "  capacity: 10\n"
                                      "  max_series: 1\n"
                                      "  allow_known: false\n"
                                      "  allow: [Example.ORG, \"a\\\\046b.example.\"]\n");

    (void)state;
    assert_int_equal(config.window_ns, 60 * NS_PER_SECOND);
    assert_string_equal(config.suffix_list, "/a/list.dat");
    assert_int_equal(config.top_max_series, 3);
    assert_int_equal(config.top_capacity, 40000);
    assert_int_equal(config.client_ipv4_prefix, 24);
    assert_int_equal(config.client_ipv6_prefix, 0);
    assert_true(config.client_hash);
    assert_int_equal(config.detection_min_names[0], 5);
    assert_int_equal(config.detection_min_names[1], 1000000);
    assert_int_equal(config.detection_capacity, 10);
    assert_int_equal(config.detection_max_series, 1);
    assert_int_equal(config.allow_count, 2);
    assert_true(is_allowed(&config, "\7example\3org"));
    assert_true(is_allowed(&config, "\3a.b\7example"));
    config_deinit(&config);
}

static unsigned count_on(const bool *switches, unsigned count)
{
    unsigned on = 0;

    for (unsigned i = 0; i < count; i++) {
        on += switches[i];
    }
    return on;
}

/* A list selects what it names, and nothing else; an empty one nothing; none everything. */
static void test_selections(void **state)
{
    static const char *const lists[CONFIG_TOP_LISTS] = {
        "client_queries", "client_nxdomains", "client_response_bytes",
        "qname_queries",  "qname_nxdomains",  "qname_servfails",
        "domain_queries", "domain_nxdomains", "domain_servfails"};
    static const char *const counts[CONFIG_DISTINCT_COUNTS] = {"clients", "qnames",
                                                               "nxdomain_qnames", "domains"};

    (void)state;
    for (unsigned i = 0; i < CONFIG_TOP_LISTS; i++) {
        struct text yaml = {0};
        text_append_format(&yaml, "top: {lists: [%s]}\ndistinct: {counts: [%s]}\n", lists[i],
                           counts[i % CONFIG_DISTINCT_COUNTS]);
        struct config config = load_sound(yaml.data);
        assert_true(config.top_lists[i]);
        assert_int_equal(count_on(config.top_lists, CONFIG_TOP_LISTS), 1);
        assert_true(config.distinct_counts[i % CONFIG_DISTINCT_COUNTS]);
        assert_int_equal(count_on(config.distinct_counts, CONFIG_DISTINCT_COUNTS), 1);
        config_deinit(&config);
        text_deinit(&yaml);
    }
    struct config none = load_sound("top: {lists: []}\ndistinct: {counts: []}\n");
    assert_int_equal(count_on(none.top_lists, CONFIG_TOP_LISTS), 0);
    assert_int_equal(count_on(none.distinct_counts, CONFIG_DISTINCT_COUNTS), 0);
    config_deinit(&none);
}

static void test_detectors(void **state)
{
    struct config config = load_sound("detection: {nxdomain_client: {enabled: false}}\n");

    (void)state;
    assert_false(config.detectors[0]);
    assert_true(config.detectors[1]);
    config_deinit(&config);
}

/* The file's names come on top of the known ones. */
static void test_allowed_names(void **state)
{
    struct config config = load_sound("detection: {allow: [a.example]}\n");

    (void)state;
    assert_true(is_allowed(&config, "\1a\7example"));
    assert_true(is_allowed(&config, "\10spamhaus\3org"));
    config_deinit(&config);
    config = load_sound("detection: {allow_known: false}\n");
    assert_int_equal(config.allow_count, 0);
    config_deinit(&config);
}

/* --- Mistakes
 * --------------------------------------------------------------------------------------- */

#define INPUT            "inputs:\n  - name: a\n"
#define SERVERS_EXPECTED "expected a number from 1 to 1000, got "

static void test_mistakes(void **state)
{
    static const struct {
        const char *yaml, *error;
    } cases[] = {
        {"limits:\n  servers: 0\n", "FILE:2: limits.servers: " SERVERS_EXPECTED "'0'"},
        {"limits:\n  servers: 1001\n", "FILE:2: limits.servers: " SERVERS_EXPECTED "'1001'"},
        {"limits:\n  servers: many\n", "FILE:2: limits.servers: " SERVERS_EXPECTED "'many'"},
        {"limits:\n  servers: -1\n", "FILE:2: limits.servers: " SERVERS_EXPECTED "'-1'"},
        {"limits:\n  servers: 1.5\n", "FILE:2: limits.servers: " SERVERS_EXPECTED "'1.5'"},
        {"limits:\n  servers:\n", "FILE:2: limits.servers: " SERVERS_EXPECTED "''"},
        {"limits:\n  servers: 4294967297\n",
         "FILE:2: limits.servers: " SERVERS_EXPECTED "'4294967297'"},
        {"limits:\n  unassigned_qtypes: 49\n",
         "FILE:2: limits.unassigned_qtypes: expected a number from 0 to 48, got '49'"},
        {"limits:\n  frame_size: 128k\n",
         "FILE:2: limits.frame_size: expected bytes from 512 to 1048576, got '128k'"},
        {"# one\n\nworkers: 65\n",
         "FILE:3: workers: expected a number from 0 (one for each CPU, at most 2) to 64, got '65'"},
        {"web:\n  listen_addresses:\n    - :1\n    - 9353\n",
         "FILE:4: web.listen_addresses[1]: expected HOST:PORT or :PORT, an IPv6 address in "
         "brackets, "
         "got '9353'"},
        {"web:\n  listen_addresses: :9353\n", "FILE:2: web.listen_addresses: expected a list"},
        {"native_histogram_schema: 4\n",
         "FILE:1: native_histogram_schema: expected a number from 0 to 3, got '4'"},
        {"web:\n  timeout: 10\n",
         "FILE:2: web.timeout: expected a duration from 1s to 1h, such as 10s, got '10'"},
        {"web:\n  timeout: 999ms\n",
         "FILE:2: web.timeout: expected a duration from 1s to 1h, such as 10s, got '999ms'"},
        {"matching:\n  capacity: 65536\n  timeout: 11m\n",
         "FILE:3: matching.timeout: expected a duration from 1s to 10m, such as 15s, got '11m'"},
        {"log:\n  level: INFO\n",
         "FILE:2: log.level: expected debug, info, warn or error, got 'INFO'"},
        {"log:\n  format: xml\n", "FILE:2: log.format: expected logfmt or json, got 'xml'"},

        {"window: 9s\n",
         "FILE:1: window: expected a duration from 10s to 1h, such as 5m, got '9s'"},
        {"public_suffix_list: list.dat\n",
         "FILE:1: public_suffix_list: expected an absolute path, or \"\", got 'list.dat'"},
        {"top:\n  max_series: 0\n", "FILE:2: top.max_series: " SERVERS_EXPECTED "'0'"},
        {"top:\n  capacity: 9\n",
         "FILE:2: top.capacity: expected a number from 10 to 40000, got '9'"},
        {"top:\n  lists:\n    - qname_queries\n    - qnames\n",
         "FILE:4: top.lists[1]: expected client_queries, client_nxdomains, client_response_bytes, "
         "qname_queries, qname_nxdomains, qname_servfails, domain_queries, domain_nxdomains or "
         "domain_servfails, got 'qnames'"},
        {"detection:\n  nxdomain_client: true\n",
         "FILE:2: detection.nxdomain_client: expected keys and values"},
        {"privacy:\n  client_ipv4_prefix: 33\n",
         "FILE:2: privacy.client_ipv4_prefix: expected a number from 0 to 32, got '33'"},
        {"privacy:\n  client_ipv6_prefix: /64\n",
         "FILE:2: privacy.client_ipv6_prefix: expected a number from 0 to 128, got '/64'"},
        {"privacy:\n  client_hash: 1\n",
         "FILE:2: privacy.client_hash: expected true or false, got '1'"},
        {"detection:\n  nxdomain_client:\n    min_names: 4\n",
         "FILE:3: detection.nxdomain_client.min_names: expected a number from 5 to 1000000, got "
         "'4'"},
        {"detection:\n  allow:\n    - good.example\n    - bad..example\n",
         "FILE:4: detection.allow[1]: expected a domain name, got 'bad..example'"},
        {"detection:\n  allow: [\".\"]\n",
         "FILE:2: detection.allow[0]: expected a domain name, got '.'"},
        {"detection:\n  allow: a.example\n", "FILE:2: detection.allow: expected a list"},

        /* Keys */
        {"wbe:\n  timeout: 1s\n", "FILE:1: wbe: there is no such key"},
        {"workers: 1\nweb:\n  port: 80\n", "FILE:3: web.port: there is no such key"},
        {INPUT "    path: /a\n", "FILE:3: inputs[0].path: there is no such key"},
        {"workers: 1\nworkers: 2\n", "FILE:2: workers: given twice"},
        {"web:\n  timeout: 1s\n  timeout: 1s\n", "FILE:3: web.timeout: given twice"},
        {"web: 80\n", "FILE:1: web: expected keys and values"},
        {"- web\n", "FILE:1: expected keys and values"},
        {"workers:\n  - 1\n", "FILE:1: workers: expected a single value"},
        {"inputs: /a\n", "FILE:1: inputs: expected a list"},
        {"inputs:\n  - /a\n", "FILE:2: inputs[0]: expected keys and values"},
        {"just text\n", "FILE:1: expected keys and values"},

        {"workers: 1\n---\nworkers: 2\n", "FILE:2: a second document"},

        /* Inputs */
        {"inputs:\n  - unix: /a\n", "FILE:2: inputs[0]: an input needs a name"},
        {INPUT, "FILE:2: inputs[0]: an input needs one of the keys unix and tcp"},
        {INPUT "    unix: /a\n    tcp: :1\n", "FILE:4: inputs[0].tcp: this input has unix already"},
        {INPUT "    unix: /a\n  - name: b\n    unix: /a\n",
         "FILE:5: inputs[1].unix: expected a path that no other input has, got '/a'"},
        {INPUT "    tcp: :1\n  - name: b\n    tcp: :1\n",
         "FILE:5: inputs[1].tcp: expected an address that no other input has, got ':1'"},
        {INPUT "    unix: a.sock\n",
         "FILE:3: inputs[0].unix: expected an absolute path of at most 107 bytes, got 'a.sock'"},
        {INPUT "    tcp: localhost\n", "FILE:3: inputs[0].tcp: expected HOST:PORT or :PORT, an "
                                       "IPv6 address in brackets, got 'localhost'"},
        {INPUT "    unix: /a\n    mode: rw\n",
         "FILE:4: inputs[0].mode: expected permission bits in octal, such as \"0660\", got 'rw'"},
        {INPUT "    unix: /a\n    owner: nobody-called-this\n",
         "FILE:4: inputs[0].owner: expected a user that exists, got 'nobody-called-this'"},
        {INPUT "    unix: /a\n    group: nobody-called-this\n",
         "FILE:4: inputs[0].group: expected a group that exists, got 'nobody-called-this'"},
        {INPUT "    tcp: :1\n    mode: \"0660\"\n",
         "FILE:3: inputs[0].tcp: mode, owner and group go with unix only"},
        {"inputs:\n  - name: a b\n    tcp: :1\n", "FILE:2: inputs[0].name: expected 1 to 64 "
                                                  "letters, digits, '_', '.' and '-', got 'a b'"},
        {"inputs:\n  - name: \"\"\n    tcp: :1\n", "FILE:2: inputs[0].name: expected 1 to 64 "
                                                   "letters, digits, '_', '.' and '-', got ''"},
        {INPUT "    tcp: :1\n  - name: a\n    tcp: :2\n",
         "FILE:4: inputs[1].name: expected a name that no other input has, got 'a'"},

        /* No YAML */
        {"web: [\n", NULL},
        {"web:\n\t- x\n", NULL},
        {"\"\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config_flags flags = {0};
        struct config config = {.workers = 77};
        struct text error = {0};

        print_message("  %s\n", cases[i].error != NULL ? cases[i].error : cases[i].yaml);
        assert_int_equal(load(cases[i].yaml, &flags, &config, &error), -EINVAL);
        if (cases[i].error != NULL) {
            assert_string_equal(error.data, cases[i].error);
        } else {
            assert_memory_equal(error.data, "FILE:", 5);
        }
        assert_null(strchr(error.data, '\n'));
        assert_int_equal(config.workers, 77); /* untouched */
        text_deinit(&error);
    }
}

static void test_no_file(void **state)
{
    struct config_flags flags = {.file = "/nonexistent/x.yml"};
    struct config config;
    struct text error = {0};

    (void)state;
    assert_int_equal(load(NULL, &flags, &config, &error), -EINVAL);
    assert_string_equal(error.data, "/nonexistent/x.yml: No such file or directory");
    flags.file = "/tmp";
    assert_int_equal(load(NULL, &flags, &config, &error), -EINVAL);
    text_deinit(&error);
}

static void test_bytes_that_are_no_text(void **state)
{
    static const char content[] = "web:\n  timeout: \0 1s\n\xff\xfe";
    struct config_flags flags = {.file = path};
    struct config config;
    struct text error = {0};

    (void)state;
    write_file(content, sizeof content - 1);
    assert_int_equal(config_load(&config, &flags, &error), -EINVAL);
    text_deinit(&error);
}

/* What takes libyaml a minute is refused at once; so is a file that is not one. */
static void test_bounds_of_the_file(void **state)
{
    static const char *const levels[] = {"[", "{a: ", "- ", "? "};
    static char yaml[200001];
    struct config_flags flags = {0};
    struct config config;
    struct text error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        size_t len = strlen(levels[i]);
        for (size_t at = 0; at + len < sizeof yaml; at += len) {
            memcpy(yaml + at, levels[i], len + 1);
        }
        assert_int_equal(load(yaml, &flags, &config, &error), -EINVAL);
        assert_string_equal(error.data, "FILE:1: more than 32 levels of lists and mappings");
    }
    flags.file = "/tmp";
    assert_int_equal(load(NULL, &flags, &config, &error), -EINVAL);
    assert_string_equal(error.data, "/tmp: not a regular file");
    text_deinit(&error);
}

static void test_too_many_inputs(void **state)
{
    struct text yaml = {0};

    (void)state;
    text_append_string(&yaml, "inputs:\n");
    for (unsigned i = 0; i < CONFIG_INPUTS_MAX; i++) {
        text_append_format(&yaml, "  - {name: i%u, tcp: \":%u\"}\n", i, i + 1);
    }
    struct config config = load_sound(yaml.data);
    assert_int_equal(config.input_count, CONFIG_INPUTS_MAX);
    assert_string_equal(config.inputs[63].name, "i63");
    config_deinit(&config);

    struct config_flags flags = {0};
    struct text error = {0};
    text_append_string(&yaml, "  - {name: more, tcp: \":99\"}\n");
    assert_int_equal(load(yaml.data, &flags, &config, &error), -EINVAL);
    assert_non_null(strstr(error.data, "inputs"));
    text_deinit(&error);
    text_deinit(&yaml);
}

/* --- Flags
 * ------------------------------------------------------------------------------------------ */

static void test_flags_over_file(void **state)
{
    struct config_flags flags = {
        .overrides = {{"log.level", "--log.level", "error"},
                      {"web.config_file", "--web.config.file", "w.yml"}},
        .override_count = 2,
        .web_addresses = {":1", ":3"},
        .web_address_count = 2,
        .unix_paths = {"/tmp/a", "/tmp/b"},
        .unix_path_count = 2,
        .tcp_addresses = {":2"},
        .tcp_address_count = 1,
    };
    struct config config;
    struct text error = {0};

    (void)state;
    assert_int_equal(load("log:\n  level: warn\n  format: json\n"
                          "inputs:\n  - name: x\n    tcp: :5\n"
                          "web: {listen_addresses: [\":4\"]}\n",
                          &flags, &config, &error),
                     0);
    assert_int_equal(config.log_level, LOG_LEVEL_ERROR);
    assert_int_equal(config.log_format, LOG_FORMAT_JSON);
    assert_int_equal(config.web_address_count, 2); /* likewise */
    assert_string_equal(config.web_addresses[0], ":1");
    assert_string_equal(config.web_addresses[1], ":3");
    assert_string_equal(config.web_config_file, "w.yml");
    assert_int_equal(config.input_count, 3); /* any flag replaces the inputs of the file */
    assert_false(config.default_input);
    assert_string_equal(config.inputs[0].name, "unix");
    assert_string_equal(config.inputs[0].path, "/tmp/a");
    assert_string_equal(config.inputs[1].name, "unix2");
    assert_string_equal(config.inputs[2].name, "tcp");
    assert_string_equal(config.inputs[2].address, ":2");
    config_deinit(&config);
    text_deinit(&error);
}

static void test_mistakes_in_flags(void **state)
{
    static const struct {
        struct config_flags flags;
        const char *error;
    } cases[] = {
        {{.overrides = {{"log.level", "--log.level", "x"}}, .override_count = 1},
         "--log.level: expected debug, info, warn or error, got 'x'"},
        {{.unix_paths = {"x"}, .unix_path_count = 1},
         "--input.unix: expected an absolute path of at most 107 bytes, got 'x'"},
        {{.tcp_addresses = {"x"}, .tcp_address_count = 1},
         "--input.tcp: expected HOST:PORT or :PORT, an IPv6 address in brackets, got 'x'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config_flags flags = cases[i].flags;
        struct config config;
        struct text error = {0};
        assert_int_equal(load(NULL, &flags, &config, &error), -EINVAL);
        assert_string_equal(error.data, cases[i].error);
        text_deinit(&error);
    }
}

static void test_socket_path_length(void **state)
{
    char long_path[109];

    (void)state;
    for (size_t len = 107; len <= 108; len++) {
        struct config_flags flags = {.unix_paths = {long_path}, .unix_path_count = 1};
        struct config config;
        struct text error = {0};

        memset(long_path, '/', len);
        long_path[len] = '\0';
        assert_int_equal(load(NULL, &flags, &config, &error), len == 107 ? 0 : -EINVAL);
        if (len == 107) {
            config_deinit(&config);
        }
        text_deinit(&error);
    }
}

/* --- While it runs
 * ---------------------------------------------------------------------------------- */

static struct text restarts;

static void note_restart(const char *key)
{
    text_append_string(&restarts, key);
    text_append_char(&restarts, ' ');
}

static void test_adopt(void **state)
{
    static const struct {
        const char *running, *fresh, *restarts;
    } cases[] = {
        {"", "", ""},
        {"", "limits: {connections: 5, handshake_timeout: 2s}\nlog: {level: warn, format: json}\n",
         ""},
        {"", "workers: 2\n", "workers "},
        {"", "web: {listen_addresses: [\":1\"], connections: 2, timeout: 2s}\n",
         "web.connections web.timeout web.listen_addresses "},
        {"", "web: {listen_addresses: [\":9353\", \":1\"]}\n", "web.listen_addresses "},
        {"", "web: {config_file: x.yml}\nnative_histogram_schema: 3\n", ""},
        {"", "web: {enable_lifecycle: true, systemd_socket: true}\nnative_histogram_schema: 1\n",
         "web.enable_lifecycle web.systemd_socket native_histogram_schema "},
        {"", "limits: {servers: 1, unassigned_qtypes: 1, frame_size: 600}\n",
         "limits.servers limits.unassigned_qtypes limits.frame_size "},
        {"", "matching: {capacity: 8, timeout: 2s}\n", "matching.capacity matching.timeout "},
        {"", "window: 1m\ntop: {max_series: 1, capacity: 10, lists: [qname_queries]}\n",
         "window top.max_series top.capacity top.lists "},
        {"", "distinct: {counts: [qnames]}\nprivacy: {client_ipv4_prefix: 24, client_hash: true}\n",
         "privacy.client_ipv4_prefix privacy.client_hash distinct.counts "},
        {"", "public_suffix_list: /x\ndetection: {allow_known: false, allow: [a.example]}\n", ""},
        {"detection: {allow_known: false}\n", "detection: {allow: [a.example]}\n", ""},
        {"",
         "detection: {nxdomain_domain: {enabled: false}, nxdomain_client: {min_names: 9}, "
         "capacity: 10}\n",
         "detection.nxdomain_client.min_names detection.nxdomain_domain.enabled "
         "detection.capacity "},
        {"", "inputs: [{name: a, tcp: \":1\"}]\n", "inputs "},
        {"inputs: [{name: a, tcp: \":1\"}]\n", "inputs: [{name: a, tcp: \":2\"}]\n", "inputs "},
        {"inputs: [{name: a, tcp: \":1\"}]\n", "inputs: [{name: b, tcp: \":1\"}]\n", "inputs "},
        {"inputs: [{name: a, unix: /a}]\n", "inputs: [{name: a, unix: /a, mode: \"0600\"}]\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config running = load_sound(cases[i].running);
        struct config fresh = load_sound(cases[i].fresh);

        text_clear(&restarts);
        text_append_string(&restarts, ">");
        unsigned allow_count = fresh.allow_count;
        char *suffix_list = strdup(fresh.suffix_list);
        char *web_config_file = strdup(fresh.web_config_file);
        config_adopt(&running, &fresh, note_restart);
        assert_int_equal(running.allow_count, allow_count);
        assert_string_equal(running.suffix_list, suffix_list);
        assert_string_equal(running.web_config_file, web_config_file);
        free(web_config_file);
        free(suffix_list);
        assert_string_equal(restarts.data + 1, cases[i].restarts);
        assert_int_equal(running.connections_max, fresh.connections_max);
        assert_int_equal(running.handshake_timeout_ns, fresh.handshake_timeout_ns);
        assert_int_equal(running.log_level, fresh.log_level);
        assert_int_equal(running.log_format, fresh.log_format);
        assert_int_equal(running.workers, 0);
        assert_string_equal(running.web_addresses[0], ":9353");
        if (cases[i].restarts[0] == '\0') {
            assert_int_equal(running.inputs[0].mode, fresh.inputs[0].mode);
        }
        config_deinit(&fresh);
        config_deinit(&running);
    }
    text_deinit(&restarts);
}

static int make_file(void **state)
{
    (void)state;
    return temp_file_make(path);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* --- Printing --- */

static void check_printed(const char *content)
{
    struct config config = load_sound(content);
    struct text printed = {0};
    struct text again = {0};

    config_print(&config, &printed);
    config_deinit(&config);
    config = load_sound(printed.data);
    config_print(&config, &again);
    assert_string_equal(again.data, printed.data);
    text_deinit(&again);
    text_deinit(&printed);
    config_deinit(&config);
}

/* What is printed is a configuration that prints the same. */
static void test_print(void **state)
{
    struct config config = load_sound("inputs: [{name: a, unix: \"/q\\\"\\\\\\x01\", group: 7}]\n"
                                      "matching: {timeout: 90s}\n"
                                      "detection: {allow: [a.EXAMPLE]}\n"
                                      "log: {level: warn, format: json}\n");
    static const char *const pieces[] = {
        "inputs:\n  -\n    name: \"a\"\n    unix: \"/q\\\"\\\\\\x01\"\n    mode: \"0660\"\n",
        "\n    group: 7\n    sampling: 1\nworkers: 0\nweb:\n  listen_addresses:\n    - \":9353\"\n",
        "\nmatching:\n  capacity: 65536\n  timeout: 90s\n",
        "\nwindow: 5m\n",
        "\n  allow_known: true\n  allow:\n    - \"a.example.\"\nlog:\n",
        "\nlog:\n  level: warn\n  format: json\n",
    };
    struct text printed = {0};

    (void)state;
    config_print(&config, &printed);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (strstr(printed.data, pieces[i]) == NULL) {
            fail_msg("no %s in %s", pieces[i], printed.data);
        }
    }
    text_deinit(&printed);
    config_deinit(&config);
    check_printed("");
    check_printed("inputs: [{name: a, unix: \"/q\\\"\\x01\", mode: \"0600\", owner: 1, group: 7},\n"
                  "         {name: b, tcp: \":1\"}]\n"
                  "workers: 3\nweb: {listen_addresses: [\":1\", \"[::1]:2\"], config_file: 'a b'}\n"
                  "limits: {handshake_timeout: 1500ms}\npublic_suffix_list: \"\"\n"
                  "detection: {allow_known: false, allow: [a.example, 'b\\046c.example']}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_every_key_of_traffic),
        cmocka_unit_test(test_selections),
        cmocka_unit_test(test_detectors),
        cmocka_unit_test(test_allowed_names),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_bounds_of_the_file),
        cmocka_unit_test(test_too_many_inputs),
        cmocka_unit_test(test_flags_over_file),
        cmocka_unit_test(test_mistakes_in_flags),
        cmocka_unit_test(test_socket_path_length),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
