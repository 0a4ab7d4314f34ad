/* SPDX-License-Identifier: Apache-2.0 */
#include "client/suffix_settings.h"

#include <errno.h>
#include <stdlib.h>

const struct config_rows suffix_list_rows = CONFIG_ROWS(SUFFIX_LIST_KEYS, struct suffix_settings);

const struct config_rows allowed_name_rows = CONFIG_ROWS(ALLOWED_NAME_KEYS, struct suffix_settings);

/* Where a name that does not exist says that nothing is known of somebody: addresses without names,
 * lists of senders, addresses and files, good and bad (RFC 5782 and its like). */
static const char *const known[] = {
    "in-addr.arpa",
    "ip6.arpa",
    /* mail and spam */
    "abuseat.org",
    "barracudacentral.org",
    "dnswl.org",
    "invaluement.com",
    "mailspike.net",
    "njabl.org",
    "nszones.com",
    "psbl.surriel.com",
    "rspamd.com",
    "senderscore.com",
    "sorbs.net",
    "spamcop.net",
    "spameatingmonkey.net",
    "spamhaus.net",
    "spamhaus.org",
    "spfbl.net",
    "surbl.org",
    "uceprotect.net",
    "uribl.com",
    /* addresses, files and web pages */
    "asn.cymru.com",
    "avqs.mcafee.com",
    "avts.mcafee.com",
    "e5.sk",
    "hash.cymru.com",
    "sophosxl.net",
    "trendmicro.com",
};

#define KNOWN_COUNT (sizeof known / sizeof known[0])

static bool allowed_name_set(struct allowed_name *name, const char *text)
{
    name->len = (uint8_t)dns_name_parse(text, name->wire);
    return name->len > 0;
}

bool suffix_settings_is_name(const char *text)
{
    struct allowed_name name;

    return allowed_name_set(&name, text);
}

int suffix_settings_allowed(const struct suffix_settings *settings, struct allowed_name **out,
                            size_t *count)
{
    size_t known_count = settings->allow_known ? KNOWN_COUNT : 0;
    struct allowed_name *names = calloc(known_count + settings->allow.count + 1, sizeof *names);
    bool sound = true;

    if (names == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < known_count; i++) {
        sound &= allowed_name_set(&names[i], known[i]);
    }
    for (size_t i = 0; i < settings->allow.count; i++) {
        sound &= allowed_name_set(&names[known_count + i], settings->allow.items[i]);
    }
    if (!sound) { /* the rows have checked them */
        free(names);
        return -EINVAL;
    }
    *out = names;
    *count = known_count + settings->allow.count;
    return 0;
}
