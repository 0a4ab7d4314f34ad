/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/file_reader.h"
#include "program.h"

#define WHOLE_INPUT_NS INT64_MAX /* longer than any recording */

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

static int read_files(struct registry *registry, const struct command_line *line,
                      const unsigned *inputs, uint32_t frame_size_max)
{
    struct shard *shard = registry_shard(registry, 0);
    struct text page = {0};
    int status = EXIT_SUCCESS;
    bool any = false;

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
        any |= is_dnstap;
        if (result < 0) {
            program_fail(&damage, result);
            status = EXIT_FAILURE;
        }
        text_deinit(&damage);
    }
    if (!any) { /* nothing was counted */
        return EXIT_FAILURE;
    }
    shard_begin(shard);
    shard_flush(shard);
    shard_end(shard);
    if (registry_write_page(registry, EXPOSITION_TEXT, &page) < 0 ||
        fwrite(page.data, 1, page.len, stdout) != page.len || fflush(stdout) != 0) {
        perror("dnstap_exporter: standard output");
        status = EXIT_FAILURE;
    }
    text_deinit(&page);
    return status;
}

int program_read(const struct command_line *line, const struct config *config)
{
    const char **names = calloc((size_t)line->file_count, sizeof names[0]);
    unsigned *inputs = calloc((size_t)line->file_count, sizeof inputs[0]);
    struct registry *registry = NULL;
    struct text error = {0};
    unsigned count = 0;
    int status = EXIT_FAILURE;
    int result = -ENOMEM;

    if (names != NULL && inputs != NULL) {
        for (int i = 0; i < line->file_count; i++) {
            inputs[i] = number_input(names, &count, line->files[i]);
        }
        const struct registry_setup setup = {
            .time = SHARD_TIME_FRAMES,
            .traffic = {.window_ns = line->has_window ? config->window_ns : WHOLE_INPUT_NS},
            .shard_count = 1,
            .input_names = names,
            .input_count = count,
        };
        result = program_create_registry(&registry, config, &setup);
    }
    if (result == 0) {
        result = program_set_suffixes(registry, config, &error);
    }
    if (result == 0) {
        status = read_files(registry, line, inputs, config->frame_size_max);
    } else {
        program_fail(&error, result);
    }
    text_deinit(&error);
    registry_free(registry);
    free(inputs);
    free(names);
    return status;
}
