/* SPDX-License-Identifier: Apache-2.0 */
#include "archive_folder_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/archive_index.h"

#define FILE_MODE    0640
#define OLDEST_MAX   64   /* chosen: files that one look at the folder can remove */
#define ATTEMPTS_MAX 1000 /* names of the next second */
#define AHEAD_MAX    3600 /* seconds: a time that is later was written under a wrong clock */

#define TIME_FORMAT  "dnstap-%Y%m%dT%H%M%S"
#define NAME_PATTERN "dnstap-00000000T000000.000Z.fstrm.zst"
_Static_assert(sizeof NAME_PATTERN == ARCHIVE_BASE_LEN + 1, "the pattern is a name");

void archive_folder_init(struct archive_folder *folder, const struct archive_settings *settings,
                         struct archive_counters *counters)
{
    *folder = (struct archive_folder){.settings = settings, .counters = counters, .fd = -1};
}

/* --- Names --- */

static bool is_archive_name(const char *name)
{
    static const char *const suffixes[] = {"", ARCHIVE_PART_SUFFIX, ARCHIVE_INDEX_SUFFIX,
                                           ARCHIVE_INDEX_SUFFIX ARCHIVE_PART_SUFFIX};

    for (size_t i = 0; i < ARCHIVE_BASE_LEN; i++) {
        bool is_digit = name[i] >= '0' && name[i] <= '9';
        if (NAME_PATTERN[i] == '0' ? !is_digit : name[i] != NAME_PATTERN[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (strcmp(name + ARCHIVE_BASE_LEN, suffixes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_index_name(const char *name)
{
    return strncmp(name + ARCHIVE_BASE_LEN, ARCHIVE_INDEX_SUFFIX, strlen(ARCHIVE_INDEX_SUFFIX)) ==
           0;
}

static bool is_same_base(const char *name, const char *other)
{
    return strncmp(name, other, ARCHIVE_BASE_LEN) == 0;
}

static void print_base(uint64_t time_ns, char out[ARCHIVE_BASE_LEN + 1])
{
    time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
    struct tm utc;
    size_t len = 0;

    if (gmtime_r(&seconds, &utc) != NULL) {
        len = strftime(out, ARCHIVE_BASE_LEN, TIME_FORMAT, &utc);
    }
    (void)snprintf(out + len, ARCHIVE_BASE_LEN + 1 - len, ".%03uZ.fstrm.zst",
                   (unsigned)(time_ns / NS_PER_MS % 1000));
}

static uint64_t seconds_of_name(const char *name)
{
    struct tm utc = {0};

    return strptime(name, TIME_FORMAT, &utc) != NULL ? (uint64_t)timegm(&utc) : 0;
}

/* --- Looking --- */

struct archive_entry {
    char name[ARCHIVE_NAME_SIZE];
    uint64_t size;
};

/* What is in the folder. */
struct archive_look {
    uint64_t size;
    uint64_t files;
    int64_t next_expiry;
    unsigned oldest_count;
    struct archive_entry oldest[OLDEST_MAX]; /* [oldest_count], by name; not the current file */
    char first[ARCHIVE_NAME_SIZE];           /* of the files, the current one as well; "": none */
    char latest[ARCHIVE_BASE_LEN + 1];       /* names behind it are of a wrong clock */
};

/* Files of a clock that was ahead are removed first: their names would keep them to the last. */
static bool is_older(const struct archive_look *look, const char *name, const char *other)
{
    bool is_ahead = strncmp(name, look->latest, ARCHIVE_BASE_LEN) > 0;
    bool other_is_ahead = strncmp(other, look->latest, ARCHIVE_BASE_LEN) > 0;

    return is_ahead != other_is_ahead ? is_ahead : strcmp(name, other) < 0;
}

/* Keep it if it is one of the oldest. The name is one of the archive, for which there is room. */
static void look_keep(struct archive_look *look, const char *name, uint64_t size)
{
    unsigned place = look->oldest_count;

    while (place > 0 && is_older(look, name, look->oldest[place - 1].name)) {
        place--;
    }
    if (place == OLDEST_MAX) {
        return;
    }
    unsigned moved = look->oldest_count - place - (look->oldest_count == OLDEST_MAX);
    memmove(&look->oldest[place + 1], &look->oldest[place], moved * sizeof look->oldest[0]);
    look->oldest_count += look->oldest_count < OLDEST_MAX;
    look->oldest[place].size = size;
    memcpy(look->oldest[place].name, name, strlen(name) + 1);
}

/* The age of a file that a clock which was ahead has written counts from when it is seen. */
static int64_t expiry_of(const struct archive_folder *folder, const struct stat *found,
                         const char *name, int64_t now)
{
    int64_t written = (int64_t)found->st_mtime + (found->st_mtim.tv_nsec > 0); /* not too early */

    if (written > now + AHEAD_MAX) {
        const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = now}};
        (void)utimensat(folder->fd, name, times, AT_SYMLINK_NOFOLLOW); /* as its index gets */
        written = now;
    }
    return written + (int64_t)(folder->settings->max_age_ns / NS_PER_SECOND);
}

static void look_at_file(struct archive_folder *folder, const char *name, int64_t now,
                         struct archive_look *look)
{
    bool is_current = is_same_base(name, folder->current);
    struct stat found;

    if (fstatat(folder->fd, name, &found, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(found.st_mode)) {
        return;
    }
    int64_t expiry = expiry_of(folder, &found, name, now);
    if (!is_current && expiry <= now && unlinkat(folder->fd, name, 0) == 0) {
        return;
    }
    look->size += (uint64_t)found.st_size;
    if (!is_current) {
        look->next_expiry = expiry < look->next_expiry ? expiry : look->next_expiry;
        look_keep(look, name, (uint64_t)found.st_size);
    }
    if (!is_index_name(name)) {
        look->files++;
        if (look->first[0] == '\0' || strcmp(name, look->first) < 0) {
            memcpy(look->first, name, strlen(name) + 1);
        }
    }
}

static void set_counters(struct archive_folder *folder, const struct archive_look *look)
{
    struct archive_counters *counters = folder->counters;

    atomic_store_explicit(&counters->files, look->files, memory_order_relaxed);
    atomic_store_explicit(&counters->size_bytes, look->size, memory_order_relaxed);
    atomic_store_explicit(&counters->oldest_seconds,
                          look->first[0] != '\0' ? seconds_of_name(look->first) : 0,
                          memory_order_relaxed);
}

static int64_t now_seconds(void)
{
    return (int64_t)(clock_realtime_ns() / NS_PER_SECOND);
}

static DIR *list_folder(const struct archive_folder *folder)
{
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;

    if (list == NULL && fd >= 0) {
        (void)close(fd);
    }
    return list;
}

/* Of a folder that cannot be read now, what is known of it stays. Returns 0 or a negative errno. */
static int look_around(struct archive_folder *folder, struct archive_look *look)
{
    DIR *list = list_folder(folder);
    int64_t now = now_seconds();
    const struct dirent *entry;

    *look = (struct archive_look){.next_expiry = INT64_MAX};
    if (list == NULL) {
        return -errno;
    }
    print_base((uint64_t)(now + AHEAD_MAX) * NS_PER_SECOND, look->latest);
    while ((entry = readdir(list)) != NULL) {
        if (is_archive_name(entry->d_name)) {
            look_at_file(folder, entry->d_name, now, look);
        }
    }
    (void)closedir(list);
    folder->size = look->size;
    folder->next_expiry = look->next_expiry;
    set_counters(folder, look);
    return 0;
}

void archive_folder_look(struct archive_folder *folder)
{
    struct archive_look look;

    (void)look_around(folder, &look);
}

void archive_folder_expire(struct archive_folder *folder)
{
    if (folder->fd >= 0 && now_seconds() >= folder->next_expiry) {
        archive_folder_look(folder);
    }
}

/* --- Removing --- */

/* Remove the oldest until there is room, and of the last one its index, too. One that cannot be
 * removed is passed over. Returns 0 if one was removed, or why none was. */
static int remove_oldest(struct archive_folder *folder, struct archive_look *look, uint64_t bytes)
{
    const char *removed = "";
    int result = -EFBIG; /* the current file alone, of less than half, cannot be so large */

    for (unsigned i = 0; i < look->oldest_count; i++) {
        const struct archive_entry *entry = &look->oldest[i];
        bool has_room = folder->size + bytes <= folder->settings->max_bytes;

        if (has_room && !is_same_base(entry->name, removed)) {
            break;
        }
        if (unlinkat(folder->fd, entry->name, 0) == 0 || errno == ENOENT) {
            removed = entry->name;
            folder->size -= entry->size;
            result = 0;
        } else if (result != 0) {
            result = -errno;
        }
    }
    return result;
}

int archive_folder_make_room(struct archive_folder *folder, uint64_t bytes)
{
    uint64_t max_bytes = folder->settings->max_bytes;
    struct archive_look look;
    int result = 0;

    if (folder->size + bytes > max_bytes) {
        result = look_around(folder, &look);
        while (folder->size + bytes > max_bytes && result == 0) {
            result = remove_oldest(folder, &look, bytes);
            if (result == 0) {
                result = look_around(folder, &look);
            }
        }
    }
    if (result == 0) {
        folder->size += bytes;
        atomic_store_explicit(&folder->counters->size_bytes, folder->size, memory_order_relaxed);
    }
    return result;
}

/* --- Opening --- */

int archive_folder_open(struct archive_folder *folder)
{
    folder->fd = open(folder->settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0) {
        return -errno;
    }
    folder->current[0] = '\0';
    int result = flock(folder->fd, LOCK_EX | LOCK_NB) == 0 ? 0
                 : errno == EWOULDBLOCK                    ? -EBUSY
                                                           : -errno;
    if (result == 0) {
        archive_folder_look(folder);
        result = archive_folder_make_room(folder, 0);
    }
    if (result < 0) {
        archive_folder_close(folder);
    }
    return result;
}

void archive_folder_close(struct archive_folder *folder)
{
    if (folder->fd >= 0) {
        (void)close(folder->fd);
    }
    folder->fd = -1;
    folder->current[0] = '\0';
}

bool archive_folder_is_there(const struct archive_folder *folder)
{
    struct stat own, found;

    return fstat(folder->fd, &own) == 0 && stat(folder->settings->folder, &found) == 0 &&
           own.st_ino == found.st_ino && own.st_dev == found.st_dev;
}

int archive_folder_create_file(struct archive_folder *folder)
{
    uint64_t now_ns = clock_realtime_ns();
    char name[ARCHIVE_NAME_SIZE];
    char base[ARCHIVE_BASE_LEN + 1];
    int fd = -1;

    errno = EEXIST;
    for (unsigned i = 0; i < ATTEMPTS_MAX && fd < 0 && errno == EEXIST; i++) {
        print_base(now_ns + i * NS_PER_MS, base);
        if (faccessat(folder->fd, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            errno = EEXIST;
            continue;
        }
        (void)snprintf(name, sizeof name, "%s" ARCHIVE_PART_SUFFIX, base);
        fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    }
    if (fd < 0) {
        return -errno;
    }
    (void)fchmod(fd, FILE_MODE); /* whatever the umask is */
    memcpy(folder->current, base, sizeof base);
    archive_folder_look(folder);
    return fd;
}
