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
    /* top-level domains of private networks (RFC 6762 appendix G, RFC 8375, and others) */
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
    "workgroup",
    /* mail and spam */
    "abuseat.org",
    "barracudacentral.org",
    "dnswl.org",
    "invaluement.com",
    "mailspike.net",
    "msbl.org",
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
    /* mail routes of large providers, with a name for each of their customers, and mail policy */
    "_report._dmarc.agari.com",
    "amazonses.com",
    "emailsrvr.com",
    "iphmx.com",
    "mail.protection.outlook.com",
    "messagelabs.com",
    "mimecast.com",
    "mx.microsoft",
    "onmicrosoft.com",
    "ppe-hosted.com",
    "pphosted.com",
    "sendgrid.net",
    "vali.email",
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

/* Returns whether all of them are names; the rows have checked those that are configured. */
static bool add_names(const char *const *names, size_t count, struct allowed_name **next)
{
    bool sound = true;

    for (size_t i = 0; i < count; i++) {
        sound &= allowed_name_set((*next)++, names[i]);
    }
    return sound;
}

int suffix_settings_allowed(const struct suffix_settings *settings, struct allowed_name **out,
                            size_t *count)
{
    const struct config_strings *own = &settings->own_domains;
    const struct config_strings *allow = &settings->allow;
    size_t known_count = settings->allow_known ? KNOWN_COUNT : 0;
    size_t all = known_count + own->count + allow->count;
    struct allowed_name *names = calloc(all + 1, sizeof *names);
    struct allowed_name *next = names;

    if (names == NULL) {
        return -ENOMEM;
    }
    bool sound = add_names(known, known_count, &next);
    sound &= add_names((const char *const *)own->items, own->count, &next);
    sound &= add_names((const char *const *)allow->items, allow->count, &next);
    if (!sound) {
        free(names);
        return -EINVAL;
    }
    *out = names;
    *count = all;
    return 0;
}
