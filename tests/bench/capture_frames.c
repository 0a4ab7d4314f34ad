/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_frames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        die("capture");
    }
    return memory;
}

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        die(path);
    }
    long size = ftell(file);
    uint8_t *data = allocate(size > 0 ? (size_t)size : 1);
    rewind(file);
    *len = fread(data, 1, (size_t)size, file);
    (void)fclose(file);
    return data;
}

static size_t read_be32(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

struct capture_frames capture_frames_load(const char *path)
{
    size_t len;
    struct capture_frames frames = {.data = read_file(path, &len)};
    size_t kept = 0;

    frames.offsets = allocate((len / 4 + 2) * sizeof *frames.offsets);
    for (size_t at = 0; at + 4 <= len;) {
        size_t frame = read_be32(frames.data + at);
        bool control = frame == 0;
        size_t size = control && at + 8 <= len ? 8 + read_be32(frames.data + at + 4) : 4 + frame;
        if (size > len - at) {
            break;
        }
        if (!control) {
            memmove(frames.data + kept, frames.data + at, size);
            frames.offsets[frames.count++] = kept;
            kept += size;
        }
        at += size;
    }
    frames.offsets[frames.count] = kept;
    if (frames.count == 0) {
        errno = EINVAL;
        die(path);
    }
    return frames;
}

void capture_frames_deinit(struct capture_frames *frames)
{
    free(frames->offsets);
    free(frames->data);
}
