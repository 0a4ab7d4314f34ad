/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * temp_folder.h - a folder of its own for a test, and the files in it
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMP_FOLDER_FILES 256

/** Its files' names, in order. */
struct temp_folder_list {
    unsigned count;
    char names[TEMP_FOLDER_FILES][128];
};

static inline int temp_folder_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline void temp_folder_read(const char *path, struct temp_folder_list *out)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    out->count = 0;
    while (folder != NULL && (entry = readdir(folder)) != NULL && out->count < TEMP_FOLDER_FILES) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(out->names[out->count++], sizeof out->names[0], "%.127s", entry->d_name);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    qsort(out->names, out->count, sizeof out->names[0], temp_folder_compare);
}

/** Create a file of so many bytes that was last written `age` seconds ago. */
static inline bool temp_folder_write(const char *path, const char *name, size_t size, int64_t age)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct timespec times[2] = {{now.tv_sec - age, 0}, {now.tv_sec - age, 0}};
    bool written = fd >= 0 && ftruncate(fd, (off_t)size) == 0 && futimens(fd, times) == 0;
    (void)close(fd);
    (void)close(folder);
    return written;
}

/** Remove the folder and all files in it. */
static inline void temp_folder_remove(const char *path)
{
    static struct temp_folder_list list;
    int folder = open(path, O_RDONLY | O_DIRECTORY);

    do {
        temp_folder_read(path, &list);
        for (unsigned i = 0; i < list.count; i++) {
            (void)unlinkat(folder, list.names[i], 0);
        }
    } while (list.count > 0);
    (void)close(folder);
    (void)rmdir(path);
}
