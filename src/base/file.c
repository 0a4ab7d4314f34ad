/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns 0, or a negative errno and what is wrong in *error. */
static int file_check(int fd, const char *path, uint64_t size_max, struct text *error)
{
    struct stat found;

    if (fstat(fd, &found) < 0) {
        int result = -errno;
        text_append_format(error, "%s: %s", path, strerror(-result));
        return result;
    }
    if (!S_ISREG(found.st_mode)) {
        text_append_format(error, "%s: not a regular file", path);
        return S_ISDIR(found.st_mode) ? -EISDIR : -EINVAL;
    }
    if ((uint64_t)found.st_size > size_max) {
        text_append_format(error, "%s: larger than %" PRIu64 " bytes", path, size_max);
        return -EFBIG;
    }
    return 0;
}

int file_open_regular(const char *path, uint64_t size_max, FILE **out, struct text *error)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        int result = -errno;
        text_append_format(error, "%s: %s", path, strerror(-result));
        return result;
    }
    int result = file_check(fd, path, size_max, error);
    FILE *stream = result == 0 ? fdopen(fd, "r") : NULL;
    if (stream == NULL) {
        (void)close(fd);
        return result < 0 ? result : -ENOMEM;
    }
    *out = stream;
    return 0;
}

static void wait_writable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};

    (void)poll(&wanted, 1, -1);
}

int file_write_all(int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t count = write(fd, bytes.data, bytes.len);
        if (count < 0 && errno == EAGAIN) {
            wait_writable(fd);
        } else if (count < 0 && errno != EINTR) {
            return -errno;
        }
        bytes.data += count > 0 ? count : 0;
        bytes.len -= count > 0 ? (size_t)count : 0;
    }
    return 0;
}
