/* SPDX-License-Identifier: Apache-2.0 */
#include "archive_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/archive_index.h"
#include "stream/control_frame.h"

#define OUT_SIZE   ((size_t)128 * 1024) /* bytes of one write(2) */
#define INDEX_MODE 0640

size_t archive_file_memory(void)
{
    return OUT_SIZE + zstd_packer_memory();
}

int archive_file_init(struct archive_file *file, struct archive_folder *folder)
{
    *file = (struct archive_file){.folder = folder, .fd = -1};
    int result = zstd_packer_create(&file->packer);
    if (result < 0) {
        return result;
    }
    file->out = malloc(OUT_SIZE);
    if (file->out == NULL) {
        zstd_packer_free(file->packer);
        return -ENOMEM;
    }
    return 0;
}

void archive_file_deinit(struct archive_file *file)
{
    zstd_packer_free(file->packer);
    free(file->out);
}

bool archive_file_is_open(const struct archive_file *file)
{
    return file->fd >= 0;
}

uint64_t archive_file_size(const struct archive_file *file)
{
    return file->written + file->out_len;
}

/* --- Writing --- */

/* Within the folder's bound. */
static int write_within_bound(struct archive_file *file, int fd, struct bytes bytes)
{
    int result = archive_folder_make_room(file->folder, bytes.len);

    if (result == 0) {
        result = file_write_all(fd, bytes);
    }
    if (result == 0) {
        atomic_fetch_add_explicit(&file->folder->counters->bytes_written, bytes.len,
                                  memory_order_relaxed);
    }
    return result;
}

static int write_out(struct archive_file *file)
{
    int result = write_within_bound(file, file->fd, (struct bytes){file->out, file->out_len});

    if (result == 0) {
        file->written += file->out_len;
        file->out_len = 0;
    }
    return result;
}

static int archive_file_pack(struct archive_file *file, enum zstd_packer_step step,
                             struct bytes input)
{
    int result = 0;

    while (result == 0 &&
           !zstd_packer_pack(file->packer, step, &input, file->out, OUT_SIZE, &file->out_len)) {
        result = write_out(file);
    }
    return result;
}

/* A file that was removed takes bytes and keeps none. */
static int archive_file_sync(struct archive_file *file)
{
    struct stat found;
    int result = write_out(file);

    if (result == 0 && fdatasync(file->fd) < 0) {
        result = -errno;
    }
    if (result == 0 && fstat(file->fd, &found) == 0 && found.st_nlink == 0) {
        result = -ENOENT;
    }
    if (result == 0) {
        file->flushed = file->written;
        file->has_frames |= file->has_unwritten;
        file->has_unwritten = false;
    }
    return result;
}

/* --- The life of a file --- */

int archive_file_begin(struct archive_file *file)
{
    uint8_t start[CONTROL_FRAME_SIZE];
    int fd = archive_folder_create_file(file->folder);

    if (fd < 0) {
        return fd;
    }
    file->fd = fd;
    file->out_len = 0;
    file->written = file->flushed = 0;
    file->has_frames = file->has_unwritten = false;
    file->last_ns = clock_realtime_ns();
    zstd_packer_begin(file->packer);
    size_t len = control_frame_write(CONTROL_START, start);
    return archive_file_pack(file, ZSTD_PACKER_GO_ON, (struct bytes){start, len});
}

int archive_file_append(struct archive_file *file, struct bytes frames)
{
    file->has_unwritten = true;
    file->last_ns = clock_realtime_ns();
    return archive_file_pack(file, ZSTD_PACKER_GO_ON, frames);
}

int archive_file_flush(struct archive_file *file)
{
    int result = archive_file_pack(file, ZSTD_PACKER_FLUSH, (struct bytes){0});

    return result == 0 ? archive_file_sync(file) : result;
}

/* Ages count from then; where a file system has no such times, from now. */
static void set_time(int fd, uint64_t last_ns)
{
    const struct timespec times[] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)(last_ns / NS_PER_SECOND), .tv_nsec = (long)(last_ns % NS_PER_SECOND)},
    };

    (void)futimens(fd, times);
}

int archive_file_finish(struct archive_file *file)
{
    uint8_t stop[CONTROL_FRAME_SIZE];
    size_t len = control_frame_write(CONTROL_STOP, stop);
    int result = archive_file_pack(file, ZSTD_PACKER_END, (struct bytes){stop, len});

    if (result == 0) {
        result = archive_file_sync(file);
    }
    if (result == 0) {
        set_time(file->fd, file->last_ns);
    }
    return result;
}

static int rename_part(const struct archive_folder *folder, const char *suffix)
{
    char part[ARCHIVE_NAME_SIZE];
    char name[ARCHIVE_NAME_SIZE];

    (void)snprintf(part, sizeof part, "%s%s" ARCHIVE_PART_SUFFIX, folder->current, suffix);
    (void)snprintf(name, sizeof name, "%s%s", folder->current, suffix);
    return renameat(folder->fd, part, folder->fd, name) == 0 ? 0 : -errno;
}

static void unlink_part(const struct archive_folder *folder, const char *suffix)
{
    char part[ARCHIVE_NAME_SIZE];

    (void)snprintf(part, sizeof part, "%s%s" ARCHIVE_PART_SUFFIX, folder->current, suffix);
    (void)unlinkat(folder->fd, part, 0);
}

/* It has a checksum: whether the disk has all of it before the name, nobody relies on. */
int archive_file_write_index(struct archive_file *file, struct bytes index)
{
    struct archive_folder *folder = file->folder;
    char part[ARCHIVE_NAME_SIZE];

    if (file->written + index.len > folder->settings->max_bytes) {
        return 0;
    }
    (void)snprintf(part, sizeof part, "%s" ARCHIVE_INDEX_SUFFIX ARCHIVE_PART_SUFFIX,
                   folder->current);
    (void)unlinkat(folder->fd, part, 0); /* a link or a FIFO that was planted */
    int fd = openat(folder->fd, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    INDEX_MODE);
    if (fd < 0) {
        return -errno;
    }
    (void)fchmod(fd, INDEX_MODE);
    int result = write_within_bound(file, fd, index);
    set_time(fd, file->last_ns); /* no earlier than that of its file */
    if (close(fd) < 0 && result == 0) {
        result = -errno;
    }
    if (result == 0) {
        result = rename_part(folder, ARCHIVE_INDEX_SUFFIX);
    }
    if (result < 0) {
        unlink_part(folder, ARCHIVE_INDEX_SUFFIX);
    }
    return result;
}

static void close_file(struct archive_file *file)
{
    (void)close(file->fd);
    file->fd = -1;
    file->folder->current[0] = '\0';
}

int archive_file_publish(struct archive_file *file)
{
    int result = rename_part(file->folder, "");

    if (result == 0 && fsync(file->folder->fd) < 0) {
        result = -errno;
    }
    close_file(file);
    archive_folder_look(file->folder);
    return result;
}

void archive_file_abandon(struct archive_file *file)
{
    if (!file->has_frames) {
        unlink_part(file->folder, "");
    } else if (ftruncate(file->fd, (off_t)file->flushed) == 0) {
        (void)fdatasync(file->fd);
    }
    close_file(file);
    archive_folder_look(file->folder);
}
