/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive_file_internal.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "client/archive_index.h"
#include "decode/event.h"

#define QUEUE_SIZE  (32 << 20)           /* bytes: 0.3 s of 500,000 frames a second */
#define FLUSH_NS    (5 * NS_PER_SECOND)  /* from one flush to the next */
#define FLUSH_BYTES ((uint64_t)8 << 20)  /* or after so many, so that none takes long */
#define RETRY_NS    (5 * NS_PER_SECOND)  /* from one attempt to write to the next */
#define REPORT_NS   (60 * NS_PER_SECOND) /* from one line about the same trouble to the next */
#define SHUTDOWN_NS (2 * NS_PER_SECOND)  /* for what is queued at the end */
#define LOOK_NS     (NS_PER_SECOND / 2)  /* how late a time may be noticed */
#define FOLDER_MODE 0750

struct archive {
    const struct archive_settings *settings;
    struct archive_counters *counters;
    pthread_t thread;
    struct frame_queue queue;     /* woken when the exporter shuts down */
    _Atomic uint64_t deadline_ns; /* monotonic; UINT64_MAX until the shutdown */
    /* Of the thread. Times are monotonic. */
    struct archive_folder folder;
    struct archive_file file;
    struct archive_index_builder *index;
    struct event event;   /* the message that goes into the index */
    uint64_t unflushed;   /* frames since the last flush */
    uint64_t rotate_ns;   /* when the file has its time */
    uint64_t flush_ns;    /* when the next flush is due */
    uint64_t retry_ns;    /* the folder is closed until then */
    int error;            /* of the last attempt; 0: it did not fail */
    int reported;         /* the error of the last line in the log */
    uint64_t reported_ns; /* and its time */
};

static void count_frames(_Atomic uint64_t *counter, uint64_t frames)
{
    atomic_fetch_add_explicit(counter, frames, memory_order_relaxed);
}

/* --- Trouble --- */

static enum archive_drop drop_reason_of(int error)
{
    return error == ENOSPC || error == EDQUOT ? ARCHIVE_DROP_DISK_FULL : ARCHIVE_DROP_WRITE_ERROR;
}

static const char *advice_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "make room on the disk, or lower archive.max_bytes";
    case ENOENT:
    case ENOTDIR:
    case ESTALE:
        return "the folder, or the file in it, was removed or is another one: create the folder, "
               "and restart, since the sandbox knows the one of the start";
    case EACCES:
    case EPERM:
        return "let this user write there; a folder that was created after the start takes a "
               "restart, since the sandbox knows the one of the start";
    case EROFS:
        return "mount the file system for writing; under systemd, the folder has to be in "
               "StateDirectory= or ReadWritePaths=";
    case EBUSY:
        return "another process writes into this folder: give each one its own; or a file in it is "
               "a mount";
    case EFBIG:
        return "raise the limit of the size of files (LimitFSIZE=, ulimit -f)";
    default:
        return "look at the disk";
    }
}

static void archive_report(struct archive *archive, int error)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (error == archive->reported && now_ns < archive->reported_ns + REPORT_NS) {
        return;
    }
    log_warn("the archive cannot be written, trying again every five seconds", "folder",
             archive->settings->folder, "error", strerror(error), "advice", advice_of(error), NULL);
    archive->reported = error;
    archive->reported_ns = now_ns;
}

/* What was not flushed is lost. */
static void archive_fail(struct archive *archive, int error)
{
    if (archive_file_is_open(&archive->file)) {
        archive_file_abandon(&archive->file);
    }
    archive_folder_close(&archive->folder);
    count_frames(&archive->counters->dropped[drop_reason_of(error)], archive->unflushed);
    count_frames(&archive->counters->errors, 1);
    atomic_store(&archive->counters->writing, false);
    archive->unflushed = 0;
    archive->error = error;
    archive->retry_ns = clock_monotonic_ns() + RETRY_NS;
    archive_report(archive, error);
}

/* --- Files --- */

/* The disk has taken all that was appended. Returns 0, or -ENOENT: its folder is no more there. */
static int note_flush(struct archive *archive)
{
    if (!archive_folder_is_there(&archive->folder)) {
        return -ENOENT;
    }
    count_frames(&archive->counters->frames, archive->unflushed);
    archive->unflushed = 0;
    archive->flush_ns = clock_monotonic_ns() + FLUSH_NS;
    atomic_store_explicit(&archive->counters->last_flush_seconds,
                          clock_realtime_ns() / NS_PER_SECOND, memory_order_relaxed);
    if (archive->error != 0) {
        log_info("the archive is written again", "folder", archive->settings->folder, NULL);
    }
    archive->error = archive->reported = 0;
    atomic_store(&archive->counters->writing, true);
    return 0;
}

static void archive_flush(struct archive *archive)
{
    int result = archive_file_flush(&archive->file);

    if (result == 0) {
        result = note_flush(archive);
    }
    if (result < 0) {
        archive_fail(archive, -result);
    }
}

/* A file without an index is read, so that this is no reason to stop. */
static void archive_write_index(struct archive *archive)
{
    struct bytes index = archive_index_builder_finish(archive->index,
                                                      archive_file_size(&archive->file));
    int result = archive_file_write_index(&archive->file, index);

    if (result < 0) {
        count_frames(&archive->counters->errors, 1);
        log_warn("an index of the archive cannot be written: its file is read by every search",
                 "folder", archive->settings->folder, "error", strerror(-result), NULL);
    }
}

static void archive_close_file(struct archive *archive)
{
    int result = archive_file_finish(&archive->file);

    if (result == 0) {
        result = note_flush(archive);
    }
    if (result == 0) {
        archive_write_index(archive);
        result = archive_file_publish(&archive->file);
    }
    if (result < 0) {
        archive_fail(archive, -result);
    }
}

static bool archive_open_file(struct archive *archive)
{
    uint64_t now_ns = clock_monotonic_ns();
    int result = archive_file_begin(&archive->file);

    if (result < 0) {
        archive_fail(archive, -result);
        return false;
    }
    archive_index_builder_clear(archive->index);
    archive->rotate_ns = now_ns + archive->settings->rotate_interval_ns;
    archive->flush_ns = now_ns + FLUSH_NS;
    return true;
}

/* Also while there are no frames, since files become too old. */
static void archive_open_folder(struct archive *archive)
{
    int result = archive_folder_open(&archive->folder);

    if (result < 0) {
        archive_fail(archive, -result);
    } else if (archive->error == 0) {
        atomic_store(&archive->counters->writing, true);
    }
}

/* --- Frames --- */

/* The frames of a batch are whole. */
static void index_frames(struct archive *archive, struct bytes frames)
{
    struct cursor cursor = cursor_over(frames);

    while (cursor_left(&cursor) > 0) {
        struct bytes frame = cursor_take(&cursor, cursor_be32(&cursor));
        if (event_read(frame, &archive->event) == DECODE_OK) {
            archive_index_builder_add(archive->index, &archive->event);
        }
    }
}

static void write_batch(struct archive *archive, const struct frame_batch *batch)
{
    struct archive_file *file = &archive->file;

    archive->unflushed += batch->frames;
    if (!archive_file_is_open(file) && !archive_open_file(archive)) {
        return;
    }
    index_frames(archive, batch->bytes);
    int result = archive_file_append(file, batch->bytes);
    if (result < 0) {
        archive_fail(archive, -result);
    } else if (archive_file_size(file) >= archive->settings->rotate_bytes) {
        archive_close_file(archive);
    } else if (archive_file_size(file) >= file->flushed + FLUSH_BYTES) {
        archive_flush(archive);
    }
}

static void take_batch(struct archive *archive, const struct frame_batch *batch)
{
    if (archive->folder.fd >= 0) {
        write_batch(archive, batch);
    } else {
        count_frames(&archive->counters->dropped[drop_reason_of(archive->error)], batch->frames);
    }
    frame_queue_pop(&archive->queue);
}

/* --- The thread --- */

/* What is due by now. */
static void archive_tick(struct archive *archive, uint64_t now_ns)
{
    if (archive->folder.fd < 0) {
        if (now_ns >= archive->retry_ns) {
            archive_open_folder(archive);
        }
        return;
    }
    if (archive_file_is_open(&archive->file)) {
        if (now_ns >= archive->rotate_ns) {
            archive_close_file(archive);
        } else if (archive->unflushed > 0 && now_ns >= archive->flush_ns) {
            archive_flush(archive);
        }
    }
    archive_folder_expire(&archive->folder);
}

static void log_dropped(const struct archive *archive, uint64_t frames)
{
    char number[24];

    (void)snprintf(number, sizeof number, "%" PRIu64, frames);
    log_warn("the archive had no time to write the last frames", "folder",
             archive->settings->folder, "frames", number, NULL);
}

static void archive_shut_down(struct archive *archive)
{
    struct frame_batch batch;
    uint64_t dropped = 0;

    if (archive_file_is_open(&archive->file)) {
        archive_close_file(archive);
    }
    archive_folder_close(&archive->folder);
    while (frame_queue_wait(&archive->queue, 0, &batch)) {
        dropped += batch.frames;
        frame_queue_pop(&archive->queue);
    }
    count_frames(&archive->counters->dropped[ARCHIVE_DROP_SHUTDOWN], dropped);
    if (dropped > 0) {
        log_dropped(archive, dropped); /* nobody scrapes any more */
    }
}

static void *archive_run(void *context)
{
    struct archive *archive = context;
    struct frame_batch batch;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t deadline_ns = UINT64_MAX;

    (void)pthread_setname_np(pthread_self(), "archive");
    while (now_ns < deadline_ns) {
        bool is_ending = deadline_ns != UINT64_MAX;

        archive_tick(archive, now_ns);
        if (frame_queue_wait(&archive->queue, is_ending ? 0 : now_ns + LOOK_NS, &batch)) {
            take_batch(archive, &batch);
        } else if (is_ending) {
            break;
        }
        now_ns = clock_monotonic_ns();
        deadline_ns = atomic_load(&archive->deadline_ns);
    }
    archive_shut_down(archive);
    return NULL;
}

size_t archive_memory(void)
{
    return sizeof(struct archive) + QUEUE_SIZE + archive_file_memory() +
           archive_index_builder_memory();
}

int archive_make_folder(const struct archive_settings *settings, struct text *error)
{
    const char *path = settings->folder;

    if (mkdir(path, FOLDER_MODE) == 0 && chmod(path, FOLDER_MODE) == 0) { /* despite the umask */
        return 0;
    }
    if (errno == EEXIST) {
        return 0;
    }
    int result = -errno;
    text_append_format(error, "archive.folder: %s: %s", path, strerror(-result));
    return result;
}

static int archive_take_memory(struct archive *archive)
{
    int result = archive_index_builder_create(&archive->index);

    if (result < 0) {
        return result;
    }
    result = archive_file_init(&archive->file, &archive->folder);
    if (result < 0) {
        archive_index_builder_free(archive->index);
        return result;
    }
    result = frame_queue_init(&archive->queue, QUEUE_SIZE,
                              &archive->counters->dropped[ARCHIVE_DROP_QUEUE_FULL]);
    if (result < 0) {
        archive_file_deinit(&archive->file);
        archive_index_builder_free(archive->index);
    }
    return result;
}

static void archive_release(struct archive *archive)
{
    frame_queue_deinit(&archive->queue);
    archive_file_deinit(&archive->file);
    archive_index_builder_free(archive->index);
    free(archive);
}

int archive_create(struct archive **out, const struct archive_settings *settings,
                   struct archive_counters *counters)
{
    struct archive *archive = calloc(1, sizeof *archive);

    if (archive == NULL) {
        return -ENOMEM;
    }
    archive->settings = settings;
    archive->counters = counters;
    archive->deadline_ns = UINT64_MAX;
    archive_folder_init(&archive->folder, settings, counters);
    int result = archive_take_memory(archive);
    if (result < 0) {
        free(archive);
        return result;
    }
    result = -pthread_create(&archive->thread, NULL, archive_run, archive);
    if (result < 0) {
        archive_release(archive);
        return result;
    }
    *out = archive;
    return 0;
}

struct frame_queue *archive_queue(struct archive *archive)
{
    return &archive->queue;
}

void archive_end(struct archive *archive)
{
    atomic_store(&archive->deadline_ns, clock_monotonic_ns() + SHUTDOWN_NS);
    frame_queue_wake(&archive->queue);
}

void archive_free(struct archive *archive)
{
    (void)pthread_join(archive->thread, NULL);
    archive_release(archive);
}
