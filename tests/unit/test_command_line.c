/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "program/command_line.h"
#include "program/settings.h"

#define ARGS_MAX 80

static struct command_line line;

/* The arguments are one text, split at blanks. */
static enum command parse(const char *arguments)
{
    static char copy[512];
    static char program[] = "dnstap_exporter";
    static char *argv[ARGS_MAX + 1];
    int argc = 1;

    (void)snprintf(copy, sizeof copy, "%s", arguments);
    argv[0] = program;
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(argc < ARGS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return command_line_parse(argc, argv, &line);
}

static void test_commands(void **state)
{
    static const struct {
        const char *arguments;
        enum command command;
    } cases[] = {
        {"", COMMAND_SERVE},
        {"--config.file=x", COMMAND_SERVE},
        {"--config.check", COMMAND_CHECK},
        {"--config.check --config.file x", COMMAND_CHECK},
        {"--version", COMMAND_VERSION},
        {"-V", COMMAND_VERSION},
        {"-h", COMMAND_HELP},
        {"--version=true", COMMAND_VERSION},
        {"--version=false", COMMAND_SERVE},
        {"--no-version", COMMAND_SERVE},
        {"--no-version=true", COMMAND_INVALID},
        {"--no-config.file", COMMAND_INVALID},
        {"--vers", COMMAND_INVALID},
        {"--config.fil=x", COMMAND_INVALID},
        {"-Vh", COMMAND_INVALID},
        {"--", COMMAND_SERVE},
        {"read -- --version", COMMAND_READ},
        {"--help", COMMAND_HELP},
        {"read a", COMMAND_READ},
        {"read - --log.level=debug", COMMAND_READ},
        {"--log.level=debug read a b", COMMAND_READ},
        {"read", COMMAND_INVALID},
        {"top", COMMAND_TOP},
        {"top --once localhost:1", COMMAND_TOP},
        {"top a b", COMMAND_INVALID},
        {"top --log.level=debug", COMMAND_INVALID},
        {"--once", COMMAND_INVALID},
        {"read a --once", COMMAND_INVALID},
        {"top --server=a", COMMAND_INVALID},
        {"write a", COMMAND_INVALID},
        {"--no.such.flag", COMMAND_INVALID},
        {"--config.file", COMMAND_INVALID},
        {"--version=1", COMMAND_INVALID},
        {"-x", COMMAND_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].arguments);
        assert_int_equal(parse(cases[i].arguments), cases[i].command);
    }
}

/* A switch that is off sets its key to false. */
static void test_switches(void **state)
{
    static const struct {
        const char *argument;
        const char *value;
    } cases[] = {
        {"--web.enable-lifecycle", "true"},
        {"--web.enable-lifecycle=true", "true"},
        {"--web.enable-lifecycle=false", "false"},
        {"--no-web.enable-lifecycle", "false"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].argument), COMMAND_SERVE);
        assert_int_equal(line.override_count, 1);
        assert_string_equal(line.overrides[0].key, "web.enable_lifecycle");
        assert_string_equal(line.overrides[0].value, cases[i].value);
    }
    assert_int_equal(parse("--web.enable-lifecycle=yes"), COMMAND_INVALID);
}

static void test_read_files(void **state)
{
    (void)state;
    assert_int_equal(parse("read a --log.level=warn - b"), COMMAND_READ);
    assert_int_equal(line.file_count, 3);
    assert_string_equal(line.files[0], "a");
    assert_string_equal(line.files[1], "-");
    assert_string_equal(line.files[2], "b");
    assert_int_equal(line.override_count, 1);
}

static void is_override(unsigned index, const char *key, const char *flag, const char *value)
{
    assert_true(index < line.override_count);
    assert_string_equal(line.overrides[index].key, key);
    assert_string_equal(line.overrides[index].flag, flag);
    assert_string_equal(line.overrides[index].value, value);
}

static void test_flags(void **state)
{
    (void)state;
    assert_int_equal(parse("--config.file f --web.listen-address=:1 --log.level debug "
                           "--log.format=json --input.unix=/a --input.tcp=:2 --input.unix /b "
                           "--web.config.file=w.yml --web.enable-lifecycle --web.systemd-socket"),
                     COMMAND_SERVE);
    assert_string_equal(line.file, "f");
    assert_int_equal(line.override_count, 9);
    is_override(0, "web.listen_addresses", "web.listen-address", ":1");
    is_override(1, "log.level", "log.level", "debug");
    is_override(2, "log.format", "log.format", "json");
    is_override(3, "inputs.unix", "input.unix", "/a");
    is_override(4, "inputs.tcp", "input.tcp", ":2");
    is_override(5, "inputs.unix", "input.unix", "/b");
    is_override(6, "web.config_file", "web.config.file", "w.yml");
    is_override(7, "web.enable_lifecycle", "web.enable-lifecycle", "true");
    is_override(8, "web.systemd_socket", "web.systemd-socket", "true");
    /* Nothing is left over from the last time. */
    assert_int_equal(parse(""), COMMAND_SERVE);
    assert_null(line.file);
    assert_int_equal(line.override_count, 0);
}

static void test_flags_of_read(void **state)
{
    (void)state;
    assert_int_equal(parse("read --server=a --window=1m f"), COMMAND_READ);
    assert_string_equal(line.server, "a");
    assert_true(line.has_window);
    is_override(0, "window", "window", "1m");
    assert_int_equal(parse("--server=a"), COMMAND_INVALID);
    assert_int_equal(parse("--window=1m"), COMMAND_INVALID);
    assert_int_equal(parse("read --server= f"), COMMAND_INVALID);
}

static void test_too_many(void **state)
{
    static char program[] = "p";
    static char flag[] = "--input.unix=/a";
    char *argv[OVERRIDES_MAX + 3] = {program};

    (void)state;
    for (int i = 1; i <= OVERRIDES_MAX + 1; i++) {
        argv[i] = flag;
    }
    assert_int_equal(command_line_parse(OVERRIDES_MAX + 1, argv, &line), COMMAND_SERVE);
    assert_int_equal(command_line_parse(OVERRIDES_MAX + 2, argv, &line), COMMAND_INVALID);
}

/* Each key is one of the configuration. */
static void test_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &command_line_flags[i];
        const struct config_override unset = {flag->key, flag->name, ""};
        struct settings settings;
        struct text error = {0};
        if (flag->key != NULL) {
            int result = config_load(&settings_schema, NULL, &unset, 1, &settings, &error);
            if (result == 0) {
                config_deinit(&settings_schema, &settings);
            } else {
                assert_non_null(strstr(error.data, "expected ")); /* the key exists */
            }
        }
        text_deinit(&error);
    }
}

static void test_help_names_every_flag(void **state)
{
    struct text help = {0};
    size_t width = 0;

    (void)state;
    command_line_print_help(&help);
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "\n  --%s", command_line_flags[i].name);
        assert_non_null(strstr(help.data, name));
    }
    for (const char *at = help.data; *at != '\0'; at++) {
        width = *at == '\n' ? 0 : width + 1;
        assert_true(width <= 80); /* a terminal */
    }
    text_deinit(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),      cmocka_unit_test(test_switches),
        cmocka_unit_test(test_read_files),    cmocka_unit_test(test_flags),
        cmocka_unit_test(test_flags_of_read), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_help_names_every_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
