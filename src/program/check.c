/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "program/program.h"

static void print_memory(const struct settings *settings)
{
    struct program_memory memory;

    program_memory_of(settings, &memory);
    program_print_memory(&memory);
}

/* What the configuration names has to be sound too: the web configuration with its certificates,
 * the public suffix list. */
int program_check(const struct command_line *line, const struct settings *settings)
{
    const struct aggregator_setup setup = {
        .time = SHARD_TIME_FRAMES, .shard_count = 1, .input_count = 1};
    struct web_security *security = NULL;
    struct aggregator *aggregator = NULL;
    struct text error = {0};
    int result = program_load_web(&security, settings, &error);

    if (result == 0) {
        result = program_create_aggregator(&aggregator, settings, &setup, &error);
    }
    if (result < 0) {
        program_fail(&error, result);
    } else {
        (void)printf("%s%s%s: the configuration is sound\n",
                     line->file != NULL ? line->file : "built-in defaults",
                     settings->web.config_file[0] != '\0' ? ", " : "", settings->web.config_file);
        print_memory(settings);
    }
    aggregator_free(aggregator);
    web_security_release(security);
    text_deinit(&error);
    return result < 0 ? EXIT_USAGE : EXIT_SUCCESS;
}
