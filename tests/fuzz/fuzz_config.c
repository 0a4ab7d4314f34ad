/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file: it is sound, or there is one line that says what is wrong. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz.yml", MFD_CLOEXEC);
    char path[64];
    struct config config;
    struct text error = {0};

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const struct config_flags flags = {.file = path};
    int result = config_load(&config, &flags, &error);
    if (result == 0) {
        config_deinit(&config);
    } else if (error.len == 0 || strncmp(error.data, path, strlen(path)) != 0) {
        abort();
    }
    text_deinit(&error);
    (void)close(fd);
    return 0;
}
