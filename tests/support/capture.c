/* SPDX-License-Identifier: Apache-2.0 */
#include "support/capture.h"

#include <dirent.h>
#include <fstrm.h>
#include <stdio.h>
#include <stdlib.h>

static void on_timeout(const char *path)
{
    (void)fprintf(stderr, "cannot read %s\n", path);
    exit(EXIT_FAILURE);
}

static void add_frame(struct capture *capture, const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len);
    struct bytes *grown = realloc(capture->frames, (capture->count + 1) * sizeof *grown);

    if (copy == NULL || grown == NULL) {
        abort();
    }
    memcpy(copy, data, len);
    grown[capture->count++] = (struct bytes){copy, len};
    capture->frames = grown;
}

static void load_file(struct capture *capture, const char *path)
{
    struct fstrm_file_options *options = fstrm_file_options_init();
    const uint8_t *data;
    size_t len;

    fstrm_file_options_set_file_path(options, path);
    struct fstrm_reader *reader = fstrm_file_reader_init(options, NULL);
    if (reader == NULL || fstrm_reader_open(reader) != fstrm_res_success) {
        on_timeout(path);
    }
    while (fstrm_reader_read(reader, &data, &len) == fstrm_res_success) {
        add_frame(capture, data, len);
    }
    (void)fstrm_reader_destroy(&reader);
    fstrm_file_options_destroy(&options);
}

struct capture capture_load_folder(const char *folder)
{
    struct capture capture = {0};
    DIR *directory = opendir(folder);
    const struct dirent *entry;

    if (directory == NULL) {
        on_timeout(folder);
    }
    while ((entry = readdir(directory)) != NULL) {
        char path[4096];
        const char *ending = strrchr(entry->d_name, '.');

        if (ending != NULL && strcmp(ending, ".fstrm") == 0) {
            (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            load_file(&capture, path);
        }
    }
    (void)closedir(directory);
    if (capture.count == 0) {
        on_timeout(folder);
    }
    return capture;
}

void capture_free(struct capture *capture)
{
    for (size_t i = 0; i < capture->count; i++) {
        free((void *)(uintptr_t)capture->frames[i].data);
    }
    free(capture->frames);
}
