/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "host_names_internal.h"

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        bool allowed;
    } rows[] = {
        {"", true},
        {"127.0.0.1", true},
        {"192.0.2.1:9353", true},
        {"[2001:db8::1]:9353", true},
        {"localhost:9353", true},
        {"exporter", true},
        {"dns1.example.net", true},
        {"DNS1.Example.Net.:9353", true},
        {"dns2.example.net", false},
        {"1dns1.example.net", false},
        {"dns1.example.net.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"evil.example:9353", false},
        {"localhost.evil.example", false},
        {"dns1.internal", true},
        {"exporter.monitoring.svc:9353", true},
        {"exporter.monitoring.svc.cluster.local", true},
        {"printer.local", true},
        {"ns1.lan:9353", true},
        {"evilinternal.example", false},
        {"evil.xinternal", false},
        {"1.2.3.4.5", false},
        {":9353", true},
        {"with-dot.example.net", true},
        {"with-dot.example.net.", true},
        {"[evil.example]", false},
        {"[::1].evil.example", false},
        {"[::1", false},
        {"[::1]:x", false},
        {"127.0.0.1:evil.example", false},
        {"evil.example#.local", false},
        {"evil.example/.local", false},
    };
    char name[] = "dns1.example.net";
    char dotted[] = "with-dot.example.net.";
    char *items[] = {name, dotted};
    const struct config_strings configured = {items, 2};
    struct host_names *names = host_names_create(&configured);

    (void)state;
    assert_non_null(names);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (host_names_allow(names, rows[i].host) != rows[i].allowed) {
            fail_msg("%s", rows[i].host);
        }
    }
    host_names_free(names);
}

static void test_names_of_the_machine(void **state)
{
    const struct config_strings none = {0};
    struct host_names *names = host_names_create(&none);
    char host[256] = "";

    (void)state;
    assert_non_null(names);
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    assert_true(host_names_allow(names, host));
    assert_false(host_names_allow(names, "dns1.example.net"));
    host_names_free(names);
}

/* Longer than a domain name: nothing is written behind the buffer. */
static void test_long_hosts(void **state)
{
    const struct config_strings none = {0};
    struct host_names *names = host_names_create(&none);
    char host[1024];

    (void)state;
    for (size_t len = 1; len < sizeof host; len++) {
        memset(host, 'a', len);
        host[len / 2] = '.';
        host[len] = '\0';
        (void)host_names_allow(names, host);
    }
    assert_false(host_names_allow(names, host));
    host_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_names_of_the_machine),
        cmocka_unit_test(test_long_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
