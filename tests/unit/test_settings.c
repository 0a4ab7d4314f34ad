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
#include "program/settings.h"
#include "stream/zstd_packer.h"
#include "support/random.h"
#include "support/temp_file.h"

static char path[] = "/tmp/dnstap_exporter-test-config-XXXXXX";

static void write_file(const char *content, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

struct flags {
    struct config_override overrides[INPUTS_MAX + 2];
    unsigned count;
};

static const struct flags no_flags;

/* The result; where it is an error, its text with FILE for the path in *error. */
static int load(const char *yaml, const struct flags *flags, struct settings *settings,
                struct text *error)
{
    struct text raw = {0};

    if (yaml != NULL) {
        write_file(yaml, strlen(yaml));
    }
    int result = config_load(&settings_schema, yaml != NULL ? path : NULL, flags->overrides,
                             flags->count, settings, &raw);
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

static void load_sound(const char *yaml, struct settings *settings)
{
    struct text error = {0};
    int result = load(yaml, &no_flags, settings, &error);

    if (result != 0) {
        fail_msg("%s", error.data);
    }
    text_deinit(&error);
}

static void deinit(struct settings *settings)
{
    config_deinit(&settings_schema, settings);
}

/* --- Values
 * ----------------------------------------------------------------------------------------- */

static bool is_endpoint(const struct endpoint *endpoint, const char *text)
{
    char place[ENDPOINT_TEXT_SIZE];

    return strcmp(endpoint_print(endpoint, place), text) == 0;
}

static void are_defaults(const struct settings *config)
{
    assert_int_equal(config->input_count, 1);
    assert_true(config->has_default_input);
    assert_string_equal(config->inputs[0].name, "unix");
    assert_true(is_endpoint(&config->inputs[0].endpoint, "/run/dnstap_exporter/dnstap.sock"));
    assert_int_equal(config->inputs[0].mode, 0660);
    assert_int_equal(config->inputs[0].owner.number, CONFIG_ID_KEEP);
    assert_int_equal(config->inputs[0].group.number, CONFIG_ID_KEEP);
    assert_string_equal(config->archive.folder, "");
    assert_true(config->archive.max_bytes == UINT64_C(1) << 30);
    assert_true(config->archive.max_age_ns == 7 * 86400 * NS_PER_SECOND);
    assert_true(config->archive.rotate_bytes == 64 << 20);
    assert_true(config->archive.rotate_interval_ns == 600 * NS_PER_SECOND);
    assert_false(config->archive.allow_addresses);
    assert_int_equal(config->ingest.workers, 0);
    assert_int_equal(config->web.listen_addresses.count, 1);
    assert_string_equal(config->web.listen_addresses.items[0], ":9353");
    assert_string_equal(config->web.config_file, "");
    assert_false(config->web.lifecycle);
    assert_int_equal(config->web.connections_max, 64);
    assert_int_equal(config->web.timeout_ns, 10 * NS_PER_SECOND);
    assert_int_equal(config->limits.servers, 64);
    assert_int_equal(config->limits.qtypes, 32);
    assert_false(config->limits.answers);
    assert_int_equal(config->ingest.connections_max, 128);
    assert_int_equal(config->ingest.frame_size_max, 131072);
    assert_int_equal(config->ingest.handshake_timeout_ns, 5 * NS_PER_SECOND);
    assert_int_equal(config->limits.matching_capacity, 65536);
    assert_int_equal(config->limits.matching_timeout_ns, 15 * NS_PER_SECOND);
    assert_int_equal(config->top.window_ns, 300 * NS_PER_SECOND);
    assert_int_equal(config->top.max_series, 10);
    assert_int_equal(config->top.capacity, 1000);
    assert_int_equal(config->top.lists, (1 << TOP_LIST_COUNT) - 1);
    assert_int_equal(config->top.distincts, 15);
    assert_int_equal(config->privacy.ipv4_prefix, 32);
    assert_int_equal(config->privacy.ipv6_prefix, 128);
    assert_false(config->privacy.hashed);
    assert_string_equal(config->suffixes.list, SUFFIX_LIST_DEFAULT);
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        assert_true(config->detectors.detectors[i].enabled);
        size_t most = detector_at(i)->suspects_max;
        assert_int_equal(config->detectors.detectors[i].capacity, most > 0 ? most : 500);
    }
    assert_int_equal(config->detectors.detectors[DETECTOR_amplification].threshold, 100000);
    assert_int_equal(config->detectors.detectors[DETECTOR_rebinding].threshold, 10);
    assert_true(config->detectors.detectors[DETECTOR_new_domain].learning_ns ==
                86400 * NS_PER_SECOND);
    assert_string_equal(config->detectors.detectors[DETECTOR_new_domain].state_file, "");
    assert_int_equal(config->block_list_count, 0);
    assert_int_equal(config->detection.block_list_names_max, 1000000);
    assert_int_equal(config->detectors.detectors[DETECTOR_nxdomain_client].threshold, 6);
    assert_int_equal(config->detectors.detectors[DETECTOR_nxdomain_domain].threshold, 150);
    assert_int_equal(config->detectors.detectors[DETECTOR_tunnel].threshold, 1500);
    assert_int_equal(config->detection.client_ipv6_prefix, 64);
    assert_int_equal(config->detection.forwarders.count, 0);
    assert_int_equal(config->suffixes.own_domains.count, 1);
    assert_string_equal(config->suffixes.own_domains.items[0], "cluster.local");
    assert_int_equal(config->detection.capacity, 500);
    assert_int_equal(config->detection.max_series, 50);
    assert_true(config->suffixes.allow_known);
    assert_int_equal(config->suffixes.allow.count, 0);
    assert_int_equal(config->log.level, LOG_LEVEL_INFO);
    assert_int_equal(config->log.format, LOG_FORMAT_LOGFMT);
}

static void test_defaults(void **state)
{
    static const char *const files[] = {NULL,
                                        "",
                                        "# nothing\n",
                                        "inputs: []\n",
                                        "web: {}\n",
                                        "--- {}\n",
                                        "inputs:\noutputs:\ntop:\n  lists:\nlimits:\n"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        print_message("  %s\n", files[i] != NULL ? files[i] : "no file");
        static struct settings config;

        load_sound(files[i], &config);
        are_defaults(&config);
        deinit(&config);
    }
}

static void test_every_key(void **state)
{
    static struct settings config;

    load_sound("inputs:\n"
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
               "answers: true\n"
               "log:\n"
               "  level: debug\n"
               "  format: json\n",
               &config);

    (void)state;
    assert_int_equal(config.input_count, 2);
    assert_false(config.has_default_input);
    assert_string_equal(config.inputs[0].name, "resolver-1_a.b");
    assert_true(is_endpoint(&config.inputs[0].endpoint, "/tmp/a.sock"));
    assert_int_equal(config.inputs[0].mode, 0666);
    assert_int_equal(config.inputs[0].owner.number, 0);
    assert_int_equal(config.inputs[0].group.number, 12345);
    assert_string_equal(config.inputs[1].name, "net");
    assert_true(is_endpoint(&config.inputs[1].endpoint, "[::1]:6000"));
    assert_int_equal(config.ingest.workers, 3);
    assert_int_equal(config.web.listen_addresses.count, 2);
    assert_string_equal(config.web.listen_addresses.items[0], "localhost:80");
    assert_string_equal(config.web.listen_addresses.items[1], "[::1]:81");
    assert_string_equal(config.web.config_file, "web.yml");
    assert_true(config.web.lifecycle);
    assert_false(config.web.systemd_socket);
    assert_int_equal(config.web.connections_max, 10000);
    assert_int_equal(config.web.timeout_ns, 90 * NS_PER_SECOND);
    assert_int_equal(config.limits.servers, 1000);
    assert_int_equal(config.limits.qtypes, 0);
    assert_int_equal(config.ingest.connections_max, 1);
    assert_int_equal(config.ingest.frame_size_max, 512);
    assert_int_equal(config.ingest.handshake_timeout_ns, 3600 * NS_PER_SECOND);
    assert_int_equal(config.limits.matching_capacity, 8);
    assert_int_equal(config.limits.matching_timeout_ns, 2500 * NS_PER_MS);
    assert_true(config.limits.answers);
    assert_int_equal(config.log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(config.log.format, LOG_FORMAT_JSON);
    deinit(&config);
    deinit(&config); /* all zero now */
}

static void test_every_key_of_traffic(void **state)
{
    static struct settings config;

    load_sound("window: 1m\n"
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
               "  nxdomain_client: {min_domains: 5}\n"
               "  nxdomain_domain: {min_names: 1000000}\n"
               "  capacity: 10\n"
               "  max_series: 1\n"
               "  allow_known: false\n"
               "  allow: [Example.ORG, \"a\\\\046b.example.\"]\n",
               &config);

    (void)state;
    assert_int_equal(config.top.window_ns, 60 * NS_PER_SECOND);
    assert_string_equal(config.suffixes.list, "/a/list.dat");
    assert_int_equal(config.top.max_series, 3);
    assert_int_equal(config.top.capacity, 40000);
    assert_int_equal(config.privacy.ipv4_prefix, 24);
    assert_int_equal(config.privacy.ipv6_prefix, 0);
    assert_true(config.privacy.hashed);
    assert_int_equal(config.detectors.detectors[DETECTOR_nxdomain_client].threshold, 5);
    assert_int_equal(config.detectors.detectors[DETECTOR_nxdomain_domain].threshold, 1000000);
    assert_int_equal(config.detection.capacity, 10);
    assert_int_equal(config.detection.max_series, 1);
    assert_int_equal(config.suffixes.allow.count, 2);
    assert_string_equal(config.suffixes.allow.items[0], "Example.ORG");
    deinit(&config);
}

/* A list selects what it names, and nothing else; an empty one nothing; none everything. */
static void test_selections(void **state)
{
    static const char *const counts[] = {"clients", "qnames", "nxdomain_qnames", "domains"};

    (void)state;
    for (unsigned i = 0; i < TOP_LIST_COUNT; i++) {
        struct settings settings;
        struct text yaml = {0};
        text_append_format(&yaml, "top: {lists: [%s]}\ndistinct: {counts: [%s]}\n",
                           top_list_names[i], counts[i % 4]);
        load_sound(yaml.data, &settings);
        assert_int_equal(settings.top.lists, UINT64_C(1) << i);
        assert_int_equal(settings.top.distincts, UINT64_C(1) << i % 4);
        deinit(&settings);
        text_deinit(&yaml);
    }
    struct settings none;
    load_sound("top: {lists: []}\ndistinct: {counts: []}\n", &none);
    assert_int_equal(none.top.lists, 0);
    assert_int_equal(none.top.distincts, 0);
    deinit(&none);
}

/* Clients of both families are one word. */
static void test_shape(void **state)
{
    struct settings settings;

    (void)state;
    load_sound("distinct: {counts: [clients, domains]}\ntop: {capacity: 77}\n", &settings);
    const struct pane_shape shape = top_settings_shape(&settings.top);
    assert_int_equal(shape.distincts, 1 << DISTINCT_CLIENTS_IPV4 | 1 << DISTINCT_CLIENTS_IPV6 |
                                          1 << DISTINCT_DOMAINS);
    assert_int_equal(shape.lists, (1 << TOP_LIST_COUNT) - 1);
    assert_int_equal(shape.capacity, 77);
    deinit(&settings);
}

static void test_detectors(void **state)
{
    static struct settings config;

    load_sound("detection: {nxdomain_client: {enabled: false}}\n", &config);

    (void)state;
    assert_false(config.detectors.detectors[DETECTOR_nxdomain_client].enabled);
    assert_true(config.detectors.detectors[DETECTOR_nxdomain_domain].enabled);
    deinit(&config);
}

/* `wire` is a name in wire format, its root label being the NUL. */
static bool is_allowed(const struct settings *settings, const char *wire)
{
    struct allowed_name *names;
    size_t count;
    bool found = false;

    assert_int_equal(suffix_settings_allowed(&settings->suffixes, &names, &count), 0);
    for (size_t i = 0; i < count; i++) {
        found |= names[i].len == strlen(wire) + 1 && memcmp(names[i].wire, wire, names[i].len) == 0;
    }
    free(names);
    return found;
}

/* The file's names come on top of the known ones. */
/* Who writes YAML 1.1 makes true of on, and false of off. */
static void test_sandbox(void **state)
{
    static const struct {
        const char *yaml;
        bool sandbox;
        uint32_t user;
    } cases[] = {
        {"log: {level: info}\n", true, CONFIG_ID_KEEP}, {"sandbox: off\n", false, CONFIG_ID_KEEP},
        {"sandbox: false\n", false, CONFIG_ID_KEEP},    {"sandbox: true\n", true, CONFIG_ID_KEEP},
        {"sandbox: on\nuser: root\n", true, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings settings;
        load_sound(cases[i].yaml, &settings);
        assert_int_equal(settings.process.sandbox, cases[i].sandbox);
        assert_int_equal(settings.process.user.number, cases[i].user);
        deinit(&settings);
    }
}

static void test_allowed_names(void **state)
{
    struct settings settings;

    (void)state;
    load_sound("detection: {allow: [a.EXAMPLE, 'a\\046b.example.']}\n", &settings);
    assert_true(is_allowed(&settings, "\1a\7example"));
    assert_true(is_allowed(&settings, "\3a.b\7example"));
    assert_true(is_allowed(&settings, "\10spamhaus\3org"));
    assert_true(is_allowed(&settings, "\7in-addr\4arpa"));
    deinit(&settings);
    load_sound("detection: {allow_known: false, allow: [a.example]}\n", &settings);
    assert_true(is_allowed(&settings, "\1a\7example"));
    assert_false(is_allowed(&settings, "\10spamhaus\3org"));
    deinit(&settings);
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
        {"answers: some\n", "FILE:1: answers: expected true or false, got 'some'"},
        {"limits:\n  unassigned_qtypes: 49\n",
         "FILE:2: limits.unassigned_qtypes: expected a number from 0 to 48, got '49'"},
        {"limits:\n  frame_size: 128k\n",
         "FILE:2: limits.frame_size: expected a number of bytes from 512 to 1048576, got '128k'"},
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
        {"archive:\n  folder: a\n",
         "FILE:2: archive.folder: expected an absolute path, or \"\", got 'a'"},
        {"archive: {folder: /a, max_bytes: 1MB}\n",
         "FILE:1: archive.max_bytes: expected a number of bytes from 1MiB to 1024TiB, such as "
         "1GiB, got '1MB'"},
        {"sandbox: 1\n", "FILE:1: sandbox: expected on or off, got '1'"},
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
         "qname_queries, qname_nxdomains, qname_servfails, domain_queries, domain_nxdomains, "
         "domain_servfails, upstream_queries, upstream_unanswered, upstream_servfails or "
         "upstream_response_seconds, got 'qnames'"},
        {"detection:\n  nxdomain_client: true\n",
         "FILE:2: detection.nxdomain_client: expected keys and values"},
        {"privacy:\n  client_ipv4_prefix: 33\n",
         "FILE:2: privacy.client_ipv4_prefix: expected a number from 0 to 32, got '33'"},
        {"privacy:\n  client_ipv6_prefix: /64\n",
         "FILE:2: privacy.client_ipv6_prefix: expected a number from 0 to 128, got '/64'"},
        {"privacy:\n  client_hash: 1\n",
         "FILE:2: privacy.client_hash: expected true or false, got '1'"},
        {"detection:\n  forwarders:\n  - 192.0.2.1\n  - 192.0.2.0/33\n",
         "FILE:4: detection.forwarders[1]: expected an address or a network, as 192.0.2.0/24, got "
         "'192.0.2.0/33'"},
        {"detection: {own_domains: [a..b]}\n",
         "FILE:1: detection.own_domains[0]: expected a domain name, got 'a..b'"},
        {"detection: {client_ipv6_prefix: 15}\n",
         "FILE:1: detection.client_ipv6_prefix: expected a number from 16 to 128, got '15'"},
        {"detection:\n  nxdomain_client:\n    min_domains: 2\n",
         "FILE:3: detection.nxdomain_client.min_domains: expected a number from 3 to 1000000, got "
         "'2'"},
        {"detection:\n  allow:\n    - good.example\n    - bad..example\n",
         "FILE:4: detection.allow[1]: expected a domain name, got 'bad..example'"},
        {"detection:\n  allow: [\".\"]\n",
         "FILE:2: detection.allow[0]: expected a domain name, got '.'"},
        {"detection:\n  allow: a.example\n", "FILE:2: detection.allow: expected a list"},

        /* Keys */
        {"wbe:\n  timeout: 1s\n", "FILE:1: wbe: there is no such key"},
        {"workers: 1\nweb:\n  port: 80\n", "FILE:3: web.port: there is no such key"},
        {INPUT "    path: /a\n", "FILE:3: inputs[0].path: there is no such key"},
        {"limits.servers: 1\n", "FILE:1: limits.servers: there is no such key"},
        {"inputs:\n  - a.name: b\n", "FILE:2: inputs[0].a.name: there is no such key"},
        {"\"a\\nb\": 1\n", "FILE:1: a?b: there is no such key"},
        {"? [a]\n: 1\n", "FILE:1: a key has to be a single value"},
        {"log: {level: \"a\\nb\"}\n",
         "FILE:1: log.level: expected debug, info, warn or error, got 'a?b'"},
        {"log: {level: \"info\\0\"}\n", "FILE:1: log.level: a zero byte in a value"},
        {"top:\n  lists: 1\n", "FILE:2: top.lists: expected a list"},
        {"limits: \"\"\n", "FILE:1: limits: expected keys and values"},
        {"web: {listen_addresses: []}\n",
         "FILE:1: web.listen_addresses: expected a list that is not empty"},
        {"top: {lists: [[a]]}\n", "FILE:1: top.lists[0]: expected a single value"},
        {"web:\n  listen_addresses: [\":1\", \":2\", \":3\", \":4\", \":5\", \":6\", \":7\", "
         "\":8\", \":9\"]\n",
         "FILE:2: web.listen_addresses: more than 8 entries"},
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
        {INPUT, "FILE:2: inputs[0]: an input needs one of the keys unix, tcp and connect"},
        {INPUT "    unix: /a\n    tcp: :1\n", "FILE:4: inputs[0].tcp: this entry has unix already"},
        {INPUT "    unix: /a\n  - name: b\n    unix: /a\n",
         "FILE:5: inputs[1].unix: another input has this endpoint"},
        {INPUT "    tcp: :1\n  - name: b\n    tcp: :1\n",
         "FILE:5: inputs[1].tcp: another input has this endpoint"},
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
         "FILE:4: inputs[0].mode: this key goes with unix only"},
        {"inputs:\n  - name: a b\n    tcp: :1\n", "FILE:2: inputs[0].name: expected 1 to 64 "
                                                  "letters, digits, '_', '.' and '-', got 'a b'"},
        {"inputs:\n  - name: \"\"\n    tcp: :1\n", "FILE:2: inputs[0].name: expected 1 to 64 "
                                                   "letters, digits, '_', '.' and '-', got ''"},
        {INPUT "    tcp: :1\n  - name: a\n    tcp: :2\n",
         "FILE:4: inputs[1].name: another input has this name"},

        {INPUT "    tcp: :1\n  - name: b\n    tcp: \"[::]:1\"\n",
         "FILE:5: inputs[1].tcp: another input has this endpoint"},
        {INPUT "    unix: /a\n  - name: b\n    unix: //./a\n",
         "FILE:5: inputs[1].unix: another input has this endpoint"},

        /* Outputs */
        {"outputs:\n  - unix: /a\n", "FILE:2: outputs[0]: an output needs a name"},
        {"outputs:\n  - name: a\n",
         "FILE:2: outputs[0]: an output needs one of the keys unix and tcp"},
        {"outputs:\n  - {name: a, unix: /a}\n  - {name: a, unix: /b}\n",
         "FILE:3: outputs[1].name: another output has this name"},
        {"outputs:\n  - {name: a, unix: /a}\n  - {name: b, unix: //a}\n",
         "FILE:3: outputs[1].unix: another output has this endpoint"},
        {"outputs:\n  - {name: a, unix: /a, inputs: []}\n",
         "FILE:2: outputs[0].inputs: expected a list that is not empty"},
        {"outputs:\n  - name: a\n    tcp: localhost:1\n",
         "FILE:3: outputs[0].tcp: expected ADDRESS:PORT without a name, an IPv6 address in "
         "brackets, got 'localhost:1'"},
        {"outputs:\n  - name: a\n    unix: /run/dnstap_exporter/dnstap.sock\n",
         "FILE:3: outputs[0].unix: this is an input of this exporter"},
        {"outputs:\n  - name: a\n    unix: /a\n    queue: 1\n",
         "FILE:4: outputs[0].queue: expected a number of bytes from 2097152 to 1073741824, got "
         "'1'"},
        {"outputs:\n  - name: a\n    unix: /a\n    inputs:\n      - unix\n      - x\n",
         "FILE:6: outputs[0].inputs[1]: expected the name of an input, got 'x'"},

        /* Connections that the exporter makes */
        {INPUT "    connect: ns1.example:6000\n",
         "FILE:3: inputs[0].connect: expected unix:/PATH, tcp://ADDRESS:PORT or "
         "tls://ADDRESS:PORT, an IPv6 address in brackets, got 'ns1.example:6000'"},
        {INPUT "    unix: /a\n    connect: unix:/b\n",
         "FILE:4: inputs[0].connect: this entry has unix already"},
        {INPUT "    connect: unix:/b\n    tcp: :1\n",
         "FILE:4: inputs[0].tcp: this entry has connect already"},
        {INPUT "    connect: unix:/a\n  - name: b\n    unix: //a\n",
         "FILE:5: inputs[1].unix: another input has this endpoint"},
        {INPUT "    connect: unix:/a\n    mode: \"0600\"\n",
         "FILE:4: inputs[0].mode: this key goes with unix only"},

        /* TLS */
        {INPUT "    connect: tls://192.0.2.1:1\n",
         "FILE:2: inputs[0]: tls:// needs a mapping `tls` with ca_file"},
        {INPUT "    connect: tls://192.0.2.1:1\n    tls: {server_name: a}\n",
         "FILE:4: inputs[0].tls: missing ca_file"},
        {INPUT "    connect: tcp://192.0.2.1:1\n    tls: {ca_file: /c}\n",
         "FILE:4: inputs[0].tls: there is TLS with tcp and with connect: tls:// only"},
        {INPUT "    unix: /a\n    tls: {cert_file: /c, key_file: /k}\n",
         "FILE:4: inputs[0].tls: there is TLS with tcp and with connect: tls:// only"},
        {INPUT "    connect: tls://192.0.2.1:1\n    tls: {ca_file: /a, cert_file: /c}\n",
         "FILE:4: inputs[0].tls: missing key_file"},
        {INPUT "    connect: tls://192.0.2.1:1\n    tls: {client_ca_file: /c}\n",
         "FILE:4: inputs[0].tls.client_ca_file: this key goes with tcp only"},
        {INPUT "    tcp: :1\n    tls:\n      ca_file: /c\n",
         "FILE:5: inputs[0].tls.ca_file: this key goes with connect only"},
        {INPUT "    tcp: :1\n    tls: {client_ca_file: /c}\n",
         "FILE:4: inputs[0].tls: missing cert_file and key_file"},
        {INPUT "    tcp: :1\n    tls: {cert_file: /c, key_file: /k, client_allowed_sans: [a]}\n",
         "FILE:4: inputs[0].tls.client_allowed_sans: this key goes with tls.client_ca_file only"},
        {INPUT "    tcp: :1\n    tls:\n      cert_file: /c\n      cert_file: /c\n",
         "FILE:6: inputs[0].tls.cert_file: given twice"},
        {INPUT "    tcp: :1\n    tls: {min_version: TLS11}\n",
         "FILE:4: inputs[0].tls.min_version: expected TLS12 or TLS13, got 'TLS11'"},
        {INPUT "    tcp: :1\n    tls: yes\n", "FILE:4: inputs[0].tls: expected keys and values"},
        {INPUT "    tcp: :1\n    tls: {key: /k}\n",
         "FILE:4: inputs[0].tls.key: there is no such key"},
        {INPUT "    tcp: :1\n    cert_file: /k\n",
         "FILE:4: inputs[0].cert_file: there is no such key"},
        {"outputs:\n  - name: a\n    unix: /a\n    tls: {ca_file: /c}\n",
         "FILE:4: outputs[0].tls.ca_file: this key goes with tcp only"},
        {"outputs:\n  - name: a\n    tcp: 192.0.2.1:1\n    tls: {cert_file: /c, key_file: /k}\n",
         "FILE:4: outputs[0].tls: missing ca_file"},

        /* No YAML */
        {"web: [\n", NULL},
        {"web:\n\t- x\n", NULL},
        {"\"\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct settings untouched = {.ingest = {.workers = 77}};
        struct text error = {0};

        print_message("  %s\n", cases[i].error != NULL ? cases[i].error : cases[i].yaml);
        assert_int_equal(load(cases[i].yaml, &no_flags, &untouched, &error), -EINVAL);
        if (cases[i].error != NULL) {
            assert_string_equal(error.data, cases[i].error);
        } else {
            assert_memory_equal(error.data, "FILE:", 5);
        }
        assert_null(strchr(error.data, '\n'));
        assert_int_equal(untouched.ingest.workers, 77);
        text_deinit(&error);
    }
}

static int load_path(const char *file, struct text *error)
{
    struct settings settings;

    text_clear(error);
    return config_load(&settings_schema, file, NULL, 0, &settings, error);
}

static void test_no_file(void **state)
{
    struct text error = {0};

    (void)state;
    assert_int_equal(load_path("/nonexistent/x.yml", &error), -EINVAL);
    assert_string_equal(error.data, "/nonexistent/x.yml: No such file or directory");
    assert_int_equal(load_path("/tmp", &error), -EINVAL);
    assert_string_equal(error.data, "/tmp: not a regular file");
    text_deinit(&error);
}

static void test_bytes_that_are_no_text(void **state)
{
    static const char content[] = "web:\n  timeout: \0 1s\n\xff\xfe";
    struct text error = {0};

    (void)state;
    write_file(content, sizeof content - 1);
    assert_int_equal(load_path(path, &error), -EINVAL);
    text_deinit(&error);
}

/* What takes libyaml a minute is refused at once; so is a file that is not one. */
static void test_bounds_of_the_file(void **state)
{
    static const char *const levels[] = {"[", "{a: ", "- ", "? "};
    static char yaml[200001];
    struct settings settings;
    struct text error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        size_t len = strlen(levels[i]);
        for (size_t at = 0; at + len < sizeof yaml; at += len) {
            memcpy(yaml + at, levels[i], len + 1);
        }
        assert_int_equal(load(yaml, &no_flags, &settings, &error), -EINVAL);
        assert_string_equal(error.data, "FILE:1: more than 32 levels of lists and mappings");
    }
    text_deinit(&error);
}

/* Large files of every kind are refused, with a line that is short: no check takes longer than the
 * file has keys. */
static void test_large_files(void **state)
{
    static const struct {
        const char *head, *piece, *error;
        size_t size;
    } cases[] = {
        {"", "# comment\n", "FILE: larger than 1048576 bytes", 1100000},
        {"detection: {allow: [a", ",a", NULL, 1000000}, /* it never ends */
        {"detection:\n  allow:\n", "    - a\n", "FILE:2: detection.allow: more than 1000 entries",
         1000000},
        {"inputs:\n", "  - {}\n", "FILE:1: inputs: more than 64 entries", 1000000},
        {"", "workers: 1\n", "FILE:2: workers: given twice", 1000000},
        {"x", "x", "FILE:1: expected keys and values", 1000000},
        {"log: {level: ", "x", NULL, 1000000},
        {"log:\n  level: ", "y",
         "FILE:2: log.level: expected debug, info, warn or error, got "
         "'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
         "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
         "yyyyyyyyyyyyyyyyyyyy...'",
         1000000},
        {"", "k", "FILE:1: expected keys and values", 1000000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings settings;
        struct text yaml = {0};
        struct text error = {0};

        text_append_string(&yaml, cases[i].head);
        while (yaml.len < cases[i].size) {
            text_append_string(&yaml, cases[i].piece);
        }
        assert_int_equal(load(yaml.data, &no_flags, &settings, &error), -EINVAL);
        if (cases[i].error != NULL) {
            assert_string_equal(error.data, cases[i].error);
        }
        assert_true(error.len < 300);
        text_deinit(&error);
        text_deinit(&yaml);
    }
}

/* Any bytes: a line, or settings. */
static void test_garbage(void **state)
{
    uint64_t chance = 1;

    (void)state;
    for (unsigned turn = 0; turn < 2000; turn++) {
        char garbage[2000];
        size_t len = random_below(&chance, sizeof garbage);
        struct settings settings;
        struct text error = {0};

        for (size_t i = 0; i < len; i++) {
            static const char likely[] = ":-[]{},\n\t \"'#&*?|>%@`abwl01";
            garbage[i] = turn % 2 == 0 ? (char)random_next(&chance)
                                       : likely[random_below(&chance, sizeof likely - 1)];
        }
        write_file(garbage, len);
        int result = config_load(&settings_schema, path, NULL, 0, &settings, &error);
        if (result == 0) { /* comments */
            deinit(&settings);
        } else {
            assert_null(strchr(error.data, '\n'));
        }
        text_deinit(&error);
    }
}

static void test_too_many_inputs(void **state)
{
    struct text yaml = {0};

    (void)state;
    text_append_string(&yaml, "inputs:\n");
    for (unsigned i = 0; i < INPUTS_MAX; i++) {
        text_append_format(&yaml, "  - {name: i%u, tcp: \":%u\"}\n", i, i + 1);
    }
    static struct settings config;

    load_sound(yaml.data, &config);
    assert_int_equal(config.input_count, INPUTS_MAX);
    assert_string_equal(config.inputs[63].name, "i63");
    deinit(&config);

    struct text error = {0};
    text_append_string(&yaml, "  - {name: more, tcp: \":99\"}\n");
    assert_int_equal(load(yaml.data, &no_flags, &config, &error), -EINVAL);
    assert_string_equal(error.data, "FILE:1: inputs: more than 64 entries");
    text_deinit(&error);
    text_deinit(&yaml);
}

/* --- Flags
 * ------------------------------------------------------------------------------------------ */

static void test_flags_over_file(void **state)
{
    static const struct flags flags = {
        .overrides = {{"log.level", "log.level", "warn"},
                      {"web.config_file", "web.config.file", "w.yml"},
                      {"inputs.unix", "input.unix", "/tmp/a"},
                      {"web.listen_addresses", "web.listen-address", ":1"},
                      {"inputs.unix", "input.unix", "/tmp/b"},
                      {"inputs.tcp", "input.tcp", ":2"},
                      {"log.level", "log.level", "error"},
                      {"web.listen_addresses", "web.listen-address", ":3"}},
        .count = 8,
    };
    struct settings settings;
    struct text error = {0};

    (void)state;
    assert_int_equal(load("log:\n  level: warn\n  format: json\n"
                          "inputs:\n  - name: x\n    tcp: :5\n"
                          "web: {listen_addresses: [\":4\"]}\n",
                          &flags, &settings, &error),
                     0);
    assert_int_equal(settings.log.level, LOG_LEVEL_ERROR); /* the last one counts */
    assert_int_equal(settings.log.format, LOG_FORMAT_JSON);
    assert_int_equal(settings.web.listen_addresses.count, 2); /* those of the file are replaced */
    assert_string_equal(settings.web.listen_addresses.items[0], ":1");
    assert_string_equal(settings.web.listen_addresses.items[1], ":3");
    assert_string_equal(settings.web.config_file, "w.yml");
    assert_int_equal(settings.input_count, 3); /* any flag replaces the inputs of the file */
    assert_false(settings.has_default_input);
    assert_string_equal(settings.inputs[0].name, "unix");
    assert_true(is_endpoint(&settings.inputs[0].endpoint, "/tmp/a"));
    assert_int_equal(settings.inputs[0].mode, 0660);
    assert_string_equal(settings.inputs[1].name, "unix2");
    assert_string_equal(settings.inputs[2].name, "tcp");
    assert_true(is_endpoint(&settings.inputs[2].endpoint, ":2"));
    deinit(&settings);
    text_deinit(&error);
}

static void test_mistakes_in_flags(void **state)
{
    static const struct {
        struct flags flags;
        const char *error;
    } cases[] = {
        {{.overrides = {{"log.level", "log.level", "x"}}, .count = 1},
         "--log.level: expected debug, info, warn or error, got 'x'"},
        {{.overrides = {{"inputs.unix", "input.unix", "x"}}, .count = 1},
         "--input.unix: expected an absolute path of at most 107 bytes, got 'x'"},
        {{.overrides = {{"inputs.tcp", "input.tcp", "x\ny"}}, .count = 1},
         "--input.tcp: expected HOST:PORT or :PORT, an IPv6 address in brackets, got 'x?y'"},
        {{.overrides = {{"inputs.unix", "input.unix", "/a"},
                        {"inputs.tcp", "input.tcp", "[::1]:7"},
                        {"inputs.tcp", "input.tcp", "[0:0::1]:7"}},
          .count = 3},
         "--input.tcp: another input has this endpoint"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings settings;
        struct text error = {0};
        assert_int_equal(load(NULL, &cases[i].flags, &settings, &error), -EINVAL);
        assert_string_equal(error.data, cases[i].error);
        text_deinit(&error);
    }
}

/* As many as a file may have, and no more. */
static void test_too_many_flags(void **state)
{
    static const struct {
        const char *key, *flag, *value;
        unsigned max;
        const char *error;
    } cases[] = {
        {"inputs.unix", "input.unix", "/a", INPUTS_MAX,
         "--input.unix: more than 64 entries of inputs"},
        {"web.listen_addresses", "web.listen-address", ":1", WEB_ADDRESSES_MAX,
         "--web.listen-address: more than 8 entries of web.listen_addresses"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct flags flags;
        struct settings settings;
        struct text error = {0};
        static char values[INPUTS_MAX + 2][16];

        for (flags.count = 0; flags.count <= cases[i].max; flags.count++) {
            char *value = values[flags.count];
            (void)snprintf(value, sizeof values[0], "%s%u", cases[i].value, flags.count + 1);
            flags.overrides[flags.count] = (struct config_override){cases[i].key, cases[i].flag,
                                                                    value};
        }
        assert_int_equal(load(NULL, &flags, &settings, &error), -EINVAL);
        assert_string_equal(error.data, cases[i].error);
        flags.count--;
        assert_int_equal(load(NULL, &flags, &settings, &error), 0);
        deinit(&settings);
        text_deinit(&error);
    }
}

static void test_socket_path_length(void **state)
{
    char long_path[109];

    (void)state;
    for (size_t len = 107; len <= 108; len++) {
        const struct flags flags = {.overrides = {{"inputs.unix", "input.unix", long_path}},
                                    .count = 1};
        struct settings settings;
        struct text error = {0};

        memset(long_path, 'a', len);
        long_path[0] = '/';
        long_path[len] = '\0';
        assert_int_equal(load(NULL, &flags, &settings, &error), len == 107 ? 0 : -EINVAL);
        if (len == 107) {
            deinit(&settings);
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
         "web.listen_addresses web.connections web.timeout "},
        {"", "web: {listen_addresses: [\":9353\", \":1\"]}\n", "web.listen_addresses "},
        {"", "web: {config_file: x.yml}\nnative_histogram_schema: 3\n", ""},
        {"", "web: {enable_lifecycle: true, systemd_socket: true}\nnative_histogram_schema: 1\n",
         "web.enable_lifecycle web.systemd_socket native_histogram_schema "},
        {"", "limits: {servers: 1, unassigned_qtypes: 1, frame_size: 600}\n",
         "limits.servers limits.unassigned_qtypes limits.frame_size "},
        {"", "answers: true\n", "answers "},
        {"", "matching: {capacity: 8, timeout: 2s}\n", "matching.capacity matching.timeout "},
        {"", "window: 1m\ntop: {max_series: 1, capacity: 10, lists: [qname_queries]}\n",
         "window top.max_series top.capacity top.lists "},
        {"", "distinct: {counts: [qnames]}\nprivacy: {client_ipv4_prefix: 24, client_hash: true}\n",
         "distinct.counts privacy.client_ipv4_prefix privacy.client_hash "},
        {"", "public_suffix_list: /x\ndetection: {allow_known: false, allow: [a.example]}\n", ""},
        {"detection: {allow_known: false}\n", "detection: {allow: [a.example]}\n", ""},
        {"",
         "detection: {nxdomain_domain: {enabled: false}, nxdomain_client: {min_domains: 9}, "
         "capacity: 10}\n",
         "detection.capacity detection.nxdomain_domain.enabled "
         "detection.nxdomain_client.min_domains "},
        {"", "inputs: [{name: a, tcp: \":1\"}]\n", ""},
        {"inputs: [{name: a, tcp: \":1\"}]\n", "inputs: [{name: a, tcp: \":2\"}]\n", ""},
        {"inputs: [{name: a, tcp: \":1\"}]\n", "inputs: [{name: b, tcp: \":1\"}]\n", ""},
        {"inputs: [{name: a, unix: /a}]\n", "inputs: [{name: a, unix: /a, mode: \"0600\"}]\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings running;
        struct settings fresh;

        load_sound(cases[i].running, &running);
        load_sound(cases[i].fresh, &fresh);
        text_clear(&restarts);
        text_append_string(&restarts, ">");
        unsigned allow_count = fresh.suffixes.allow.count;
        char *suffix_list = strdup(fresh.suffixes.list);
        char *web_config_file = strdup(fresh.web.config_file);
        unsigned connections_max = fresh.ingest.connections_max;
        uint64_t handshake_timeout_ns = fresh.ingest.handshake_timeout_ns;
        struct log_settings log = fresh.log;
        unsigned mode = fresh.inputs[0].mode;
        unsigned input_count = fresh.input_count;
        char *input = strdup(fresh.inputs[0].name);
        config_adopt(&settings_schema, &running, &fresh, note_restart);
        assert_int_equal(running.suffixes.allow.count, allow_count);
        assert_string_equal(running.suffixes.list, suffix_list);
        assert_string_equal(running.web.config_file, web_config_file);
        assert_int_equal(running.input_count, input_count);
        assert_string_equal(running.inputs[0].name, input);
        free(input);
        free(web_config_file);
        free(suffix_list);
        assert_string_equal(restarts.data + 1, cases[i].restarts);
        assert_int_equal(running.ingest.connections_max, connections_max);
        assert_int_equal(running.ingest.handshake_timeout_ns, handshake_timeout_ns);
        assert_int_equal(running.log.level, log.level);
        assert_int_equal(running.log.format, log.format);
        assert_int_equal(running.ingest.workers, 0);
        assert_string_equal(running.web.listen_addresses.items[0], ":9353");
        if (cases[i].restarts[0] == '\0') {
            assert_int_equal(running.inputs[0].mode, mode);
        }
        deinit(&fresh);
        deinit(&running);
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
    struct settings settings;
    struct text printed = {0};
    struct text again = {0};

    load_sound(content, &settings);
    config_print(&settings_schema, &settings, &printed);
    deinit(&settings);
    load_sound(printed.data, &settings);
    config_print(&settings_schema, &settings, &again);
    assert_string_equal(again.data, printed.data);
    text_deinit(&again);
    text_deinit(&printed);
    deinit(&settings);
}

/* What is printed is a configuration that prints the same. */
/* A build without libzstd has no archive; tests/integration/test_minimal.py sees what it says. */
static void test_archive_mistakes(void **state)
{
    static const struct {
        const char *yaml;
        const char *error;
    } cases[] = {
        {"archive:\n  folder: /a\n  max_bytes: 100MiB\n",
         "FILE:3: archive.max_bytes: it is less than twice archive.rotate_bytes"},
        {"archive:\n  folder: /a\n  max_bytes: 100MiB\n  rotate_bytes: 51MiB\n",
         "FILE:4: archive.rotate_bytes: it is more than half of archive.max_bytes"},
        {"privacy: {client_hash: true}\narchive:\n  folder: /a\n",
         "FILE:3: archive.folder: the archive's frames have whole addresses, which privacy leaves "
         "out; archive.allow_addresses: true allows it"},
    };

    (void)state;
    for (size_t i = 0; zstd_packer_is_available && i < sizeof cases / sizeof cases[0]; i++) {
        static struct settings untouched;
        struct text error = {0};

        assert_int_equal(load(cases[i].yaml, &no_flags, &untouched, &error), -EINVAL);
        assert_string_equal(error.data, cases[i].error);
        text_deinit(&error);
    }
}

static void test_print(void **state)
{
    static const char *const pieces[] = {
        "inputs:\n  - name: \"a\"\n    unix: \"/q\\\"\\\\\\x01\"\n    sampling: 1\n",
        "\n    mode: \"0660\"\n    owner: \"\"\n    group: \"7\"\n",
        "\n    group: \"7\"\n"
        "archive:\n  folder: \"\"\n  max_bytes: 1GiB\n  max_age: 7d\n  rotate_bytes: 64MiB\n"
        "  rotate_interval: 10m\n  allow_addresses: false\nworkers: 0\nweb:\n  listen_addresses: "
        "[\":9353\"]\n",
        "\nmatching:\n  capacity: 65536\n  timeout: 90s\n",
        "\nwindow: 5m\n",
        "\n  allow: [\"a.EXAMPLE\"]\n",
        "\nlog:\n  level: warn\n  format: json\n",
    };
    struct settings settings;
    struct text printed = {0};

    (void)state;
    load_sound("inputs: [{name: a, unix: \"/q\\\"\\\\\\x01\", group: 7}]\n"
               "matching: {timeout: 90s}\n"
               "detection: {allow: [a.EXAMPLE]}\n"
               "log: {level: warn, format: json}\n",
               &settings);
    config_print(&settings_schema, &settings, &printed);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (strstr(printed.data, pieces[i]) == NULL) {
            fail_msg("no %s in %s", pieces[i], printed.data);
        }
    }
    text_deinit(&printed);
    deinit(&settings);
    check_printed("");
    check_printed("inputs: [{name: a, unix: \"/q\\\"\\x01\", mode: \"0600\", owner: 1, group: 7},\n"
                  "         {name: b, tcp: \":1\"}]\n"
                  "outputs: [{name: c, unix: /c, inputs: [a]}, {name: d, tcp: '[::1]:1'}]\n"
                  "archive: {max_bytes: 3GiB, max_age: 36h, rotate_bytes: 65537}\n"
                  "workers: 3\nweb: {listen_addresses: [\":1\", \"[::1]:2\"], config_file: 'a b'}\n"
                  "limits: {handshake_timeout: 1500ms}\npublic_suffix_list: \"\"\n"
                  "detection: {allow_known: false, allow: [a.example, 'b\\046c.example']}\n");
    check_printed(
        "inputs: [{name: a, tcp: ':1', tls: {cert_file: /c, key_file: /k}},\n"
        "         {name: b, connect: 'unix:/b'},\n"
        "         {name: c, connect: 'tls://[::1]:1', tls: {ca_file: /c, server_name: n}},\n"
        "         {name: d, tcp: ':2', tls: {cert_file: /c, key_file: /k, "
        "client_ca_file: /a, client_allowed_sans: [x], min_version: TLS13}}]\n"
        "outputs: [{name: o, tcp: '[::1]:3', tls: {ca_file: a.pem}}]\n");
    if (zstd_packer_is_available) {
        check_printed("archive: {folder: /a}\n");
    }
}

/* The mapping within an entry, and the entry after it. */
static void test_print_mapping_of_entry(void **state)
{
    struct settings settings;
    struct text printed = {0};

    (void)state;
    load_sound("inputs: [{name: a, tcp: ':1', tls: {cert_file: /c, key_file: /k}},\n"
               "         {name: b, connect: 'unix:/b'}]\n",
               &settings);
    config_print(&settings_schema, &settings, &printed);
    assert_memory_equal(printed.data,
                        "inputs:\n"
                        "  - name: \"a\"\n"
                        "    tcp: \":1\"\n"
                        "    sampling: 1\n"
                        "    tls:\n"
                        "      cert_file: \"/c\"\n"
                        "      key_file: \"/k\"\n"
                        "  - name: \"b\"\n"
                        "    connect: \"unix:/b\"\n"
                        "    sampling: 1\n",
                        130);
    text_deinit(&printed);
    deinit(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_every_key_of_traffic),
        cmocka_unit_test(test_selections),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_detectors),
        cmocka_unit_test(test_sandbox),
        cmocka_unit_test(test_allowed_names),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_bounds_of_the_file),
        cmocka_unit_test(test_large_files),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_too_many_inputs),
        cmocka_unit_test(test_flags_over_file),
        cmocka_unit_test(test_mistakes_in_flags),
        cmocka_unit_test(test_too_many_flags),
        cmocka_unit_test(test_socket_path_length),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_archive_mistakes),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_mapping_of_entry),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
