/* SPDX-License-Identifier: Apache-2.0 */
#include "program/file_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/archive_index.h"

#if defined __GNUC__ && !defined __clang__
/* The analyzer of gcc 12 does not see that a list owns its items. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static int file_list_make_room(struct file_list *list)
{
    if (list->count < list->space) {
        return 0;
    }
    size_t space = list->space > 0 ? 2 * list->space : 16;
    struct listed_file *files = realloc(list->files, space * sizeof *files);
    if (files == NULL) {
        return -ENOMEM;
    }
    list->files = files;
    list->space = space;
    return 0;
}

static int file_list_append(struct file_list *list, const char *path, bool is_of_folder)
{
    int result = file_list_make_room(list);
    char *copy = result == 0 ? strdup(path) : NULL;

    if (copy == NULL) {
        return -ENOMEM;
    }
    list->files[list->count].path = copy;
    list->files[list->count].is_of_folder = is_of_folder;
    list->count++;
    return 0;
}

static bool is_dnstap_name(const char *name)
{
    static const char *const endings[] = {".fstrm", ".fstrm.gz", ".fstrm.zst",
                                          (".fstrm.zst" ARCHIVE_PART_SUFFIX)};

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (name[0] != '.' && text_ends_with(name, endings[i])) {
            return true;
        }
    }
    return false;
}

static bool is_file(DIR *folder, const char *name)
{
    struct stat found;

    return fstatat(dirfd(folder), name, &found, 0) == 0 && S_ISREG(found.st_mode);
}

static int append_of_folder(struct file_list *list, const char *folder, const char *name)
{
    struct text path = {0};

    text_append_format(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
    int result = path.failed ? -ENOMEM : file_list_append(list, path.data, true);
    text_deinit(&path);
    return result;
}

static int compare_files(const void *a, const void *b)
{
    const struct listed_file *left = a;
    const struct listed_file *right = b;

    return strcmp(left->path, right->path);
}

/* A file that is closed while its folder is read may be there with both of its names, the one of a
 * file that is written behind the other. */
static void drop_closed(struct file_list *list, size_t first)
{
    size_t kept = first;

    for (size_t i = first; i < list->count; i++) {
        char *path = list->files[i].path;
        size_t base = strlen(path) - (sizeof ARCHIVE_PART_SUFFIX - 1);
        if (kept > first && text_ends_with(path, ARCHIVE_PART_SUFFIX) &&
            strlen(list->files[kept - 1].path) == base &&
            strncmp(list->files[kept - 1].path, path, base) == 0) {
            free(path);
        } else {
            list->files[kept++] = list->files[i];
        }
    }
    list->count = kept;
}

static int add_folder(struct file_list *list, const char *path, DIR *folder)
{
    const size_t first = list->count;
    const struct dirent *entry;
    int result = 0;

    while (result == 0 && (entry = readdir(folder)) != NULL) {
        if (is_dnstap_name(entry->d_name) && is_file(folder, entry->d_name)) {
            result = append_of_folder(list, path, entry->d_name);
        }
    }
    if (list->count > first) {
        qsort(list->files + first, list->count - first, sizeof list->files[0], compare_files);
        drop_closed(list, first);
    }
    return result;
}

int file_list_add(struct file_list *list, const char *path, struct text *error)
{
    DIR *folder = strcmp(path, "-") == 0 ? NULL : opendir(path);
    int result;

    if (folder == NULL) {
        return file_list_append(list, path, false); /* no folder: reading it says what is wrong */
    }
    size_t before = list->count;
    result = add_folder(list, path, folder);
    (void)closedir(folder);
    if (result == 0 && list->count == before) {
        text_append_format(error, "%s: no dnstap files (*.fstrm, *.fstrm.gz, *.fstrm.zst)", path);
        return -ENOENT;
    }
    return result;
}

void file_list_deinit(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->files[i].path);
    }
    free(list->files);
    *list = (struct file_list){0};
}
