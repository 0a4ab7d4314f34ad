/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/file_reader.h"
#include "program/program.h"
#include "program/sandbox_rules.h"

#define DEFAULT_SERVER "file" /* its name where frames have no identity */

/* A file given twice is one input. Returns its number. */
static unsigned number_input(const char **names, unsigned *count, const char *name)
{
    for (unsigned i = 0; i < *count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    names[*count] = name;
    return (*count)++;
}

static int print_page(struct registry *registry)
{
    struct text page = {0};
    int status = EXIT_SUCCESS;

    if (registry_write_page(registry, EXPOSITION_TEXT, &page) < 0 ||
        fwrite(page.data, 1, page.len, stdout) != page.len || fflush(stdout) != 0) {
        perror("dnstap_exporter: standard output");
        status = EXIT_FAILURE;
    }
    text_deinit(&page);
    return status;
}

/* Whether any of the files is dnstap goes to *any. Returns the exit status. */
static int read_files(struct aggregator *aggregator, const struct command_line *line,
                      const unsigned *inputs, uint32_t frame_size_max, bool *any)
{
    struct shard *shard = aggregator_shard(aggregator, 0);
    int status = EXIT_SUCCESS;

    *any = false;
    for (int i = 0; i < line->file_count; i++) {
        const struct file_reader_target target = {
            .shard = shard,
            .input = inputs[i],
            .server_name = line->server != NULL ? line->server : DEFAULT_SERVER,
            .max_frame_size = frame_size_max,
        };
        struct text damage = {0};
        bool is_dnstap;
        int result = file_reader_run(line->files[i], &target, &is_dnstap, &damage);
        *any |= is_dnstap;
        if (result < 0) {
            program_fail(&damage, result);
            status = EXIT_FAILURE;
        }
        text_deinit(&damage);
    }
    shard_begin(shard);
    shard_flush(shard);
    shard_end(shard);
    return status;
}

/* The files as inputs: each name once. */
struct file_inputs {
    const char **names; /* [count] */
    unsigned count;
    unsigned *numbers; /* of each file on the command line */
};

static int number_inputs(struct file_inputs *inputs, const struct command_line *line)
{
    inputs->names = calloc((size_t)line->file_count, sizeof inputs->names[0]);
    inputs->numbers = calloc((size_t)line->file_count, sizeof inputs->numbers[0]);
    if (inputs->names == NULL || inputs->numbers == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < line->file_count; i++) {
        inputs->numbers[i] = number_input(inputs->names, &inputs->count, line->files[i]);
    }
    return 0;
}

static int create_aggregator(struct aggregator **out, const struct command_line *line,
                             const struct settings *settings, unsigned input_count,
                             struct text *error)
{
    const struct aggregator_setup setup = {
        .time = SHARD_TIME_FRAMES,
        .analysis = {.window_ns = line->has_window ? settings->top.window_ns : ANALYSIS_OF_ALL_NS,
                     .recordings = {line->files, (size_t)line->file_count}},
        .shard_count = 1,
        .input_count = input_count,
    };

    return program_create_aggregator(out, settings, &setup, error);
}

static int create_registry(struct registry **out, const struct settings *settings,
                           struct aggregator *aggregator, const char *const *names)
{
    const struct registry_setup setup = {
        .aggregator = aggregator,
        .input_names = names,
        .input_count = aggregator_setup_of(aggregator)->input_count,
        .top_max_series = settings->top.max_series,
        .native_schema = (int)settings->exposition.native_schema,
    };

    return registry_create(out, &setup);
}

int program_read(const struct command_line *line, const struct settings *settings)
{
    struct file_inputs inputs = {0};
    struct aggregator *aggregator = NULL;
    struct registry *registry = NULL;
    struct sandbox *sandbox = NULL;
    struct text error = {0};
    int status = EXIT_FAILURE;
    int result = number_inputs(&inputs, line);

    if (result == 0) {
        result = sandbox_rules_start_read(&sandbox, inputs.names, inputs.count, settings);
    }
    if (result == 0) {
        result = create_aggregator(&aggregator, line, settings, inputs.count, &error);
    }
    if (result == 0) {
        result = create_registry(&registry, settings, aggregator, inputs.names);
    }
    if (result == 0) {
        bool any;
        status = read_files(aggregator, line, inputs.numbers, settings->ingest.frame_size_max,
                            &any);
        if (any && print_page(registry) != EXIT_SUCCESS) {
            status = EXIT_FAILURE;
        }
    } else {
        program_fail(&error, result);
    }
    text_deinit(&error);
    registry_free(registry);
    aggregator_free(aggregator);
    sandbox_rules_finish_read(sandbox);
    free(inputs.numbers);
    free(inputs.names);
    return status;
}
