/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_row.h"
#include "config/config_value.h"

#if defined __GNUC__ && !defined __clang__
/* The analyzer of gcc 12 does not see that a list owns its items. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

void config_row_print_expected(const struct config_row *row, struct text *out)
{
    const char *expected = row->expected != NULL ? row->expected : row->kind->expected;

    if (expected != NULL) {
        text_append_string(out, expected);
    } else {
        row->kind->print_expected(row, out);
    }
}

/* --- Numbers and durations --- */

static int number_parse(const struct config_row *row, const char *text, void *member)
{
    uint64_t number;

    if (!config_parse_number(text, &number) || number < row->least || number > row->most) {
        return -EINVAL;
    }
    *(unsigned *)member = (unsigned)number;
    return 0;
}

static void number_print(const struct config_row *row, const void *member, struct text *out)
{
    (void)row;
    text_append_u64(out, *(const unsigned *)member);
}

static void number_print_expected(const struct config_row *row, struct text *out)
{
    text_append_string(out,
                       row->kind == &config_bytes ? "a number of bytes from " : "a number from ");
    text_append_u64(out, row->least);
    text_append_string(out, " to ");
    text_append_u64(out, row->most);
}

const struct config_kind config_number = {
    .size = sizeof(unsigned),
    .parse = number_parse,
    .print = number_print,
    .print_expected = number_print_expected,
};

const struct config_kind config_bytes = {
    .size = sizeof(unsigned),
    .parse = number_parse,
    .print = number_print,
    .print_expected = number_print_expected,
};

static int size_parse(const struct config_row *row, const char *text, void *member)
{
    uint64_t bytes;

    if (!config_parse_size(text, &bytes) || bytes < row->least || bytes > row->most) {
        return -EINVAL;
    }
    *(uint64_t *)member = bytes;
    return 0;
}

static void size_print(const struct config_row *row, const void *member, struct text *out)
{
    (void)row;
    config_print_size(*(const uint64_t *)member, out);
}

static void size_print_expected(const struct config_row *row, struct text *out)
{
    text_append_string(out, "a number of bytes from ");
    config_print_size(row->least, out);
    text_append_string(out, " to ");
    config_print_size(row->most, out);
    text_append_string(out, ", such as ");
    text_append_string(out, row->initial);
}

const struct config_kind config_size = {
    .size = sizeof(uint64_t),
    .parse = size_parse,
    .print = size_print,
    .print_expected = size_print_expected,
};

static int duration_parse(const struct config_row *row, const char *text, void *member)
{
    uint64_t ns;

    if (!config_parse_duration(text, &ns) || ns < row->least || ns > row->most) {
        return -EINVAL;
    }
    *(uint64_t *)member = ns;
    return 0;
}

static void duration_print(const struct config_row *row, const void *member, struct text *out)
{
    (void)row;
    config_print_duration(*(const uint64_t *)member, out);
}

static void duration_print_expected(const struct config_row *row, struct text *out)
{
    text_append_string(out, "a duration from ");
    config_print_duration(row->least, out);
    text_append_string(out, " to ");
    config_print_duration(row->most, out);
    text_append_string(out, ", such as ");
    text_append_string(out, row->initial);
}

const struct config_kind config_duration = {
    .size = sizeof(uint64_t),
    .parse = duration_parse,
    .print = duration_print,
    .print_expected = duration_print_expected,
};

static int boolean_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    return config_parse_switch(text, member) ? 0 : -EINVAL;
}

static void boolean_print(const struct config_row *row, const void *member, struct text *out)
{
    (void)row;
    text_append_string(out, *(const bool *)member ? "true" : "false");
}

const struct config_kind config_boolean = {
    .size = sizeof(bool),
    .parse = boolean_parse,
    .print = boolean_print,
    .expected = "true or false",
};

static int on_off_parse(const struct config_row *row, const char *text, void *member)
{
    bool on = strcmp(text, "on") == 0;

    if (!on && strcmp(text, "off") != 0) {
        return boolean_parse(row, text, member);
    }
    *(bool *)member = on;
    return 0;
}

static void on_off_print(const struct config_row *row, const void *member, struct text *out)
{
    (void)row;
    text_append_string(out, *(const bool *)member ? "on" : "off");
}

const struct config_kind config_on_off = {
    .size = sizeof(bool),
    .parse = on_off_parse,
    .print = on_off_print,
    .expected = "on or off",
};

/* --- Strings --- */

static void string_clear(void *member)
{
    char **string = member;

    free(*string);
    *string = NULL;
}

static int string_parse(const struct config_row *row, const char *text, void *member)
{
    if (row->check != NULL && !row->check(text)) {
        return -EINVAL;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return -ENOMEM;
    }
    string_clear(member);
    *(char **)member = copy;
    return 0;
}

static void string_print(const struct config_row *row, const void *member, struct text *out)
{
    const char *string = *(char *const *)member;

    (void)row;
    if (string != NULL) {
        config_print_string(string, out);
    }
}

const struct config_kind config_string = {
    .size = sizeof(char *),
    .parse = string_parse,
    .print = string_print,
    .expected = "a text",
    .clear = string_clear,
};

static void strings_clear(void *member)
{
    struct config_strings *strings = member;

    for (unsigned i = 0; i < strings->count; i++) {
        free(strings->items[i]);
    }
    free(strings->items);
    *strings = (struct config_strings){0};
}

static int strings_parse(const struct config_row *row, const char *text, void *member)
{
    struct config_strings *strings = member;
    char **items = realloc(strings->items, (strings->count + 1) * sizeof(char *));
    if (items == NULL) {
        return -ENOMEM;
    }
    strings->items = items;
    items[strings->count] = NULL;
    int result = string_parse(row, text, &items[strings->count]);
    strings->count += result == 0;
    return result;
}

/* Values of maps are secrets: their keys alone are printed. */
static void strings_print(const struct config_row *row, const void *member, struct text *out)
{
    const struct config_strings *strings = member;
    bool is_map = row->kind->is_map;
    struct text item = {0};

    if (strings->count < row->least) {
        return; /* a file cannot say so */
    }
    text_append_char(out, is_map ? '{' : '[');
    for (unsigned i = 0; i < strings->count; i++) {
        const char *string = strings->items[i];
        size_t len = is_map ? (size_t)(strrchr(string, ':') - string) : strlen(string);

        text_clear(&item);
        text_append_format(&item, "%.*s", (int)len, string);
        text_append_string(out, i > 0 ? ", " : "");
        config_print_string(text_string(&item), out);
        text_append_string(out, is_map ? ": <secret>" : "");
    }
    text_append_char(out, is_map ? '}' : ']');
    out->failed |= item.failed;
    text_deinit(&item);
}

const struct config_kind config_strings = {
    .size = sizeof(struct config_strings),
    .is_list = true,
    .parse = strings_parse,
    .print = strings_print,
    .expected = "texts",
    .clear = strings_clear,
};

const struct config_kind config_map = {
    .size = sizeof(struct config_strings),
    .is_map = true,
    .parse = strings_parse,
    .print = strings_print,
    .expected = "keys and texts",
    .clear = strings_clear,
};

/* --- Words --- */

/* The word's index, or -1. */
static int word_find(const struct config_row *row, const char *text)
{
    for (int i = 0; row->words[i] != NULL; i++) {
        if (strcmp(row->words[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

static void words_print_expected(const struct config_row *row, struct text *out)
{
    for (size_t i = 0; row->words[i] != NULL; i++) {
        bool last = row->words[i + 1] == NULL;
        text_append_string(out, i == 0 ? "" : last ? " or " : ", ");
        text_append_string(out, row->words[i]);
    }
}

static int choice_parse(const struct config_row *row, const char *text, void *member)
{
    int word = word_find(row, text);

    if (word < 0) {
        return -EINVAL;
    }
    *(unsigned *)member = (unsigned)word;
    return 0;
}

static void choice_print(const struct config_row *row, const void *member, struct text *out)
{
    text_append_string(out, row->words[*(const unsigned *)member]);
}

const struct config_kind config_choice = {
    .size = sizeof(unsigned),
    .parse = choice_parse,
    .print = choice_print,
    .print_expected = words_print_expected,
};

static int set_parse(const struct config_row *row, const char *text, void *member)
{
    int word = word_find(row, text);

    if (word < 0) {
        return -EINVAL;
    }
    *(uint64_t *)member |= UINT64_C(1) << word;
    return 0;
}

static void set_print(const struct config_row *row, const void *member, struct text *out)
{
    const char *before = "";

    text_append_char(out, '[');
    for (size_t i = 0; row->words[i] != NULL; i++) {
        if ((*(const uint64_t *)member >> i & 1) != 0) {
            text_append_string(out, before);
            text_append_string(out, row->words[i]);
            before = ", ";
        }
    }
    text_append_char(out, ']');
}

const struct config_kind config_set = {
    .size = sizeof(uint64_t),
    .is_list = true,
    .parse = set_parse,
    .print = set_print,
    .print_expected = words_print_expected,
};

/* --- Files and their owners --- */

static int mode_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    return config_parse_mode(text, member) ? 0 : -EINVAL;
}

static void mode_print(const struct config_row *row, const void *member, struct text *out)
{
    (void)row;
    text_append_format(out, "\"%04o\"", *(const unsigned *)member);
}

const struct config_kind config_mode = {
    .size = sizeof(unsigned),
    .parse = mode_parse,
    .print = mode_print,
    .expected = "permission bits in octal, such as \"0660\"",
};

static int id_parse(const char *text, bool (*parse)(const char *text, uint32_t *out), void *member)
{
    struct config_id *id = member;

    if (strlen(text) >= sizeof id->text || (text[0] != '\0' && !parse(text, &id->number))) {
        return -EINVAL;
    }
    if (text[0] == '\0') {
        id->number = CONFIG_ID_KEEP;
    }
    memcpy(id->text, text, strlen(text) + 1);
    return 0;
}

static void id_print(const struct config_row *row, const void *member, struct text *out)
{
    const struct config_id *id = member;

    (void)row;
    config_print_string(id->text, out);
}

static int user_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    return id_parse(text, config_parse_user, member);
}

const struct config_kind config_user = {
    .size = sizeof(struct config_id),
    .parse = user_parse,
    .print = id_print,
    .expected = "a user that exists",
};

static int group_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    return id_parse(text, config_parse_group, member);
}

const struct config_kind config_group = {
    .size = sizeof(struct config_id),
    .parse = group_parse,
    .print = id_print,
    .expected = "a group that exists",
};

/* --- Endpoints --- */

/* A key of another kind of endpoint has no value then. */
static void endpoint_print_value(const struct config_row *row, const void *member, struct text *out)
{
    const struct endpoint *endpoint = member;
    char place[ENDPOINT_TEXT_SIZE];

    if (endpoint->kind != ENDPOINT_NONE && strcmp(row->key, endpoint_key(endpoint)) == 0) {
        config_print_string(endpoint_print(endpoint, place), out);
    }
}

static int unix_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    return endpoint_parse_unix(text, member) ? 0 : -EINVAL;
}

const struct config_kind config_unix = {
    .size = sizeof(struct endpoint),
    .is_endpoint = true,
    .parse = unix_parse,
    .print = endpoint_print_value,
    .expected = "an absolute path of at most 107 bytes",
};

static int tcp_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    return endpoint_parse_tcp(text, member) ? 0 : -EINVAL;
}

const struct config_kind config_tcp = {
    .size = sizeof(struct endpoint),
    .is_endpoint = true,
    .parse = tcp_parse,
    .print = endpoint_print_value,
    .expected = CONFIG_EXPECTED_TCP,
};

/* A name would be looked up, perhaps by the very server that is monitored. */
static int tcp_address_parse(const struct config_row *row, const char *text, void *member)
{
    struct endpoint endpoint;

    (void)row;
    if (!endpoint_parse_tcp(text, &endpoint) || !endpoint.has_address) {
        return -EINVAL;
    }
    *(struct endpoint *)member = endpoint;
    return 0;
}

const struct config_kind config_tcp_address = {
    .size = sizeof(struct endpoint),
    .is_endpoint = true,
    .parse = tcp_address_parse,
    .print = endpoint_print_value,
    .expected = "ADDRESS:PORT without a name, an IPv6 address in brackets",
};

static int dialled_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    return endpoint_parse_dialled(text, member) ? 0 : -EINVAL;
}

const struct config_kind config_dialled = {
    .size = sizeof(struct endpoint),
    .is_endpoint = true,
    .parse = dialled_parse,
    .print = endpoint_print_value,
    .expected = "unix:/PATH, tcp://ADDRESS:PORT or tls://ADDRESS:PORT, an IPv6 address in brackets",
};

static int refused_parse(const struct config_row *row, const char *text, void *member)
{
    (void)row;
    (void)text;
    (void)member;
    return -EINVAL;
}

static void refused_print(const struct config_row *row, const void *member, struct text *out)
{
    (void)row;
    (void)member;
    (void)out;
}

const struct config_kind config_refused = {
    .parse = refused_parse, .print = refused_print, .expected = "not this key"};
