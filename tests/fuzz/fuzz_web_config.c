/* SPDX-License-Identifier: Apache-2.0 */
/* A web configuration: it is sound and shows no secret, or there is one line that says what is
 * wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "http/web_config.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz.yml", MFD_CLOEXEC);
    char path[64];
    struct web_config config;
    struct text printed = {0};
    struct text error = {0};

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int result = web_config_load(&config, path, &error);
    if (result == 0) {
        web_config_print(&config, &printed);
        for (unsigned i = 0; i < config.users.count; i++) {
            if (strstr(printed.data, strrchr(config.users.items[i], ':') + 1) != NULL) {
                abort();
            }
        }
        web_config_deinit(&config);
    } else if (error.len == 0 || strncmp(error.data, path, strlen(path)) != 0) {
        abort();
    }
    text_deinit(&printed);
    text_deinit(&error);
    (void)close(fd);
    return 0;
}
