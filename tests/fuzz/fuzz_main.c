/* SPDX-License-Identifier: Apache-2.0 */
/* Replay: give the target each file of the folder named, whole and truncated at every length, in a
 * block of exactly its size, so that a sanitizer sees a read of one byte too many. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 65536

static void replay(const uint8_t *data, size_t size)
{
    for (size_t len = 0; len <= size; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);

        if (exact == NULL) {
            abort();
        }
        memcpy(exact, data, len);
        (void)LLVMFuzzerTestOneInput(exact, len);
        free(exact);
    }
}

int main(int argc, char *argv[])
{
    static uint8_t data[INPUT_MAX];
    DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    unsigned replayed = 0;

    if (directory == NULL) {
        return EXIT_FAILURE;
    }
    while ((entry = readdir(directory)) != NULL) {
        char path[4096];
        FILE *file;

        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] == '.' || (file = fopen(path, "re")) == NULL) {
            continue;
        }
        replay(data, fread(data, 1, sizeof data, file));
        (void)fclose(file);
        replayed++;
    }
    (void)closedir(directory);
    (void)printf("%u inputs replayed, each also truncated at every length\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
