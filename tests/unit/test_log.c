/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static char output[16384];

static int saved_stderr;
static int capture_pipe[2];

/* Standard error leads into a pipe between these two. */
static void capture_begin(void)
{
    assert_int_equal(pipe(capture_pipe), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_true(dup2(capture_pipe[1], STDERR_FILENO) >= 0);
}

static void capture_end(void)
{
    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)close(saved_stderr);
    (void)close(capture_pipe[1]);
    ssize_t got = read(capture_pipe[0], output, sizeof output - 1);
    assert_true(got >= 0);
    output[got] = '\0';
    (void)close(capture_pipe[0]);
}

#define STAMP "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ"

/* The line behind its time stamp, whose form is checked. */
static const char *behind_time(void)
{
    int len = -1;
    int n;

    if (output[0] == '{') {
        (void)sscanf(output, "{\"ts\":\"" STAMP "\",%n", &n, &n, &n, &n, &n, &n, &n, &len);
    } else {
        (void)sscanf(output, "ts=" STAMP " %n", &n, &n, &n, &n, &n, &n, &n, &len);
    }
    assert_true(len > 0);
    return output + len;
}

static void test_logfmt(void **state)
{
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"plain", "plain"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"x\"", "\"say \\\"x\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"line\nfeed", "\"line\\u000afeed\""},
        {"\x7f\xff", "\"\\u007f\\\\xff\""},
        {"z\xc3\xbcrich", "\"z\xc3\xbcrich\""},
        {"\xe2\x80\xae", "\"\\\\xe2\\\\x80\\\\xae\""}, /* right-to-left override */
        {"/run/x.sock:1,2;[::]'", "/run/x.sock:1,2;[::]'"},
    };

    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        capture_begin();
        log_warn("a message", "key", cases[i].value, "other", "x", NULL);
        capture_end();
        (void)snprintf(expected, sizeof expected, "level=warn msg=\"a message\" key=%s other=x\n",
                       cases[i].written);
        assert_string_equal(behind_time(), expected);
    }
}

static void test_json(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture_begin();
    log_error("message", "quote", "\"", "slash", "\\", "control", "\n\x01\x7f", "empty", "", "word",
              "w", NULL);
    capture_end();
    assert_string_equal(behind_time(), "\"level\":\"error\",\"msg\":\"message\",\"quote\":\"\\\"\","
                                       "\"slash\":\"\\\\\",\"control\":\"\\u000a\\u0001\\u007f\","
                                       "\"empty\":\"\",\"word\":\"w\"}\n");
}

/* Systemd gives the journal's stream to a service, and not to what that has redirected. */
static void test_journal(void **state)
{
    struct stat found;
    char stream[64];

    (void)state;
    capture_begin();
    assert_int_equal(fstat(STDERR_FILENO, &found), 0);
    (void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)found.st_dev,
                   (uintmax_t)found.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    log_write(LOG_LEVEL_DEBUG, "a", NULL);
    log_write(LOG_LEVEL_INFO, "b", NULL);
    log_write(LOG_LEVEL_WARN, "c", NULL);
    log_write(LOG_LEVEL_ERROR, "d", NULL);
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    log_write(LOG_LEVEL_INFO, "e", NULL);
    capture_end();
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    const char *line = output;
    for (const char *const *begin =
             (const char *const[]){"<7>ts=", "<6>ts=", "<4>ts=", "<3>ts=", "ts=", NULL};
         *begin != NULL; begin++) {
        assert_memory_equal(line, *begin, strlen(*begin));
        line = strchr(line, '\n') + 1;
    }
}

static void test_levels(void **state)
{
    (void)state;
    for (enum log_level threshold = LOG_LEVEL_DEBUG; threshold <= LOG_LEVEL_ERROR; threshold++) {
        log_configure(threshold, LOG_FORMAT_LOGFMT);
        for (enum log_level level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
            capture_begin();
            log_write(level, "m", NULL);
            capture_end();
            assert_int_equal(output[0] != '\0', level >= threshold);
        }
    }
}

/* --- Long lines
 * ------------------------------------------------------------------------------------- */

static const char *skip_json_string(const char *p)
{
    assert_int_equal(*p, '"');
    for (p++; *p != '"'; p++) {
        assert_true(*p >= ' ' && *p <= '~');
        if (*p == '\\') {
            p++;
            assert_true(*p == '"' || *p == '\\' || *p == 'u');
            for (unsigned i = 0; *p == 'u' && i < 4; i++) {
                assert_true(isxdigit((unsigned char)p[1 + i]));
            }
        }
    }
    return p + 1;
}

/* One object of strings, then a newline, then nothing. */
static void is_json_line(const char *p)
{
    assert_int_equal(*p, '{');
    do {
        p = skip_json_string(p + 1);
        assert_int_equal(*p, ':');
        p = skip_json_string(p + 1);
    } while (*p == ',');
    assert_string_equal(p, "}\n");
}

static void is_logfmt_line(const char *p)
{
    for (;;) {
        size_t key = strcspn(p, "= \"\n");
        assert_true(key > 0);
        assert_int_equal(p[key], '=');
        p += key + 1;
        p = *p == '"' ? skip_json_string(p) : p + strcspn(p, " \n\"");
        if (*p == '\n') {
            assert_int_equal(p[1], '\0');
            return;
        }
        assert_int_equal(*p++, ' ');
    }
}

static void write_long_line(enum log_format format, size_t len, char fill, bool in_message)
{
    static char filled[10000];

    memset(filled, fill, len);
    filled[len] = '\0';
    log_configure(LOG_LEVEL_INFO, format);
    capture_begin();
    if (in_message) {
        log_info(filled, "key", "value", "k2", "with space", NULL);
    } else {
        log_info("m", "key", filled, "k2", "with space", NULL);
    }
    capture_end();
    assert_true(strlen(output) <= 4096);
    if (!in_message) { /* what is too long is cut, not left out */
        assert_non_null(strstr(output, format == LOG_FORMAT_JSON ? "\"key\":" : "key="));
        bool is_cut = strstr(output, "...") != NULL;
        assert_true(is_cut || len < 4096);
        assert_true(!is_cut || strstr(output, "k2") == NULL);
    }
    if (format == LOG_FORMAT_JSON) {
        is_json_line(output);
    } else {
        is_logfmt_line(output);
    }
}

static void test_long_lines_are_well_formed(void **state)
{
    static const char fills[] = {'x', ' ', '"', '\\', '\n', '\xff'};

    (void)state;
    for (unsigned i = 0; i < sizeof fills; i++) {
        for (size_t len = 1; len<9000; len += len> 600 && len < 4200 ? 11 : 97) {
            for (unsigned which = 0; which < 4; which++) {
                enum log_format format = which & 1 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT;
                write_long_line(format, len, fills[i], (which & 2) != 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_long_lines_are_well_formed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
