/* SPDX-License-Identifier: Apache-2.0 */
#include "service_text_internal.h"

#include "field_text_internal.h"

/* Presentation names of keys, as IANA has them ("Service Parameter Keys"). */
struct service_key {
    const char *name;
    /* Reads the value, all of it, and writes it with the equals sign. */
    void (*write)(struct cursor *value, struct writer *writer);
};

static void write_nothing(struct cursor *value, struct writer *writer)
{
    (void)value;
    (void)writer;
}

static void write_text(struct cursor *value, struct writer *writer)
{
    writer_char(writer, '=');
    field_quoted(cursor_take(value, cursor_left(value)), writer);
}

static void write_base64(struct cursor *value, struct writer *writer)
{
    writer_char(writer, '=');
    if (cursor_need(value, 1)) {
        field_base64(cursor_take(value, cursor_left(value)), writer);
    }
}

static void write_port(struct cursor *value, struct writer *writer)
{
    writer_char(writer, '=');
    field_number(cursor_be16(value), writer);
}

static void write_ipv4_hints(struct cursor *value, struct writer *writer)
{
    char before = '=';

    do {
        writer_char(writer, before);
        field_ipv4(value, writer);
        before = ',';
    } while (cursor_left(value) > 0);
}

static void write_ipv6_hints(struct cursor *value, struct writer *writer)
{
    char before = '=';

    do {
        writer_char(writer, before);
        field_ipv6(value, writer);
        before = ',';
    } while (cursor_left(value) > 0);
}

/* An item of a list has commas and backslashes escaped, and the list as a string has them escaped
 * again (RFC 9460 appendix A.1). */
static void write_list_item(struct bytes item, struct writer *writer)
{
    for (size_t i = 0; i < item.len; i++) {
        uint8_t c = item.data[i];
        if (c == ',' || c == '\\') {
            writer_string(writer, "\\\\");
        }
        field_escaped((struct bytes){&c, 1}, writer);
    }
}

/* Section 7.1.1: none is empty. */
static void write_protocols(struct cursor *value, struct writer *writer)
{
    writer_string(writer, "=\"");
    for (char before = '\0';; before = ',') {
        struct bytes item = cursor_take(value, cursor_u8(value));
        if (item.len == 0) {
            cursor_fail(value);
            return;
        }
        if (before != '\0') {
            writer_char(writer, before);
        }
        write_list_item(item, writer);
        if (cursor_left(value) == 0) {
            break;
        }
    }
    writer_char(writer, '"');
}

static void write_mandatory(struct cursor *value, struct writer *writer);

static const struct service_key keys[] = {
    {"mandatory", write_mandatory},     {"alpn", write_protocols},
    {"no-default-alpn", write_nothing}, {"port", write_port},
    {"ipv4hint", write_ipv4_hints},     {"ech", write_base64},
    {"ipv6hint", write_ipv6_hints},     {"dohpath", write_text}, /* RFC 9461 */
    {"ohttp", write_nothing},                                    /* RFC 9540 */
};

#define KEYS (sizeof keys / sizeof keys[0])

static void write_key(uint16_t key, struct writer *writer)
{
    if (key < KEYS) {
        writer_string(writer, keys[key].name);
        return;
    }
    writer_string(writer, "key");
    field_number(key, writer);
}

/* Section 8: the keys ascend, and this one is not among them. */
static void write_mandatory(struct cursor *value, struct writer *writer)
{
    char before = '=';
    uint16_t last = 0;

    do {
        uint16_t key = cursor_be16(value);
        if (key <= last) {
            cursor_fail(value);
            return;
        }
        last = key;
        writer_char(writer, before);
        write_key(key, writer);
        before = ',';
    } while (cursor_left(value) > 0);
}

/* Returns whether the value fits its key. */
static bool write_parameter(uint16_t key, struct bytes value, struct writer *writer)
{
    struct cursor cursor = cursor_over(value);

    writer_char(writer, ' ');
    write_key(key, writer);
    if (key < KEYS) {
        keys[key].write(&cursor, writer);
    } else if (value.len > 0) {
        write_text(&cursor, writer);
    }
    return !cursor.failed && cursor_left(&cursor) == 0;
}

void service_parameters(struct cursor *data, struct writer *writer)
{
    int last = -1;

    while (cursor_left(data) > 0) {
        uint16_t key = cursor_be16(data);
        struct bytes value = cursor_take(data, cursor_be16(data));
        if (data->failed || key <= last || !write_parameter(key, value, writer)) {
            cursor_fail(data);
            return;
        }
        last = key;
    }
}
