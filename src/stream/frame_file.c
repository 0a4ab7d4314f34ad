/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/frame_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "stream/byte_source.h"
#include "stream/session.h"

#define READ_SIZE   ((size_t)64 * 1024)
#define PROGRESS_NS (NS_PER_SECOND / 5)

struct reader {
    const struct frame_file *file;
    const struct frame_sink *sink;
    struct byte_source *bytes;
    struct session session;
    uint64_t frames;
    uint64_t rejected;
    uint64_t rejected_offset; /* of the first rejected frame */
    uint64_t oversize_offset; /* of the last frame that is being passed over */
    uint64_t unended_offset;  /* where the first recording ends that has no STOP, and another one
                                 follows; 0: none */
    bool is_dnstap;           /* there was a START */
    uint64_t progress_ns;     /* when it is shown next; 0: never */
    struct text *damage;
};

static void call(void (*function)(void *context), void *context)
{
    if (function != NULL) {
        function(context);
    }
}

/* What a message says of the place: offsets are those of the unpacked stream. */
static int frame_file_report(struct reader *reader, uint64_t offset, const char *what)
{
    text_append_format(reader->damage, "%s: offset %" PRIu64 ": %s", reader->file->path, offset,
                       what);
    return -EBADMSG;
}

static void note_rejected(struct reader *reader, uint64_t offset)
{
    if (reader->rejected++ == 0) {
        reader->rejected_offset = offset;
    }
}

/* A recording begins; one that was under way, of files that were joined, has no STOP. */
static void frame_file_begin(struct reader *reader, bool was_open, uint64_t offset)
{
    if (was_open && reader->unended_offset == 0) {
        reader->unended_offset = offset;
    }
    reader->is_dnstap = true;
    call(reader->sink->begin_recording, reader->sink->context);
}

static int frame_file_take_frames(struct reader *reader, struct bytes *input)
{
    struct session *session = &reader->session;
    struct bytes payload;

    for (;;) {
        uint64_t offset = session->frames.offset + session->frames.skip_left;
        bool was_open = session->state == SESSION_OPEN;

        switch (session_next(session, input, &payload)) {
        case SESSION_NEED_MORE:
            return 0;
        case SESSION_DATA:
            reader->frames++;
            if (!reader->sink->take_frame(reader->sink->context, payload)) {
                note_rejected(reader, offset);
            }
            break;
        case SESSION_OVERSIZE:
            reader->frames++;
            reader->oversize_offset = offset;
            call(reader->sink->skip_frame, reader->sink->context);
            note_rejected(reader, offset);
            break;
        case SESSION_PROGRESS:
            if (session->state == SESSION_OPEN) {
                frame_file_begin(reader, was_open, offset);
            }
            break;
        case SESSION_BAD_LENGTH:
            return frame_file_report(reader, offset, "an impossible frame length");
        case SESSION_BAD_CONTROL:
            return frame_file_report(reader, offset,
                                     "a control frame that is broken or out of place");
        case SESSION_BAD_CONTROL_LENGTH:
            return frame_file_report(reader, offset, "a control frame of impossible length");
        case SESSION_BAD_CONTENT_TYPE:
            return frame_file_report(reader, offset,
                                     "the content type is not " DNSTAP_CONTENT_TYPE);
        case SESSION_UNEXPECTED_DATA:
            return frame_file_report(reader, offset,
                                     "no Frame Streams START before this: not a dnstap file");
        }
    }
}

static int check_end(struct reader *reader, size_t left)
{
    if (reader->file->is_growing) {
        return 0;
    }
    if (reader->session.frames.skip_left > 0) {
        return frame_file_report(reader, reader->oversize_offset,
                                 "the file ends within this frame");
    }
    if (left > 0) {
        return frame_file_report(reader, reader->session.frames.offset,
                                 "the file ends within this frame");
    }
    if (reader->session.frames.offset == 0) {
        return frame_file_report(reader, 0, "the file is empty");
    }
    if (reader->session.state != SESSION_BEGINS) {
        return frame_file_report(reader, reader->session.frames.offset,
                                 "the file ends without STOP");
    }
    if (reader->unended_offset > 0) {
        return frame_file_report(reader, reader->unended_offset,
                                 "a recording ends here without STOP");
    }
    return 0;
}

static void show_progress(struct reader *reader)
{
    uint64_t size = byte_source_size(reader->bytes);

    if (reader->progress_ns == 0) {
        return;
    }
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns < reader->progress_ns) {
        return;
    }
    reader->progress_ns = now_ns + PROGRESS_NS;
    (void)fprintf(stderr, "\r%s: %" PRIu64 " frames", reader->file->path, reader->frames);
    if (size > 0) {
        (void)fprintf(stderr, ", %" PRIu64 " %%", 100 * byte_source_position(reader->bytes) / size);
    }
    (void)fprintf(stderr, "\033[K");
}

static void end_progress(const struct reader *reader)
{
    if (reader->progress_ns != 0) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

/* `buffer` has room for READ_SIZE bytes behind the beginning of a frame. */
static int read_all(struct reader *reader, uint8_t *buffer)
{
    const struct frame_sink *sink = reader->sink;
    size_t left = 0;

    for (;;) {
        ssize_t got = byte_source_read(reader->bytes, buffer + left, READ_SIZE, reader->damage);
        if (got == -ENODATA && reader->file->is_growing) {
            text_clear(reader->damage);
            return 0;
        }
        if (got < 0) {
            return (int)got;
        }
        if (got == 0) {
            return check_end(reader, left);
        }
        struct bytes input = {buffer, left + (size_t)got};
        call(sink->begin_frames, sink->context);
        int result = frame_file_take_frames(reader, &input);
        call(sink->end_frames, sink->context);
        if (result < 0 || (sink->is_done != NULL && sink->is_done(sink->context))) {
            return result;
        }
        memmove(buffer, input.data, input.len);
        left = input.len;
        show_progress(reader);
    }
}

static int report_rejected(struct reader *reader)
{
    char what[96];

    (void)snprintf(what, sizeof what,
                   "a frame that is no usable dnstap (%" PRIu64 " of %" PRIu64 ")",
                   reader->rejected, reader->frames);
    return frame_file_report(reader, reader->rejected_offset, what);
}

int frame_file_read(const struct frame_file *file, const struct frame_sink *sink, bool *is_dnstap,
                    struct text *damage)
{
    struct reader reader = {
        .file = file,
        .sink = sink,
        .progress_ns = file->shows_progress ? 1 : 0,
        .damage = damage,
    };
    size_t partial_max = (size_t)file->max_frame_size + 8 + FRAME_STREAM_CONTROL_MAX;
    uint8_t *buffer = malloc(partial_max + READ_SIZE);
    int result = buffer != NULL ? byte_source_open(&reader.bytes, file->path, damage) : -ENOMEM;

    if (result == 0) {
        session_init(&reader.session, SESSION_FILE, file->max_frame_size);
        result = read_all(&reader, buffer);
        end_progress(&reader);
    }
    if (result == 0 && reader.rejected > 0) {
        result = report_rejected(&reader);
    }
    byte_source_free(reader.bytes);
    free(buffer);
    *is_dnstap = reader.is_dnstap;
    return result;
}
