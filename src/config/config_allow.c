/* SPDX-License-Identifier: Apache-2.0 */
#include "config_allow_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "config_entry_internal.h"

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

/* Room for all has been made. */
static int config_allow_add(struct config *config, const char *name)
{
    if (!config_parse_name(name, &config->allow[config->allow_count])) {
        return -EINVAL;
    }
    config->allow_count++;
    return 0;
}

int config_allow_names(struct config *config, const struct yaml_file *file, struct text *error)
{
    const struct yaml_detection *own = file != NULL ? &file->settings->detection : NULL;
    size_t known_count = config->allow_known ? KNOWN_COUNT : 0;
    unsigned own_count = own != NULL ? own->allow_count : 0;

    config->allow = calloc(known_count + own_count + 1, sizeof *config->allow);
    if (config->allow == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < known_count; i++) {
        if (config_allow_add(config, known[i]) < 0) {
            return -ENOMEM; /* the only way for a known name to fail */
        }
    }
    for (unsigned i = 0; i < own_count; i++) {
        if (config_allow_add(config, own->allow[i]) < 0) {
            const struct config_entry entry = {&file->source, "detection.allow", i, error};
            return config_entry_refuse(&entry, "", "a domain name", own->allow[i]);
        }
    }
    return 0;
}

void config_allow_print(const struct config *config, struct text *out)
{
    size_t first = config->allow_known ? KNOWN_COUNT : 0;

    text_append_string(out, first < config->allow_count ? "  allow:\n" : "  allow: []\n");
    for (size_t i = first; i < config->allow_count; i++) {
        text_append_string(out, "    - ");
        config_print_name(&config->allow[i], out);
        text_append_char(out, '\n');
    }
}
