/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * block_list_settings.h - lists of names that no client should ask for, such as those of malware
 */

#include "base/attr.h"
#include "config/config.h"
#include "config/config_value.h"

#define BLOCK_LISTS_MAX 32 /* chosen: a bit for each in a uint32_t */

/** A check of rows (config/config_row.h): an absolute path. */
NONNULL bool block_list_is_path(const char *text);

/* clang-format off */
#define BLOCK_LIST_KEYS(KEY, S)                                                                    \
    KEY(S, string, name, "name", NULL, .example = "malware",                                       \
        .check = config_is_name, .expected = CONFIG_EXPECTED_NAME,                                 \
        .help = "The label `list` of the list's metrics.")                                         \
    KEY(S, string, file, "file", NULL, .example = "/etc/dnstap_exporter/malware.txt",              \
        .check = block_list_is_path, .expected = "an absolute path",                               \
        .help = "The file. It is read again on SIGHUP, and when it was replaced.")                 \
    KEY(S, string, severity, "severity", "warning",                                                \
        .check = config_is_name, .expected = CONFIG_EXPECTED_NAME,                                 \
        .help = "The label `severity` of the alert DnstapBlockList for findings by this list.")
/* clang-format on */

struct block_list_settings {
    BLOCK_LIST_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows block_list_file_rows; /* of a struct block_list_settings */

/** Check lists[count]: each has a file, and a name of its own. For a section's check. */
NONNULL MUST_USE int block_list_settings_check(const struct config_check *check,
                                               const struct block_list_settings *lists,
                                               unsigned count);
