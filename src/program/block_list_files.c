/* SPDX-License-Identifier: Apache-2.0 */
#include "program/block_list_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define NUMBER_SIZE 24 /* of a size_t as text */

static const char *print_size(size_t number, char out[NUMBER_SIZE])
{
    (void)snprintf(out, NUMBER_SIZE, "%zu", number);
    return out;
}

static void log_loaded(const struct block_list_settings *list,
                       const struct name_list_counts *counts)
{
    char names[NUMBER_SIZE];
    char lines[NUMBER_SIZE];
    char line[NUMBER_SIZE];

    log_info("block list loaded", "list", list->name, "names", print_size(counts->names, names),
             NULL);
    if (counts->unsupported > 0) {
        log_warn("a block list has lines that are not supported", "list", list->name, "file",
                 list->file, "lines", print_size(counts->unsupported, lines), "first_line",
                 print_size(counts->first_unsupported_line, line), NULL);
    }
}

static unsigned lists_of(const struct aggregator *aggregator)
{
    return aggregator_setup_of(aggregator)->analysis.block_list_count;
}

/* A list that was read once does not become empty: its download has probably failed. */
static int load_list(struct aggregator *aggregator, const struct settings *settings, unsigned index,
                     bool is_first, struct text *error)
{
    const struct block_list_settings *list = &settings->block_lists[index];
    struct name_list_counts counts;
    struct name_list *names;
    int result = name_list_load(&names, aggregator_secret(aggregator), list->file,
                                settings->detection.block_list_names_max, &counts, error);

    if (result == 0 && counts.names == 0 && !is_first) {
        name_list_free(names);
        text_append_format(error, "%s: it is empty", list->file);
        return -EINVAL;
    }
    if (result == 0) {
        aggregator_set_block_list(aggregator, index, names, &counts);
        log_loaded(list, &counts);
    }
    return result;
}

int block_list_files_load(struct aggregator *aggregator, const struct settings *settings,
                          struct text *error)
{
    int result = 0;

    for (unsigned i = 0; i < lists_of(aggregator) && result == 0; i++) {
        text_append_format(error, "detection.block_list.lists[%u].file: ", i);
        result = load_list(aggregator, settings, i, true, error);
        if (result == 0 || result == -ENOMEM) {
            text_clear(error);
        }
    }
    return result;
}

void block_list_files_init(struct block_list_files *files, const struct settings *settings)
{
    for (unsigned i = 0; i < settings->block_list_count; i++) {
        file_watch_begin(&files->watches[i], settings->block_lists[i].file);
    }
}

static void reload_list(struct aggregator *aggregator, const struct settings *settings,
                        unsigned index)
{
    struct text error = {0};
    int result = load_list(aggregator, settings, index, false, &error);
    if (result < 0) {
        log_error("block list not loaded, the old one stays in force", "list",
                  settings->block_lists[index].name, "error",
                  error.len > 0 ? text_string(&error) : strerror(-result), NULL);
    }
    text_deinit(&error);
}

void block_list_files_reload(struct block_list_files *files, struct aggregator *aggregator,
                             const struct settings *settings)
{
    for (unsigned i = 0; i < lists_of(aggregator); i++) {
        file_watch_begin(&files->watches[i], settings->block_lists[i].file);
        reload_list(aggregator, settings, i);
    }
}

void block_list_files_check(struct block_list_files *files, struct aggregator *aggregator,
                            const struct settings *settings)
{
    for (unsigned i = 0; i < lists_of(aggregator); i++) {
        if (file_watch_is_due(&files->watches[i], settings->block_lists[i].file)) {
            reload_list(aggregator, settings, i);
        }
    }
}
