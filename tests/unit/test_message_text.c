/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON and as text; each cut off at every length. That JSON is sound, and what it says,
 * tests/integration/test_print.py compares with an independent decoder. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>

#include "present/message_text.h"
#include "support/message_scene.h"

static struct message_text state_of_all;

#define JSON_BEGIN                                                                                 \
    "\"network\":{\"protocol\":\"dns\",\"transport\":\"udp\",\"type\":\"ipv4\"},"                  \
    "\"observer\":{\"name\":\"ns1\",\"version\":\"server \\\"7\\\"\"},"                            \
    "\"client\":{\"ip\":\"192.0.2.1\",\"port\":5353},"                                             \
    "\"server\":{\"ip\":\"2001:db8::7\",\"port\":53},"
#define JSON_QUESTION "\"question\":{\"name\":\"www.example.com\",\"type\":\"A\",\"class\":\"IN\"}"

static void test_json(void **state)
{
    static const struct {
        const char *hex;
        const char *json;
    } cases[] = {
        {SCENE_QUERY, "{\"@timestamp\":\"2025-11-29T10:00:00.000000001Z\"," JSON_BEGIN
                      "\"dns\":{\"type\":\"query\",\"id\":\"4660\",\"op_code\":\"QUERY\","
                      "\"header_flags\":[\"RD\",\"AD\"]," JSON_QUESTION "},"
                      "\"dnstap\":{\"type\":\"CLIENT_QUERY\",\"transport\":\"udp\","
                      "\"query_time\":\"2025-11-29T10:00:00.000000001Z\",\"message_size\":33}}\n"},
        {SCENE_RESPONSE,
         "{\"@timestamp\":\"2025-11-29T10:00:00.001500001Z\"," JSON_BEGIN
         "\"event\":{\"duration\":1500000},"
         "\"dns\":{\"type\":\"answer\",\"id\":\"4660\",\"op_code\":\"QUERY\","
         "\"header_flags\":[\"AA\",\"RD\",\"RA\"],\"response_code\":\"NOERROR\"," JSON_QUESTION ","
         "\"answers\":[{\"name\":\"www.example.com\",\"type\":\"CNAME\",\"class\":\"IN\","
         "\"ttl\":300,\"data\":\"web.example.com\"},{\"name\":\"web.example.com\",\"type\":\"A\","
         "\"class\":\"IN\",\"ttl\":60,\"data\":\"192.0.2.80\"}],"
         "\"resolved_ip\":[\"192.0.2.80\"]},"
         "\"dnstap\":{\"type\":\"CLIENT_RESPONSE\",\"transport\":\"udp\","
         "\"query_time\":\"2025-11-29T10:00:00.000000001Z\","
         "\"response_time\":\"2025-11-29T10:00:00.001500001Z\",\"message_size\":123,"
         "\"authorities\":[{\"name\":\"example.com\",\"type\":\"NS\",\"class\":\"IN\","
         "\"ttl\":86400,\"data\":\"ns.example.com\"}],"
         "\"additionals\":[{\"name\":\"ns.example.com\",\"type\":\"AAAA\",\"class\":\"IN\","
         "\"ttl\":86400,\"data\":\"2001:db8::53\"}]}}\n"},
        {"",
         "{\"@timestamp\":\"2025-11-29T10:00:00.000000001Z\"," JSON_BEGIN
         "\"dns\":{\"type\":\"query\"},\"dnstap\":{\"type\":\"CLIENT_QUERY\",\"transport\":\"udp\","
         "\"query_time\":\"2025-11-29T10:00:00.000000001Z\",\"message_size\":0,"
         "\"malformed\":\"short\"}}\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text out = {0};

        message_text_json(&state_of_all, message_scene(cases[i].hex), &out);
        assert_string_equal(text_string(&out), cases[i].json);
        text_deinit(&out);
    }
}

static void test_line(void **state)
{
    static const struct {
        const char *hex;
        const char *line;
    } cases[] = {
        {SCENE_QUERY, "2025-11-29T10:00:00.000000001Z 192.0.2.1 ns1 CLIENT_QUERY udp 33 "
                      "www.example.com A - - -\n"},
        {SCENE_RESPONSE, "2025-11-29T10:00:00.001500001Z 192.0.2.1 ns1 CLIENT_RESPONSE udp 123 "
                         "www.example.com A NOERROR 1.500ms CNAME web.example.com, A "
                         "192.0.2.80\n"},
        {SCENE_NXDOMAIN, "2025-11-29T10:00:00.001500001Z 192.0.2.1 ns1 CLIENT_RESPONSE udp 33 "
                         "www.example.com A NXDOMAIN 1.500ms -\n"},
        {"", "2025-11-29T10:00:00.000000001Z 192.0.2.1 ns1 CLIENT_QUERY udp 0 - - - - -\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text out = {0};

        message_text_line(&state_of_all, message_scene(cases[i].hex), &out);
        assert_string_equal(text_string(&out), cases[i].line);
        text_deinit(&out);
    }
}

/* Nothing is known but that it is a response. */
static void test_next_to_nothing(void **state)
{
    struct event event = {.role = ROLE_UPDATE, .kind = KIND_RESPONSE};
    struct text out = {0};

    (void)state;
    dns_message_missing(&event.dns);
    message_text_json(&state_of_all, &event, &out);
    assert_string_equal(text_string(&out), "{\"network\":{\"protocol\":\"dns\"},"
                                           "\"dns\":{\"type\":\"answer\"},"
                                           "\"dnstap\":{\"type\":\"UPDATE_RESPONSE\","
                                           "\"message_size\":0,\"malformed\":\"missing\"}}\n");
    text_clear(&out);
    message_text_line(&state_of_all, &event, &out);
    assert_string_equal(text_string(&out), "- - - UPDATE_RESPONSE unknown 0 - - - - -\n");
    text_deinit(&out);
}

/* A server's name has any bytes; so has its version. */
static void test_server_names(void **state)
{
    static const char *const names[] = {"a b", "ns1", "a\"\\b", "\xff\n", "", "ns\xc3\xa9"};
    static const char *const in_json[] = {"a b", "ns1",       "a\\\"\\\\b", "\\\\xff\\\\x0a",
                                          NULL,  "ns\xc3\xa9"};
    static const char *const in_text[] = {"a\\x20b",    "ns1", "a\"\\b",
                                          "\\xff\\x0a", "-",   "ns\xc3\xa9"};
    struct text out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct event event = *message_scene(SCENE_QUERY);
        char expected[64];

        event.identity = bytes_of_string(names[i]);
        text_clear(&out);
        message_text_json(&state_of_all, &event, &out);
        if (in_json[i] != NULL) {
            (void)snprintf(expected, sizeof expected, "\"name\":\"%s\",\"version\"", in_json[i]);
            assert_non_null(strstr(out.data, expected));
        } else {
            assert_non_null(strstr(out.data, "\"observer\":{\"version\""));
        }
        text_clear(&out);
        message_text_line(&state_of_all, &event, &out);
        (void)snprintf(expected, sizeof expected, " %s CLIENT_QUERY", in_text[i]);
        assert_non_null(strstr(out.data, expected));
    }
    text_deinit(&out);
}

/* All bytes in a name and in a character string, cut off at each length, are sound JSON on one
 * line; the message is the end of its block of memory. */
static void test_every_byte_and_cut(void **state)
{
    char hex[1024] = "1234 8180 0001 0001 0000 0000 01";
    struct text out = {0};

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        (void)snprintf(hex, sizeof hex,
                       "1234 8180 0001 0002 0000 0000 02%02x22 00 0001 0001 "
                       "c00c 0010 0001 00000000 0003 02%02x5c c00c 0001 0001 00000000 0001 %02x",
                       byte, byte, byte);
        uint8_t whole[128];
        size_t len = hex_read(hex, whole, sizeof whole);
        for (size_t cut = 0; cut <= len; cut++) {
            char part[300] = "";
            for (size_t i = 0; i < cut; i++) {
                (void)snprintf(part + 2 * i, 3, "%02x", whole[i]);
            }
            text_clear(&out);
            message_text_json(&state_of_all, message_scene(part), &out);
            assert_false(out.failed);
            json_t *json = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
            assert_non_null(json);
            json_decref(json);
            assert_int_equal(strcspn(out.data, "\n"), out.len - 1);
            text_clear(&out);
            message_text_line(&state_of_all, message_scene(part), &out);
            assert_int_equal(strcspn(out.data, "\n"), out.len - 1);
        }
    }
    text_deinit(&out);
}

/* The longest names, all of whose bytes are escaped, and no memory but for them. */
static void test_full_text(void **state)
{
    struct text out;

    (void)state;
    for (size_t space = 64; space < 8192; space *= 2) {
        assert_int_equal(text_fix(&out, space), 0);
        message_text_json(&state_of_all, message_scene(SCENE_RESPONSE), &out);
        message_text_line(&state_of_all, message_scene(SCENE_RESPONSE), &out);
        assert_true(out.failed || space > 2048);
        text_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_next_to_nothing),
        cmocka_unit_test(test_server_names),
        cmocka_unit_test(test_every_byte_and_cut),
        cmocka_unit_test(test_full_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
