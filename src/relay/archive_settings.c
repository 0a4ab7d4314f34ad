/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/archive_settings.h"

#include "stream/zstd_packer.h"

const struct config_rows archive_rows = CONFIG_ROWS(ARCHIVE_KEYS, struct archive_settings);

bool archive_is_on(const struct archive_settings *settings)
{
    return settings->folder[0] != '\0';
}

static bool hides_addresses(const struct client_privacy *privacy)
{
    return privacy->ipv4_prefix < 32 || privacy->ipv6_prefix < 128 || privacy->hashed;
}

int archive_settings_check(const struct config_check *check,
                           const struct archive_settings *settings,
                           const struct client_privacy *privacy)
{
    if (!archive_is_on(settings)) {
        return 0;
    }
    if (settings->rotate_bytes > settings->max_bytes / 2) {
        return config_line(check, "archive.rotate_bytes") > 0
                   ? config_refuse(check, "archive.rotate_bytes",
                                   "it is more than half of archive.max_bytes")
                   : config_refuse(check, "archive.max_bytes",
                                   "it is less than twice archive.rotate_bytes");
    }
    if (!zstd_packer_is_available) {
        return config_refuse(check, "archive.folder", "this build has no libzstd");
    }
    if (hides_addresses(privacy) && !settings->allow_addresses) {
        return config_refuse(check, "archive.folder",
                             "the archive's frames have whole addresses, which privacy leaves out; "
                             "archive.allow_addresses: true allows it");
    }
    return 0;
}
