/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * suffix_settings.h - how registered domains are found, and which names detectors ignore
 */

#include "base/attr.h"
#include "config/config_row.h"
#include "config/config_value.h"
#include "decode/dns_name.h"

/** Debian's, from the package publicsuffix. */
#define SUFFIX_LIST_DEFAULT "/usr/share/publicsuffix/public_suffix_list.dat"

#define ALLOWED_NAMES_MAX   1000 /* chosen */

/** A check of rows (config/config_row.h): a domain name. */
NONNULL bool suffix_settings_is_name(const char *text);

/* clang-format off */
#define SUFFIX_LIST_KEYS(KEY, S)                                                                   \
    KEY(S, string, list, "public_suffix_list", SUFFIX_LIST_DEFAULT, .live = true,                  \
        .check = config_is_absolute_path, .expected = CONFIG_EXPECTED_ABSOLUTE_PATH,               \
        .help = "The file of https://publicsuffix.org/list, by whose rules registered domains are " \
                "found. The default is that of Debian's package publicsuffix. If it is \"\", a "   \
                "domain is a name's last two labels.")

#define ALLOWED_NAME_KEYS(KEY, S)                                                                  \
    KEY(S, strings, own_domains, "detection.own_domains", "cluster.local", .live = true,           \
        .most = ALLOWED_NAMES_MAX,                                                                 \
        .check = suffix_settings_is_name, .expected = "a domain name",                             \
        .help = "Your own domains and search domains, such as that of a Kubernetes cluster. "      \
                "Detectors ignore the names below them: resolvers put search domains behind "      \
                "outside names that they try first.")                                              \
    KEY(S, boolean, allow_known, "detection.allow_known", "true", .live = true,                    \
        .help = "Whether detectors ignore known lists of senders, addresses and files, where a "   \
                "name that does not exist is good news: spamhaus.org, surbl.org, in-addr.arpa and " \
                "others.")                                                                         \
    KEY(S, strings, allow, "detection.allow", NULL, .live = true, .most = ALLOWED_NAMES_MAX,       \
        .check = suffix_settings_is_name, .expected = "a domain name",                             \
        .help = "Further names that detectors ignore, with all names below them.")
/* clang-format on */

struct suffix_settings {
    SUFFIX_LIST_KEYS(CONFIG_MEMBER, )
    ALLOWED_NAME_KEYS(CONFIG_MEMBER, )
};

/** In wire format and lower case. */
struct allowed_name {
    uint8_t len;
    uint8_t wire[DNS_NAME_MAX];
};

extern const struct config_rows suffix_list_rows, allowed_name_rows; /* of a suffix_settings */

/** The names that detectors ignore, in wire format: [*count], which the caller frees. Returns 0,
 *  -ENOMEM, or -EINVAL for names that the rows have not checked. */
NONNULL MUST_USE int suffix_settings_allowed(const struct suffix_settings *settings,
                                             struct allowed_name **out, size_t *count);
