/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/endpoint.h"

static const struct {
    const char *text;
    const char *printed; /* NULL: it is none */
    bool has_address;
} tcp[] =
    {
        {"127.0.0.1:9353", "127.0.0.1:9353", true},
        {"127.0.0.1:09353", "127.0.0.1:9353", true},
        {"[127.0.0.1]:1", "127.0.0.1:1", true},
        {"[::1]:9353", "[::1]:9353", true},
        {"[0:0:0::0001]:9353", "[::1]:9353", true},
        {"[2001:DB8::A]:1", "[2001:db8::a]:1", true},
        {"[::ffff:192.0.2.1]:1", "192.0.2.1:1", true},
        {"[::]:1", ":1", true},
        {"[fe80::1%eth0]:1", "[fe80::1%eth0]:1", false},
        {"localhost:65535", "localhost:65535", false},
        {":9353", ":9353", false},
        {"a:1", "a:1", false},
        {"", NULL, false},
        {":", NULL, false},
        {"9353", NULL, false},
        {"localhost", NULL, false},
        {"localhost:", NULL, false},
        {"localhost:0", NULL, false},
        {"localhost:65536", NULL, false},
        {"localhost:100000", NULL, false},
        {"localhost:18446744073709551617", NULL, false},
        {"localhost:-1", NULL, false},
        {"localhost:+1", NULL, false},
        {"localhost: 1", NULL, false},
        {"localhost:1 ", NULL, false},
        {"localhost:http", NULL, false},
        {"::1:9353", NULL, false},
        {"::1", NULL, false},
        {"[::1]", NULL, false},
        {"[::1", NULL, false},
        {"::1]:80", NULL, false},
},
  paths[] = {
      {"/a", "/a", false},
      {"/a/b.sock", "/a/b.sock", false},
      {"//a///b", "/a/b", false},
      {"/./a/././b/.c", "/a/b/.c", false},
      {"/a/../b", "/a/../b", false}, /* a link may lead elsewhere */
      {"/a/.", "/a/.", false},
      {"", NULL, false},
      {"a", NULL, false},
      {"./a", NULL, false},
};

static void check_endpoint(const char *text, bool is, const char *printed,
                           const struct endpoint *endpoint)
{
    char out[ENDPOINT_TEXT_SIZE];

    print_message("  %s\n", text);
    assert_int_equal(is, printed != NULL);
    assert_string_equal(endpoint_print(endpoint, out), is ? printed : "untouched");
}

static void test_tcp(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tcp / sizeof tcp[0]; i++) {
        struct endpoint endpoint = {.kind = ENDPOINT_UNIX, .path = "untouched"};

        check_endpoint(tcp[i].text, endpoint_parse_tcp(tcp[i].text, &endpoint), tcp[i].printed,
                       &endpoint);
        assert_int_equal(endpoint.has_address, tcp[i].has_address);
    }
}

static void test_unix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct endpoint endpoint = {.kind = ENDPOINT_UNIX, .path = "untouched"};

        check_endpoint(paths[i].text, endpoint_parse_unix(paths[i].text, &endpoint),
                       paths[i].printed, &endpoint);
    }
}

/* What is printed alike is the same, and nothing else. */
static void test_equal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tcp / sizeof tcp[0]; i++) {
        for (size_t j = 0; j < sizeof tcp / sizeof tcp[0]; j++) {
            struct endpoint a;
            struct endpoint b;
            if (endpoint_parse_tcp(tcp[i].text, &a) && endpoint_parse_tcp(tcp[j].text, &b)) {
                assert_int_equal(endpoint_equal(&a, &b),
                                 strcmp(tcp[i].printed, tcp[j].printed) == 0);
            }
        }
    }
    struct endpoint unix_one;
    struct endpoint tcp_one;
    struct endpoint upper;
    struct endpoint lower;
    assert_true(endpoint_parse_unix("/a", &unix_one) && endpoint_parse_tcp("a:1", &tcp_one));
    assert_true(endpoint_parse_tcp("HOST:1", &upper) && endpoint_parse_tcp("host:1", &lower));
    assert_false(endpoint_equal(&unix_one, &tcp_one));
    assert_true(endpoint_equal(&upper, &lower));
    assert_string_equal(endpoint_key(&unix_one), "unix");
    assert_string_equal(endpoint_key(&tcp_one), "tcp");
}

/* What the key connect takes, and how it is printed. NULL: it is refused. */
static const struct {
    const char *text, *printed;
    bool has_tls;
} dialled[] = {
    {"unix:/run/a.sock", "unix:/run/a.sock", false},
    {"unix:/run//./a.sock", "unix:/run/a.sock", false},
    {"tcp://192.0.2.1:6000", "tcp://192.0.2.1:6000", false},
    {"tls://192.0.2.1:6000", "tls://192.0.2.1:6000", true},
    {"tls://[2001:DB8::1]:6000", "tls://[2001:db8::1]:6000", true},
    {"tcp://[::ffff:192.0.2.1]:1", "tcp://192.0.2.1:1", false},
    {"", NULL, false},
    {"/run/a.sock", NULL, false},
    {"unix:", NULL, false},
    {"unix:run/a.sock", NULL, false},
    {"unix:///run/a.sock", "unix:/run/a.sock", false},
    {"tcp:192.0.2.1:6000", NULL, false},
    {"tcp:/192.0.2.1:6000", NULL, false},
    {"192.0.2.1:6000", NULL, false},
    {"http://192.0.2.1:6000", NULL, false},
    {"TLS://192.0.2.1:6000", NULL, false},
    {"tls://192.0.2.1", NULL, false},
    {"tls://192.0.2.1:0", NULL, false},
    {"tls://ns1.example:6000", NULL, false}, /* a name is not looked up */
    {"tls://:6000", NULL, false},
    {"tls://[::]:6000", NULL, false}, /* every address is none to connect to */
};

static void test_dialled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dialled / sizeof dialled[0]; i++) {
        struct endpoint endpoint = {.kind = ENDPOINT_UNIX, .path = "untouched"};

        check_endpoint(dialled[i].text, endpoint_parse_dialled(dialled[i].text, &endpoint),
                       dialled[i].printed, &endpoint);
        assert_int_equal(endpoint.has_tls, dialled[i].has_tls);
        if (dialled[i].printed != NULL) {
            assert_string_equal(endpoint_key(&endpoint), "connect");
        }
    }
}

/* Who connects makes no other endpoint of it: an exporter would connect to itself. */
static void test_dialled_is_equal(void **state)
{
    struct endpoint listens;
    struct endpoint dials;

    (void)state;
    assert_true(endpoint_parse_tcp("192.0.2.1:6000", &listens));
    assert_true(endpoint_parse_dialled("tls://192.0.2.1:6000", &dials));
    assert_true(endpoint_equal(&listens, &dials));
}

static void test_longest(void **state)
{
    struct endpoint endpoint;
    char text[300];

    (void)state;
    memset(text, 'h', sizeof text);
    memcpy(text + 255, ":80", 4);
    assert_true(endpoint_parse_tcp(text, &endpoint));
    assert_int_equal(strlen(endpoint.host), 255);
    memset(text, 'h', sizeof text);
    memcpy(text + 256, ":80", 4);
    assert_false(endpoint_parse_tcp(text, &endpoint));
    text[0] = '/';
    text[107] = '\0';
    assert_true(endpoint_parse_unix(text, &endpoint));
    assert_int_equal(strlen(endpoint.path), 107);
    text[107] = 'h';
    text[108] = '\0';
    assert_false(endpoint_parse_unix(text, &endpoint));
}

static void test_loopback(void **state)
{
    static const struct {
        const char *text;
        bool is_loopback;
    } rows[] = {
        {"127.0.0.1:1", true},  {"127.9.8.7:1", true},
        {"[::1]:1", true},      {"localhost:1", true},
        {":1", false},          {"0.0.0.0:1", false},
        {"[::]:1", false},      {"192.0.2.1:1", false},
        {"128.0.0.1:1", false}, {"localhost.example:1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct endpoint endpoint;
        assert_true(endpoint_parse_tcp(rows[i].text, &endpoint));
        if (endpoint_is_loopback(&endpoint) != rows[i].is_loopback) {
            fail_msg("%s", rows[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_dialled),
        cmocka_unit_test(test_dialled_is_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
