/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "build_info.h"
#include "program/program.h"

static int run_with_configuration(enum command command, const struct command_line *line)
{
    struct settings settings;
    struct text error = {0};
    int result = config_load(&settings_schema, line->file, line->overrides, line->override_count,
                             &settings, &error);
    int status = EXIT_SUCCESS;

    if (result < 0) {
        program_fail(&error, result);
        text_deinit(&error);
        return EXIT_USAGE;
    }
    log_configure((enum log_level)settings.log.level, (enum log_format)settings.log.format);
    if (command == COMMAND_SERVE) {
        status = program_serve(line, &settings);
    } else if (command == COMMAND_READ) {
        status = program_read(line, &settings);
    } else {
        status = program_check(line, &settings);
    }
    config_deinit(&settings_schema, &settings);
    return status;
}

static int print_help(void)
{
    struct text help = {0};

    command_line_print_help(&help);
    (void)fputs(text_string(&help), stdout);
    text_deinit(&help);
    return EXIT_SUCCESS;
}

/* Descriptors 0 to 2 that are closed would be the first ones that the program opens, and log lines
 * would go into a socket or a file of others. Returns whether all three are open. */
static bool open_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

/* Large allocations come and go as mappings, whatever was freed before, and all threads share one
 * heap: what an attack takes goes back to the system. */
static void configure_allocator(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    (void)mallopt(M_ARENA_MAX, 1);
}

static int run_command(int argc, char *argv[])
{
    struct command_line line;
    enum command command = command_line_parse(argc, argv, &line);

    switch (command) {
    case COMMAND_VERSION:
        (void)printf("dnstap_exporter, version %s (revision %s)\n  compiler: %s\n", BUILD_VERSION,
                     BUILD_REVISION, BUILD_COMPILER);
        return EXIT_SUCCESS;
    case COMMAND_HELP:
        return print_help();
    case COMMAND_INVALID:
        (void)fprintf(stderr, "See dnstap_exporter --help\n");
        return EXIT_USAGE;
    case COMMAND_COUNT:
        return EXIT_USAGE;
    case COMMAND_PRINT:
        return program_print(&line);
    case COMMAND_TOP:
        return program_top(&line);
    case COMMAND_SERVE:
    case COMMAND_READ:
    case COMMAND_CHECK:
        break;
    }
    return run_with_configuration(command, &line);
}

int program_run(int argc, char *argv[])
{
    configure_allocator();
    if (!open_standard_descriptors()) {
        return EXIT_FAILURE; /* nowhere to say so */
    }
    int status = run_command(argc, argv);

    if (status == EXIT_SUCCESS && (fflush(stdout) != 0 || ferror(stdout) != 0)) {
        perror("dnstap_exporter: standard output");
        status = EXIT_FAILURE;
    }
    return status;
}
