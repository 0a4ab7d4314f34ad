/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config/command_line.h"

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
        {"--help", COMMAND_HELP},
        {"read a", COMMAND_READ},
        {"read - --log.level=debug", COMMAND_READ},
        {"--log.level=debug read a b", COMMAND_READ},
        {"read", COMMAND_INVALID},
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

static void test_read_files(void **state)
{
    (void)state;
    assert_int_equal(parse("read a --log.level=warn - b"), COMMAND_READ);
    assert_int_equal(line.file_count, 3);
    assert_string_equal(line.files[0], "a");
    assert_string_equal(line.files[1], "-");
    assert_string_equal(line.files[2], "b");
    assert_int_equal(line.flags.override_count, 1);
}

static void is_override(unsigned index, const char *key, const char *flag, const char *value)
{
    assert_true(index < line.flags.override_count);
    assert_string_equal(line.flags.overrides[index].key, key);
    assert_string_equal(line.flags.overrides[index].flag, flag);
    assert_string_equal(line.flags.overrides[index].value, value);
}

static void test_flags(void **state)
{
    (void)state;
    assert_int_equal(parse("--config.file f --web.listen-address=:1 --log.level debug "
                           "--log.format=json --input.unix=/a --input.tcp=:2 --input.unix /b "
                           "--web.listen-address :3 --web.config.file=w.yml "
                           "--web.enable-lifecycle --web.systemd-socket"),
                     COMMAND_SERVE);
    assert_string_equal(line.flags.file, "f");
    assert_int_equal(line.flags.override_count, 5);
    is_override(0, "log.level", "--log.level", "debug");
    is_override(1, "log.format", "--log.format", "json");
    is_override(2, "web.config_file", "--web.config.file", "w.yml");
    is_override(3, "web.enable_lifecycle", "--web.enable-lifecycle", "true");
    is_override(4, "web.systemd_socket", "--web.systemd-socket", "true");
    assert_int_equal(line.flags.web_address_count, 2);
    assert_string_equal(line.flags.web_addresses[0], ":1");
    assert_string_equal(line.flags.web_addresses[1], ":3");
    assert_int_equal(line.flags.unix_path_count, 2);
    assert_string_equal(line.flags.unix_paths[0], "/a");
    assert_string_equal(line.flags.unix_paths[1], "/b");
    assert_int_equal(line.flags.tcp_address_count, 1);
    assert_string_equal(line.flags.tcp_addresses[0], ":2");
    /* Nothing is left over from the last time. */
    assert_int_equal(parse(""), COMMAND_SERVE);
    assert_null(line.flags.file);
    assert_int_equal(line.flags.override_count, 0);
    assert_int_equal(line.flags.unix_path_count, 0);
}

/* More of a kind than there is room for overrides: the last counts. */
static void test_the_last_flag_counts(void **state)
{
    char arguments[512] = "";

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        size_t len = strlen(arguments);
        (void)snprintf(arguments + len, sizeof arguments - len, "--log.level=%u ", i);
    }
    assert_int_equal(parse(arguments), COMMAND_SERVE);
    assert_int_equal(line.flags.override_count, 1);
    is_override(0, "log.level", "--log.level", "19");
}

static void test_too_many_inputs(void **state)
{
    char arguments[512] = "";

    (void)state;
    for (unsigned i = 0; i < CONFIG_INPUTS_MAX / 2; i++) {
        strcat(arguments, "--input.tcp :1 ");
    }
    assert_int_equal(parse(arguments), COMMAND_SERVE);
    assert_int_equal(line.flags.tcp_address_count, CONFIG_INPUTS_MAX / 2);

    static char program[] = "p";
    static char flag[] = "--input.unix=/a";
    char *argv[CONFIG_INPUTS_MAX + 3] = {program};
    for (int i = 1; i <= CONFIG_INPUTS_MAX + 1; i++) {
        argv[i] = flag;
    }
    assert_int_equal(command_line_parse(CONFIG_INPUTS_MAX + 1, argv, &line), COMMAND_SERVE);
    assert_int_equal(command_line_parse(CONFIG_INPUTS_MAX + 2, argv, &line), COMMAND_INVALID);
}

static void test_help_names_every_flag(void **state)
{
    static const char *const flags[] = {
        "--config.file", "--config.check", "--web.listen-address",
        "--input.unix",  "--input.tcp",    "--log.level",
        "--log.format",  "--version",      "--help",
    };

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        assert_non_null(strstr(command_line_help, flags[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),        cmocka_unit_test(test_read_files),
        cmocka_unit_test(test_flags),           cmocka_unit_test(test_the_last_flag_counts),
        cmocka_unit_test(test_too_many_inputs), cmocka_unit_test(test_help_names_every_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
