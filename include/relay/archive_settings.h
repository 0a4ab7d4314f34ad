/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * archive_settings.h - the folder of files that frames are kept in
 */

#include "base/attr.h"
#include "base/clock.h"
#include "client/client_key.h"
#include "config/config.h"
#include "config/config_value.h"

#define ARCHIVE_DAY_NS (UINT64_C(24) * 3600 * NS_PER_SECOND)

/* clang-format off */
#define ARCHIVE_KEYS(KEY, S)                                                                       \
    KEY(S, string, folder, "archive.folder", "",                                                   \
        .check = config_is_absolute_path, .expected = CONFIG_EXPECTED_ABSOLUTE_PATH,               \
        .help = "Folder of the files. It is created if its parent exists. \"\": there is no archive.") \
    KEY(S, size, max_bytes, "archive.max_bytes", "1GiB", .least = 1 << 20, .most = UINT64_C(1) << 50, \
        .help = "Bytes of all files and indexes. The oldest file is removed before one more byte " \
                "is written.")                                                                     \
    KEY(S, duration, max_age_ns, "archive.max_age", "7d",                                             \
        .least = NS_PER_SECOND, .most = 36500 * ARCHIVE_DAY_NS,                                    \
        .help = "A file whose last frame is older is removed.")                                    \
    KEY(S, size, rotate_bytes, "archive.rotate_bytes", "64MiB",                                    \
        .least = 1 << 16, .most = UINT64_C(1) << 40,                                               \
        .help = "Bytes of a file, packed, after which the next one begins. At most half of max_bytes.") \
    KEY(S, duration, rotate_interval_ns, "archive.rotate_interval", "10m",                            \
        .least = NS_PER_SECOND, .most = ARCHIVE_DAY_NS,                                            \
        .help = "Time after which the next file begins.")                                          \
    KEY(S, boolean, allow_addresses, "archive.allow_addresses", "false",                           \
        .help = "Whether there may be an archive, whose frames have whole addresses, although "    \
                "privacy leaves out a part of them elsewhere.")
/* clang-format on */

struct archive_settings {
    ARCHIVE_KEYS(CONFIG_MEMBER, )
};

extern const struct config_rows archive_rows; /* of a struct archive_settings */

/** Whether there is an archive. */
NONNULL bool archive_is_on(const struct archive_settings *settings);

/** Check the archive under this privacy. For a section's check. */
NONNULL MUST_USE int archive_settings_check(const struct config_check *check,
                                            const struct archive_settings *settings,
                                            const struct client_privacy *privacy);
