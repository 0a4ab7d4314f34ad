/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/file_reader.h"

#include <unistd.h>

#include "stream/frame_file.h"

struct reader {
    struct shard *shard;
    struct source source;
};

static bool record_frame(void *context, struct bytes frame)
{
    struct reader *reader = context;

    return shard_record(reader->shard, &reader->source, frame) == DECODE_OK;
}

static void record_oversize(void *context)
{
    struct reader *reader = context;

    shard_record_oversize(reader->shard, &reader->source);
}

static void begin_recording(void *context)
{
    shard_begin_recording(((struct reader *)context)->shard);
}

static void begin_frames(void *context)
{
    shard_begin(((struct reader *)context)->shard);
}

static void end_frames(void *context)
{
    struct reader *reader = context;

    shard_expire(reader->shard);
    shard_end(reader->shard);
}

int file_reader_run(const char *path, const struct file_reader_target *target, bool *is_dnstap,
                    struct text *damage)
{
    struct reader reader = {
        .shard = target->shard,
        .source = {.input = target->input, .server_name = target->server_name},
    };
    const struct frame_sink sink = {
        .context = &reader,
        .take_frame = record_frame,
        .skip_frame = record_oversize,
        .begin_recording = begin_recording,
        .begin_frames = begin_frames,
        .end_frames = end_frames,
    };

    const struct frame_file file = {
        .path = path,
        .max_frame_size = target->max_frame_size,
        .shows_progress = isatty(STDERR_FILENO) != 0,
    };

    return frame_file_read(&file, &sink, is_dnstap, damage);
}
