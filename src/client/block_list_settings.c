/* SPDX-License-Identifier: Apache-2.0 */
#include "client/block_list_settings.h"

#include <stdio.h>
#include <string.h>

const struct config_rows block_list_file_rows = CONFIG_ROWS(BLOCK_LIST_KEYS,
                                                            struct block_list_settings);

bool block_list_is_path(const char *text)
{
    return text[0] == '/';
}

static int refuse(const struct config_check *check, unsigned index, const char *key,
                  const char *why)
{
    char place[64];

    (void)snprintf(place, sizeof place, "detection.block_list.lists[%u]%s", index, key);
    return config_refuse(check, place, why);
}

int block_list_settings_check(const struct config_check *check,
                              const struct block_list_settings *lists, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (lists[i].name == NULL) {
            return refuse(check, i, "", "a list needs a name");
        }
        if (lists[i].file == NULL) {
            return refuse(check, i, "", "a list needs a file");
        }
        for (unsigned before = 0; before < i; before++) {
            if (strcmp(lists[before].name, lists[i].name) == 0) {
                return refuse(check, i, ".name", "another list has this name");
            }
        }
    }
    return 0;
}
