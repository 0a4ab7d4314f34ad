/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_watch.h"

#include <string.h>

static struct stat file_watch_look(const char *path)
{
    struct stat found;

    if (stat(path, &found) < 0) {
        memset(&found, 0, sizeof found);
    }
    return found;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void file_watch_begin(struct file_watch *watch, const char *path)
{
    watch->loaded = watch->seen = file_watch_look(path);
}

bool file_watch_is_due(struct file_watch *watch, const char *path)
{
    struct stat before = watch->seen;

    watch->seen = file_watch_look(path);
    if (!is_same(&before, &watch->seen) || is_same(&before, &watch->loaded)) {
        return false;
    }
    watch->loaded = watch->seen;
    return true;
}
