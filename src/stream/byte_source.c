/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/byte_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "zstd_unpacker_internal.h"

#define PACKED_SIZE ((size_t)256 * 1024)

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

struct byte_source {
    const char *path; /* borrowed, for messages */
    int fd;
    enum packing packing;
    uint64_t position; /* bytes read from fd */
    uint64_t size;
    bool at_end;        /* fd has no more */
    bool in_member;     /* within a gzip member or zstd frame */
    const char *damage; /* why what follows cannot be unpacked; NULL: it can */
    size_t first, last; /* packed[first..last) is not used up */
    z_stream gzip;
    struct zstd_unpacker *zstd;
    uint8_t packed[PACKED_SIZE];
};

static const uint8_t gzip_magic[] = {0x1f, 0x8b};
static const uint8_t zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
static const uint8_t skippable_magic[] = {0x2a, 0x4d, 0x18}; /* zstd's, behind 0x50 to 0x5f */

/* Returns the bytes read, 0 at the end, or a negative errno. */
static ssize_t read_file(struct byte_source *source, void *buffer, size_t size)
{
    ssize_t got;

    do {
        got = read(source->fd, buffer, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return -errno;
    }
    source->position += (uint64_t)got;
    source->at_end = got == 0;
    return got;
}

/* Read until there is something to use up, or the file ends. Returns 0 or a negative errno. */
static int byte_source_refill(struct byte_source *source)
{
    if (source->first < source->last || source->at_end) {
        return 0;
    }
    ssize_t got = read_file(source, source->packed, PACKED_SIZE);
    if (got < 0) {
        return (int)got;
    }
    source->first = 0;
    source->last = (size_t)got;
    return 0;
}

/* Pipes may deliver the first bytes one by one. */
static int read_magic(struct byte_source *source)
{
    while (source->last < sizeof zstd_magic && !source->at_end) {
        ssize_t got = read_file(source, source->packed + source->last, PACKED_SIZE - source->last);
        if (got < 0) {
            return (int)got;
        }
        source->last += (size_t)got;
    }
    return 0;
}

static bool byte_source_begins_with(const struct byte_source *source, const uint8_t *magic,
                                    size_t len)
{
    return source->last >= len && memcmp(source->packed, magic, len) == 0;
}

/* Parallel compressors put a skippable frame first. */
static bool is_zstd(const struct byte_source *source)
{
    bool skippable = source->last >= 4 && source->packed[0] >> 4 == 5 &&
                     memcmp(source->packed + 1, skippable_magic, sizeof skippable_magic) == 0;
    return skippable || byte_source_begins_with(source, zstd_magic, sizeof zstd_magic);
}

static int byte_source_recognise(struct byte_source *source)
{
    int result = read_magic(source);

    if (result < 0) {
        return result;
    }
    if (byte_source_begins_with(source, gzip_magic, sizeof gzip_magic)) {
        source->packing = PACKING_GZIP;
        /* 16: gzip's header and checksum, not zlib's */
        return inflateInit2(&source->gzip, 16 + MAX_WBITS) == Z_OK ? 0 : -ENOMEM;
    }
    if (is_zstd(source)) {
        source->packing = PACKING_ZSTD;
        return zstd_unpacker_create(&source->zstd);
    }
    return 0;
}

int byte_source_open(struct byte_source **out, const char *path, struct text *error)
{
    struct byte_source *source = calloc(1, sizeof *source);
    struct stat found;
    int result = 0;

    if (source == NULL) {
        return -ENOMEM;
    }
    source->path = path;
    source->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0) {
        result = -errno;
    } else {
        if (fstat(source->fd, &found) == 0 && S_ISREG(found.st_mode)) {
            source->size = (uint64_t)found.st_size;
        }
        result = byte_source_recognise(source);
    }
    if (result < 0) {
        text_append_format(error, "%s: %s", path, strerror(-result));
        byte_source_free(source);
        return result;
    }
    *out = source;
    return 0;
}

void byte_source_free(struct byte_source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->packing == PACKING_GZIP) {
        (void)inflateEnd(&source->gzip);
    }
    zstd_unpacker_free(source->zstd);
    if (source->fd > STDIN_FILENO) {
        (void)close(source->fd);
    }
    free(source);
}

/* What was read to recognise the file, and from then on the file itself. */
static ssize_t read_plain(struct byte_source *source, void *buffer, size_t size)
{
    size_t left = source->last - source->first;
    size_t count = left < size ? left : size;

    if (left == 0) {
        return source->at_end ? 0 : read_file(source, buffer, size);
    }
    memcpy(buffer, source->packed + source->first, count);
    source->first += count;
    return (ssize_t)count;
}

/* Both unpackers return the bytes they made, which may be none before they have seen enough. What
 * is made before damage is sound, so that damage is noted and told at the next call. Members or
 * frames that follow each other are one file. */
static size_t unpack_gzip(struct byte_source *source, void *buffer, size_t size)
{
    z_stream *gzip = &source->gzip;

    if (!source->in_member) {
        (void)inflateReset(gzip); /* fails for a stream that was never set up only */
    }
    gzip->next_in = source->packed + source->first;
    gzip->avail_in = (uInt)(source->last - source->first);
    gzip->next_out = buffer;
    gzip->avail_out = (uInt)size;
    int result = inflate(gzip, Z_NO_FLUSH);
    source->first = source->last - gzip->avail_in;
    source->in_member = result != Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        source->damage = gzip->msg != NULL ? gzip->msg : "not gzip";
    }
    return size - gzip->avail_out;
}

static size_t unpack_zstd(struct byte_source *source, void *buffer, size_t size)
{
    size_t len = source->last - source->first;
    size_t made = zstd_unpacker_next(source->zstd, source->packed + source->first, &len, buffer,
                                     size, &source->in_member, &source->damage);

    source->first += len;
    return made;
}

static size_t byte_source_unpack(struct byte_source *source, void *buffer, size_t size)
{
    return source->packing == PACKING_GZIP ? unpack_gzip(source, buffer, size)
                                           : unpack_zstd(source, buffer, size);
}

static ssize_t byte_source_complain(const struct byte_source *source, const char *what,
                                    const char *why, int result, struct text *error)
{
    uint64_t offset = source->position - (source->last - source->first);

    text_append_format(error, "%s: %s offset %" PRIu64 " of the %sfile%s%s", source->path, what,
                       offset, source->packing == PACKING_NONE ? "" : "compressed ",
                       *why ? ": " : "", why);
    return result;
}

/* Tapes and disks fill up the last block behind a gzip file with zeros. */
static void pass_over_padding(struct byte_source *source)
{
    bool between = source->packing == PACKING_GZIP && !source->in_member;

    while (between && source->first < source->last && source->packed[source->first] == 0) {
        source->first++;
    }
}

ssize_t byte_source_read(struct byte_source *source, void *buffer, size_t size, struct text *error)
{
    for (;;) {
        bool plain = source->packing == PACKING_NONE;
        ssize_t result = plain ? read_plain(source, buffer, size) : byte_source_refill(source);
        if (result < 0) {
            return byte_source_complain(source, "cannot be read at", strerror((int)-result),
                                        (int)result, error);
        }
        if (plain) {
            return result;
        }
        pass_over_padding(source);
        bool used_up = source->first == source->last;
        if (used_up && !source->at_end && !source->in_member) {
            continue;
        }
        if (source->damage != NULL) {
            return byte_source_complain(source, "damaged before", source->damage, -EBADMSG, error);
        }
        if (used_up && !source->in_member) {
            return 0;
        }
        size_t made = byte_source_unpack(source, buffer, size);
        if (made > 0) {
            return (ssize_t)made;
        }
        if (used_up && source->at_end && source->damage == NULL) {
            return byte_source_complain(source, "ends early at", "", -ENODATA, error);
        }
    }
}

uint64_t byte_source_position(const struct byte_source *source)
{
    return source->position;
}

uint64_t byte_source_size(const struct byte_source *source)
{
    return source->size;
}
