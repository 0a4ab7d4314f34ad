/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * finding.h - what a detector has found: which client, which domain, how strongly, and why
 *
 * One struct for all detectors. Log, metrics and JSON walk the details; none of them knows a
 * detector. A finding points to nothing that somebody could free, but to the const detector.
 */

#include "base/attr.h"
#include "client/client_key.h"
#include "config/config_value.h"
#include "decode/dns_name.h"

#define FINDING_DETAILS_MAX  8 /* chosen */
#define FINDING_EXAMPLES_MAX 3 /* chosen: enough to recognize an algorithm */

struct detector; /* detect/detector.h */

/** What a detail is. A detector has a table of these; findings have the values. */
struct finding_detail {
    const char *key; /* with its unit: JSON key and log key */
    enum finding_detail_kind { DETAIL_REAL, DETAIL_COUNT } kind;
};

/** A name in wire format and lower case; len 0: none. */
struct finding_name {
    uint8_t len;
    uint8_t data[DNS_NAME_MAX];
};

/** `detector`, `client` and `domain` tell findings apart; the rest is the state of one. */
struct finding {
    const struct detector *detector;
    struct client_key client;   /* len 0: the finding is about a domain alone */
    uint8_t client_prefix;      /* bits of a client that is a network; 0: as privacy has it */
    struct finding_name domain; /* len 0: about a client alone */
    uint64_t key_hash; /* of client and domain, with the secret; the same key, the same hash */
    char list[CONFIG_NAME_SIZE];     /* that has the names; "": none has */
    unsigned list_number;            /* of the list in the configuration, from 0 */
    char severity[CONFIG_NAME_SIZE]; /* of the list */
    double score;                    /* the measure divided by the threshold */
    uint64_t since_ns;               /* when its evidence begins, on the clock of the evaluation */
    uint64_t began_ns;               /* set by findings_report(), on the clock of the evaluation */
    uint64_t ended_ns;               /* on the same clock; 0: it is active */
    double details[FINDING_DETAILS_MAX];                /* in the order of the detector's table */
    struct finding_name examples[FINDING_EXAMPLES_MAX]; /* the latest first, then none */
    /** Registered domains that the client asked for, for the first time, while it was suspect, and
     * that exist; as examples. */
    struct finding_name found_names[FINDING_EXAMPLES_MAX];
};

/** What a detector has noted: evidence that is over at once. */
struct finding_note {
    const struct detector *detector;
    struct client_key client;
    struct finding_name domain;
    uint64_t domain_hash; /* as key_hash */
    uint64_t noted_ns;    /* set by findings_note(), on the clock of the evaluation */
};

/** Put a name first among the examples, if it is none of them. */
NONNULL void finding_examples_add(struct finding_name examples[FINDING_EXAMPLES_MAX],
                                  const struct finding_name *name);

/** Copy a name, of at most DNS_NAME_MAX bytes. */
NONNULL void finding_name_set(struct finding_name *name, struct bytes value);

NONNULL struct bytes finding_name_bytes(const struct finding_name *name);

/** The names of a finding as text; "" for none. */
struct finding_text {
    char client[CLIENT_KEY_TEXT_SIZE];
    char domain[DNS_NAME_TEXT_SIZE];
    char examples[FINDING_EXAMPLES_MAX][DNS_NAME_TEXT_SIZE];
    char found_names[FINDING_EXAMPLES_MAX][DNS_NAME_TEXT_SIZE];
};

/** Write the names of a finding, whose client is one under this privacy. */
NONNULL void finding_print(const struct finding *finding, const struct client_privacy *privacy,
                           struct finding_text *out);
