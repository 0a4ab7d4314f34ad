/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Make room for `extra` bytes and a NUL. */
static bool text_reserve(struct text *text, size_t extra)
{
    if (text->failed) {
        return false;
    }
    if (text->space - text->len > extra) {
        return true;
    }
    if (text->fixed) {
        text->failed = text->full = true;
        return false;
    }
    size_t space = text->space < 256 ? 256 : text->space;
    while (space - text->len <= extra) {
        space *= 2;
    }
    char *data = realloc(text->data, space);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->space = space;
    return true;
}

bool text_ends_with(const char *string, const char *ending)
{
    size_t len = strlen(string);
    size_t ending_len = strlen(ending);

    return len >= ending_len && strcmp(string + len - ending_len, ending) == 0;
}

const char *text_string(const struct text *text)
{
    if (text->failed) {
        return "out of memory";
    }
    return text->len > 0 ? text->data : "";
}

int text_fix(struct text *text, size_t space)
{
    char *data = malloc(space);

    if (data == NULL) {
        return -ENOMEM;
    }
    *text = (struct text){.data = data, .space = space, .fixed = true};
    return 0;
}

void text_trim(struct text *text)
{
    char *data = text->len > 0 ? realloc(text->data, text->len + 1) : NULL;

    if (data != NULL) {
        text->data = data;
        text->space = text->len + 1;
    }
}

void text_cut(struct text *text, size_t len)
{
    text->len = len;
    text->full = text->failed = false;
    if (len > 0) {
        text->data[len] = '\0';
    }
}

void text_clear(struct text *text)
{
    text->len = 0;
    text->full = text->failed = false;
}

void text_deinit(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

char *text_room(struct text *text, size_t size)
{
    return text_reserve(text, size) ? text->data + text->len : NULL;
}

void text_added(struct text *text, const char *end)
{
    text->len = (size_t)(end - text->data);
    text->data[text->len] = '\0';
}

void text_append_bytes(struct text *text, struct bytes bytes)
{
    if (bytes.len == 0 || !text_reserve(text, bytes.len)) {
        return;
    }
    memcpy(text->data + text->len, bytes.data, bytes.len);
    text->len += bytes.len;
    text->data[text->len] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
    text_append_bytes(text, bytes_of_string(string));
}

void text_append_char(struct text *text, char c)
{
    text_append_bytes(text, (struct bytes){(const uint8_t *)&c, 1});
}

void text_append_u64(struct text *text, uint64_t value)
{
    uint8_t digits[20];
    size_t first = sizeof digits;

    do {
        digits[--first] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text_append_bytes(text, (struct bytes){digits + first, sizeof digits - first});
}

void text_append_double(struct text *text, double value)
{
    char digits[32];

    if (isnan(value)) {
        text_append_string(text, "NaN");
        return;
    }
    if (isinf(value)) {
        text_append_string(text, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) {
            break;
        }
    }
    text_append_string(text, digits);
}

/* What means nothing but itself in every shell. */
#define SHELL_PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/=@%+,-"

/* Between single quotes only a single quote ends them (POSIX.1-2017, Shell & Utilities 2.2.2). */
void text_append_shell_word(struct text *text, const char *word)
{
    if (word[0] != '\0' && word[strspn(word, SHELL_PLAIN)] == '\0') {
        text_append_string(text, word);
        return;
    }
    text_append_char(text, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            text_append_string(text, "'\\''");
        } else {
            text_append_char(text, *word);
        }
    }
    text_append_char(text, '\'');
}

void text_append_format(struct text *text, const char *format, ...)
{
    va_list values;
    va_list again;

    va_start(values, format);
    va_copy(again, values);
    int len = vsnprintf(NULL, 0, format, values);
    if (len > 0 && text_reserve(text, (size_t)len)) {
        (void)vsnprintf(text->data + text->len, (size_t)len + 1, format, again);
        text->len += (size_t)len;
    }
    va_end(again);
    va_end(values);
}
