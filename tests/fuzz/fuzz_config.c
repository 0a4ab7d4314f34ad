/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file: it is sound, or there is one line that says what is wrong. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program/settings.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz.yml", MFD_CLOEXEC);
    char path[64];
    struct settings settings;
    struct text printed = {0};
    struct text error = {0};

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int result = config_load(&settings_schema, path, NULL, 0, &settings, &error);
    if (result == 0) {
        config_print(&settings_schema, &settings, &printed);
        config_deinit(&settings_schema, &settings);
    } else if (error.len == 0 || strncmp(error.data, path, strlen(path)) != 0 ||
               strchr(error.data, '\n') != NULL) {
        abort();
    }
    text_deinit(&printed);
    text_deinit(&error);
    (void)close(fd);
    return 0;
}
