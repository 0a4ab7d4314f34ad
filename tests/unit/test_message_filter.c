/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "present/message_filter.h"
#include "support/message_scene.h"

#define NOW_NS (SCENE_NS + UINT64_C(7200000000000)) /* two hours later */

/* "name=value name=value". */
static int set_filters(struct message_filter *filter, const char *arguments, struct text *error)
{
    static char words[1024];
    int result = 0;

    *filter = (struct message_filter){0};
    (void)snprintf(words, sizeof words, "%s", arguments);
    for (char *word = strtok(words, " "); word != NULL && result == 0; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value = '\0';
        result = message_filter_set(filter, word, value + 1, NOW_NS, error);
    }
    return result;
}

static bool matches(const struct message_filter *filter, const struct event *event)
{
    return message_filter_matches_dnstap(filter, event) &&
           message_filter_matches_dns(filter, event);
}

static const char *const messages[] = {SCENE_QUERY, SCENE_RESPONSE, SCENE_NXDOMAIN, "1234 80", ""};

enum { QUERY = 1, ANSWER = 2, NXDOMAIN = 4, BROKEN_RESPONSE = 8, EMPTY = 16, ALL = 31 };

static void test_matching(void **state)
{
    static const struct {
        const char *filters;
        unsigned matches; /* of `messages` */
    } cases[] = {
        {"", ALL},
        {"client=192.0.2.1", ALL},
        {"client=192.0.2.0/24", ALL},
        {"client=192.0.2.2", 0},
        {"client=2001:db8::7", 0}, /* the server's */
        {"client=192.0.2.2 client=192.0.2.1", ALL},
        {"name=www.example.com", QUERY | ANSWER | NXDOMAIN},
        {"name=EXAMPLE.com.", QUERY | ANSWER | NXDOMAIN},
        {"name=com", QUERY | ANSWER | NXDOMAIN},
        {"name=.", QUERY | ANSWER | NXDOMAIN},
        {"name=ww.example.com", 0},
        {"name=xample.com", 0},
        {"name=a.www.example.com", 0},
        {"type=A", QUERY | ANSWER | NXDOMAIN},
        {"type=a", QUERY | ANSWER | NXDOMAIN},
        {"type=TYPE65280", 0},
        {"type=TYPE1", QUERY | ANSWER | NXDOMAIN}, /* A */
        {"type=type1", QUERY | ANSWER | NXDOMAIN},
        {"client=::ffff:192.0.2.1", ALL},
        {"client=::ffff:192.0.2.0/120", ALL},
        {"client=::ffff:192.0.3.0/120", 0},
        {"until=2261-01-01", ALL},
        {"type=AAAA type=A", QUERY | ANSWER | NXDOMAIN},
        {"rcode=NOERROR", ANSWER},
        {"rcode=nxdomain", NXDOMAIN},
        {"rcode=NXDOMAIN rcode=NOERROR", ANSWER | NXDOMAIN},
        {"role=client", ALL},
        {"role=resolver", 0},
        {"role=resolver role=client", ALL},
        {"answer=192.0.2.80", ANSWER},
        {"answer=192.0.2.0/25", ANSWER},
        {"answer=192.0.2.81", 0},
        {"answer=2001:db8::53", 0}, /* not in the answer section */
        {"answer=web.example.com", ANSWER},
        {"answer=example.com", ANSWER},
        {"answer=.", ANSWER},
        {"answer=ns.example.com", 0},
        {"answer=192.0.2.81 answer=example.com", ANSWER},
        {"server=ns1", ALL},
        {"server=ns", 0},
        {"server=x server=ns1", ALL},
        {"slow=1ms", ANSWER | NXDOMAIN | BROKEN_RESPONSE},
        {"slow=2ms", 0},
        {"from=2025-11-29T10:00:00Z", ALL},
        {"from=2025-11-29T10:00:01Z", 0},
        {"from=2025-11-29T10:00:00.000000001Z", ALL},
        {"from=2025-11-29T10:00:00.0000000019", ALL}, /* of whole nanoseconds */
        {"from=2025-11-29T10:00:00.000000002Z", ANSWER | NXDOMAIN | BROKEN_RESPONSE},
        {"from=2025-11-29T10:00:00.01Z", 0},
        {"from=2025-11-29T11:00:00+01:00", ALL},
        {"from=2025-11-29T11:00:00-00:01", 0},
        {"from=-2h", ALL},
        {"from=-119m", 0},
        {"until=2025-11-29T10:00:00Z", 0},
        {"until=2025-11-29T10:00:01Z", ALL},
        {"until=2025-11-30", ALL},
        {"until=-1h", ALL},
        {"client=192.0.2.1 name=example.com type=A rcode=NOERROR role=client answer=192.0.2.80 "
         "server=ns1 slow=1ms from=-3h until=-1h",
         ANSWER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct message_filter filter;
        struct text error = {0};
        unsigned matched = 0;

        print_message("  %s\n", cases[i].filters);
        assert_int_equal(set_filters(&filter, cases[i].filters, &error), 0);
        for (unsigned m = 0; m < sizeof messages / sizeof messages[0]; m++) {
            matched |= (unsigned)matches(&filter, message_scene(messages[m])) << m;
        }
        assert_int_equal(matched, cases[i].matches);
        text_deinit(&error);
    }
}

static void test_a_message_without_times(void **state)
{
    struct event event = *message_scene(SCENE_RESPONSE);
    struct message_filter filter;
    uint64_t duration_ns;
    struct text error = {0};

    (void)state;
    event.query_time_ns = event.response_time_ns = 0;
    assert_int_equal(set_filters(&filter, "from=1980-01-01", &error), 0);
    assert_false(matches(&filter, &event));
    assert_int_equal(set_filters(&filter, "until=2100-01-01", &error), 0);
    assert_false(matches(&filter, &event));
    assert_int_equal(set_filters(&filter, "slow=1ms", &error), 0);
    assert_false(matches(&filter, &event));
    event.query_time_ns = 2; /* the response is before the query */
    event.response_time_ns = 1;
    assert_false(message_duration(&event, &duration_ns));
    event.query_time_ns = 1; /* servers whose clock has milliseconds */
    assert_true(message_duration(&event, &duration_ns));
    assert_int_equal(duration_ns, 0);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *filters;
        const char *error;
    } cases[] = {
        {"client=300.1.1.1", "--client: expected an address, or a network such as 192.0.2.0/24, "
                             "got '300.1.1.1'"},
        {"client=192.0.2.0/33", "--client: "},
        {"name=a..b", "--name: expected a domain name, got 'a..b'"},
        {"type=TYPE65536", "--type: "},
        {"type=TYPE", "--type: "},
        {"type=B", "--type: expected a type such as AAAA, got 'B'"},
        {"rcode=4096", "--rcode: expected a response code such as NXDOMAIN, got '4096'"},
        {"role=server", "--role: expected auth, resolver, client, forwarder, stub, tool or update"},
        {"answer=a..b", "--answer: expected an address, a network or a domain name, got 'a..b'"},
        {"answer=192.0.2.0/33", "--answer: "},
        {"answer=2001:db8::/129", "--answer: "},
        {"slow=0", "--slow: expected a duration such as 500ms, got '0'"},
        {"slow=fast", "--slow: "},
        {"from=yesterday", "--from: expected a time such as 2026-11-29T10:00:00Z, or -2h, got "},
        {"from=2025-11-29T10:00:00+1", "--from: "},
        {"from=2025-11-29T10:00:00Zulu", "--from: "},
        {"from=2025-11-29T10", "--from: "},
        {"from=2025-11-29T10:00:00.Z", "--from: "},
        {"from=2025-11-29.5", "--from: "},
        {"from=2025-13-01", "--from: "},
        {"from=2025-02-30", "--from: "},
        {"from=2554-08-01", "--from: "}, /* not in 64 bits of nanoseconds */
        {"until=9999-01-01", "--until: "},
        {"from=2025-11-29T10:00:00+24:00", "--from: "},
        {"from=2025-11-29T10:00:00+00:60", "--from: "},
        {"from=2025-11-29T10:00:00+-1:30", "--from: "},
        {"from=2025-11-29 until=2025-11-28", "--until: expected a time after that of --from"},
        {"until=-2", "--until: "},
        {"until=", "--until: "},
        {"until=-100000w", "--until: "},
        {"type=A type=A type=A type=A type=A type=A type=A type=A type=A type=A type=A type=A "
         "type=A type=A type=A type=A type=A",
         "--type: more than 16 of them"},
        {"answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 "
         "answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 "
         "answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 answer=1.1.1.1 "
         "answer=1.1.1.1 answer=a",
         "--answer: more than 16 of them"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct message_filter filter;
        struct text error = {0};

        print_message("  %s\n", cases[i].filters);
        assert_int_equal(set_filters(&filter, cases[i].filters, &error), -EINVAL);
        assert_non_null(strstr(text_string(&error), cases[i].error));
        text_deinit(&error);
    }
}

/* Each record type whose data has a name. */
static void test_names_in_answers(void **state)
{
    static const char *const answers[] = {
        "c00c 0002 0001 00000000 0002 c010 ",                /* NS */
        "c00c 0005 0001 00000000 0002 c010 ",                /* CNAME */
        "c00c 000c 0001 00000000 0002 c010 ",                /* PTR */
        "c00c 0027 0001 00000000 0002 c010 ",                /* DNAME */
        "c00c 000f 0001 00000000 0004 000a c010 ",           /* MX */
        "c00c 0021 0001 00000000 0008 0001 0002 0003 c010 ", /* SRV */
        "c00c 0010 0001 00000000 0002 c010 ",                /* TXT: none */
        "c00c 000f 0001 00000000 0001 00 ",                  /* MX, cut off */
        "c00c 0021 0001 00000000 0002 0001 ",                /* SRV, cut off */
        "c00c 0005 0001 00000000 0000 ",                     /* CNAME, empty */
    };
    struct message_filter filter;
    struct text error = {0};

    (void)state;
    assert_int_equal(set_filters(&filter, "answer=example.com", &error), 0);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char hex[512];

        (void)snprintf(hex, sizeof hex, "1234 8180 0001 0001 0000 0000 " SCENE_QUESTION "%s",
                       answers[i]);
        assert_int_equal(matches(&filter, message_scene(hex)), i < 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_a_message_without_times),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_names_in_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
