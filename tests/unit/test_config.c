/* SPDX-License-Identifier: Apache-2.0 */
/* The engine with rows of its own: a key of each kind. The keys of the exporter: test_settings.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "config/config_value.h"
#include "support/temp_file.h"

static const char *const colours[] = {"red", "green", "blue", NULL};

static bool is_short(const char *text)
{
    return strlen(text) < 5;
}

/* clang-format off */
#define KEYS(KEY, S)                                                                               \
    KEY(S, number, number, "a.number", "7", .least = 1, .most = 10, .help = "A number.")           \
    KEY(S, duration, duration_ns, "a.b.duration", "5s", .least = NS_PER_MS,                        \
        .most = 60 * NS_PER_SECOND, .live = true, .help = "A duration. It is live.")               \
    KEY(S, bytes, bytes, "a.b.bytes", "1", .least = 1, .most = 2, .help = "Bytes.")                \
    KEY(S, boolean, on, "on", "false", .live = true, .help = "On or off.")                         \
    KEY(S, string, string, "string", "x", .check = is_short, .expected = "a short text",           \
        .live = true, .help = "A text, \\ and so on.")                                             \
    KEY(S, string, none, "none", NULL, .example = "y", .help = "A text that may be absent.")       \
    KEY(S, string, secret, "secret", "s", .secret = true, .help = "A secret.")                     \
    KEY(S, choice, colour, "colour", "green", .words = colours, .help = "A colour.")               \
    KEY(S, set, some, "some", NULL, .words = colours, .live = true, .help = "Some colours.")       \
    KEY(S, strings, list, "list", "p", .most = 3, .check = is_short, .expected = "a short text",   \
        .live = true, .help = "Texts.")                                                            \
    KEY(S, map, map, "map", NULL, .most = 3, .check = is_short, .expected = "a short pair",        \
        .help = "Pairs.")                                                                          \
    KEY(S, refused, number, "refused", NULL, .expected = "not here", .help = "No.")

#define ENTRY_KEYS(KEY, S)                                                                         \
    KEY(S, string, name, "name", NULL, .built_in = "first", .help = "A name.")                     \
    KEY(S, unix, endpoint, "unix", NULL, .built_in = "/first", .help = "A path.")                  \
    KEY(S, tcp, endpoint, "tcp", NULL, .example = ":1", .help = "An address.")                     \
    KEY(S, mode, mode, "mode", "0600", .live = true, .needs = "unix", .help = "A mode.")                       \
    KEY(S, user, uid, "owner", "", .help = "A user.")
/* clang-format on */

struct entry {
    ENTRY_KEYS(CONFIG_MEMBER, )
};

struct values {
    KEYS(CONFIG_MEMBER, )
    struct entry entries[2];
    unsigned entry_count;
};

static const struct config_rows rows = CONFIG_ROWS(KEYS, struct values);
static const struct config_rows entry_rows = CONFIG_ROWS(ENTRY_KEYS, struct entry);

/* Two keys go together, and so do two entries. */
static int check_values(const struct config_check *check, void *settings)
{
    const struct values *values = settings;

    if (values->on && values->number == 9) {
        return config_refuse(check, "a.number", "not if it is on");
    }
    if (values->colour == 2) {
        return config_refuse_value(check, "colour", "another", "blue");
    }
    return 0;
}

static int check_entries(const struct config_check *check, void *settings)
{
    const struct values *values = settings;

    if (values->entry_count == 2 &&
        endpoint_equal(&values->entries[0].endpoint, &values->entries[1].endpoint)) {
        return config_refuse(check, "entries[1]", "the same");
    }
    return 0;
}

static const struct config_section sections[] = {
    {.title = "Values", .rows = &rows, .check = check_values, .help = "Some values. They are few."},
    {.title = "Entries",
     .rows = &entry_rows,
     .list = "entries",
     .max = 2,
     .offset = offsetof(struct values, entries),
     .entry_size = sizeof(struct entry),
     .count_offset = offsetof(struct values, entry_count),
     .check = check_entries},
};

static const struct config_schema schema = {sections, 2, sizeof(struct values)};

static char path[] = "/tmp/dnstap_exporter-test-config-XXXXXX";

static int load(const char *yaml, struct values *values, struct text *error)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fputs(yaml, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    text_clear(error);
    return config_load(&schema, path, NULL, 0, values, error);
}

static void test_defaults(void **state)
{
    struct values values;
    struct text error = {0};

    (void)state;
    assert_int_equal(load("# nothing\n", &values, &error), 0);
    assert_int_equal(values.number, 7);
    assert_int_equal(values.duration_ns, 5 * NS_PER_SECOND);
    assert_string_equal(values.string, "x");
    assert_null(values.none);
    assert_int_equal(values.colour, 1);
    assert_int_equal(values.some, 7);
    assert_int_equal(values.list.count, 1);
    assert_int_equal(values.map.count, 0);
    assert_int_equal(values.entry_count, 1);
    assert_string_equal(values.entries[0].endpoint.path, "/first");
    assert_int_equal(values.entries[0].mode, 0600);
    assert_int_equal(values.entries[0].uid.number, CONFIG_ID_KEEP);
    config_deinit(&schema, &values);
    config_deinit(&schema, &values); /* all zero now */
}

static void test_values(void **state)
{
    struct values values;
    struct text error = {0};

    (void)state;
    assert_int_equal(
        load("a:\n  number: 1\n  b: {duration: 1ms, bytes: 2}\non: true\nstring: ''\n"
             "none: z\ncolour: red\nsome: [blue]\nlist: [a, b]\nmap: {k: v, 'l.m': ''}\n"
             "entries:\n  - {name: n, tcp: ':1', owner: 5}\n  - {unix: /a, mode: '777'}\n",
             &values, &error),
        0);
    assert_int_equal(values.number, 1);
    assert_int_equal(values.duration_ns, NS_PER_MS);
    assert_int_equal(values.bytes, 2);
    assert_true(values.on);
    assert_string_equal(values.string, "");
    assert_string_equal(values.none, "z");
    assert_int_equal(values.colour, 0);
    assert_int_equal(values.some, 4);
    assert_int_equal(values.list.count, 2);
    assert_string_equal(values.list.items[1], "b");
    assert_int_equal(values.map.count, 2);
    assert_string_equal(values.map.items[0], "k:v");
    assert_int_equal(values.entry_count, 2);
    assert_int_equal(values.entries[0].endpoint.kind, ENDPOINT_TCP);
    assert_int_equal(values.entries[0].uid.number, 5);
    assert_int_equal(values.entries[1].mode, 0777);
    assert_null(values.entries[1].name);
    config_deinit(&schema, &values);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *yaml, *error;
    } cases[] = {
        {"a:\n  b:\n    bytes: 3\n",
         ":3: a.b.bytes: expected a number of bytes from 1 to 2, got '3'"},
        {"a:\n  b: 1\n", ":2: a.b: expected keys and values"},
        {"a:\n  b:\n    c: 1\n", ":3: a.b.c: there is no such key"},
        {"a.number: 1\n", ":1: a.number: there is no such key"},
        {"a:\n  number: 9\non: true\n", ":2: a.number: not if it is on"},
        {"colour:\n  blue\n", ":1: colour: expected another, got 'blue'"},
        {"string: longer\n", ":1: string: expected a short text, got 'longer'"},
        {"list: [a, longer]\n", ":1: list[1]: expected a short text, got 'longer'"},
        {"list: [a, b, c, d]\n", ":1: list: more than 3 entries"},
        {"map:\n  k: a secret\n", ":2: map.k: expected a short pair"},
        {"map: 1\n", ":1: map: expected keys and values"},
        {"map: {a: 1, b: 1, c: 1, d: 1}\n", ":1: map: more than 3 entries"},
        {"map: {k: [v]}\n", ":1: map.k: expected a single value"},
        {"map: {k: 1, k: 2}\n", ":1: map.k: given twice"},
        {"refused: [1]\n", ":1: refused: not here"},
        {"entries:\n  - name: a\n    unix: /a\n    tcp: ':1'\n",
         ":4: entries[0].tcp: this entry has unix already"},
        {"entries:\n  - unix: /a\n  - unix: //a\n", ":3: entries[1]: the same"},
        {"entries:\n  - tcp: ':1'\n    mode: '0600'\n",
         ":3: entries[0].mode: this key goes with unix only"},
        {"entries:\n  - 1\n", ":2: entries[0]: expected keys and values"},
        {"entries:\n  name: a\n", ":1: entries: expected a list"},
        {"entries: [{}, {}, {}]\n", ":1: entries: more than 2 entries"},
        {"a:\n\tnumber: 1\n", ":2: tabs are not allowed, use spaces"},
        {"a:\n  number: 1\n\ton: true\n", ":3: tabs are not allowed, use spaces"},
        {"string: \xc3\xa4\n\ton: true\n", ":2: tabs are not allowed, use spaces"},
        {"entries:\n  - unix: /a\n  name: b\n",
         ":3: expected '-', as the entries before have it, or less indentation"},
        {"on: true\n string: a\n",
         ":2: a ': ' is not allowed here: the line is indented deeper than its neighbours, a ':' "
         "is missing before it, or the text needs quotes"},
        {"a:\n  number: 1\n on: true\n", ":3: expected a key, indented as the keys before it"},
        {"on: true\nstring\n", ":3: expected ': ' behind the key"},
        {"string: @a\n", ":1: a value may not begin with this character: put it into quotes"},
        {"entries: - name: a\n",
         ":1: '- ' is not allowed here: an entry begins on a line of its own"},
        {"list: [a\n", ":2: expected ',' or ']'"},
        {"map: {a: b\n", ":2: expected ',' or '}'"},
        {"list: [,\n", ":1: expected a value"},
        {"string: \"a\n", ":2: the file ends within a quoted text"},
        {"on: &x true\non: *x\n", ":2: on: given twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct values values;
        struct text error = {0};
        print_message("  %s\n", cases[i].error);
        assert_int_equal(load(cases[i].yaml, &values, &error), -EINVAL);
        assert_memory_equal(error.data, path, strlen(path));
        assert_string_equal(error.data + strlen(path), cases[i].error);
        text_deinit(&error);
    }
}

static struct text restarts;

static void note_restart(const char *key)
{
    text_append_format(&restarts, "%s ", key);
}

static void test_adopt(void **state)
{
    struct values running;
    struct values fresh;
    struct text error = {0};

    (void)state;
    assert_int_equal(load("", &running, &error), 0);
    assert_int_equal(load("a: {number: 2, b: {duration: 1s}}\non: true\nstring: new\nsome: []\n"
                          "list: [a, b]\nsecret: other\nentries: [{name: first, unix: /first, "
                          "mode: '0644'}]\n",
                          &fresh, &error),
                     0);
    config_adopt(&schema, &running, &fresh, note_restart);
    assert_string_equal(restarts.data, "a.number secret ");
    assert_int_equal(running.number, 7);
    assert_int_equal(running.duration_ns, NS_PER_SECOND);
    assert_true(running.on);
    assert_string_equal(running.string, "new");
    assert_string_equal(fresh.string, "x");
    assert_int_equal(running.some, 0);
    assert_int_equal(running.list.count, 2);
    assert_string_equal(running.secret, "s");
    assert_int_equal(running.entries[0].mode, 0644);
    config_deinit(&schema, &fresh);

    text_clear(&restarts);
    assert_int_equal(
        load("a: {b: {duration: 1s}}\nentries: [{name: second, unix: /first, mode: '0666'}]\n",
             &fresh, &error),
        0);
    config_adopt(&schema, &running, &fresh, note_restart);
    assert_string_equal(restarts.data, "entries ");
    assert_int_equal(running.entries[0].mode, 0644);
    config_deinit(&schema, &fresh);
    config_deinit(&schema, &running);
    text_deinit(&restarts);
}

static void test_print(void **state)
{
    struct values values;
    struct text error = {0};
    struct text out = {0};

    (void)state;
    assert_int_equal(load("map: {k: v}\nentries: [{name: n, tcp: '[0::1]:1'}]\n", &values, &error),
                     0);
    config_print(&schema, &values, &out);
    assert_string_equal(out.data,
                        "a:\n  number: 7\n  b:\n    duration: 5s\n    bytes: 1\non: false\n"
                        "string: \"x\"\nsecret: <secret>\ncolour: green\nsome: [red, green, blue]\n"
                        "list: [\"p\"]\nmap: {\"k\": <secret>}\n"
                        "entries:\n  - name: \"n\"\n    tcp: \"[::1]:1\"\n    owner: \"\"\n");
    config_deinit(&schema, &values);
    text_deinit(&out);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
