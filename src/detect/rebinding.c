/* SPDX-License-Identifier: Apache-2.0 */
/* DNS rebinding: a name that had a public address gets a private one within minutes, so that a
 * browser takes a host of the client's own network for the site that it has just visited (Jackson,
 * Barth, Bortz, Shao, Boneh, "Protecting browsers from DNS rebinding attacks", CCS 2007). Names
 * that are always private, or have both at once, as many a misconfigured domain does, are not
 * reported: the former are counted (dnstap_private_answers_total). */
#include <string.h>

#include "decode/dns_record.h"
#include "detect/findings.h"
#include "evidence_internal.h"
#include "public_names_internal.h"
#include "sketch/distinct.h"

#define PART_DOMAINS      64   /* of a worker, in a second; chosen */
#define SUSPECTS_MAX      64   /* chosen */
#define QUIET_SECONDS     3600 /* without such an answer: the finding ends */
#define CLIENTS_PRECISION 6    /* standard error 13 % */

/* --- The part of a worker --- */

struct rebound {
    struct set_entry entry; /* weight: private answers */
    uint8_t domain_offset;  /* in the name */
    uint8_t clients[DISTINCT_SIZE(CLIENTS_PRECISION)];
    struct finding_name name; /* the latest */
};

static void record_private(struct evidence_part *part, struct client_event *event)
{
    const struct suffix_match *suffix = client_event_suffix(event);

    if (suffix->allowed) {
        return;
    }
    struct rebound *rebound = set_table_take(&part->table, suffix->domain_hash, 0);
    rebound->entry.weight++;
    rebound->domain_offset = (uint8_t)(event->name.len - suffix->domain.len);
    distinct_insert(rebound->clients, CLIENTS_PRECISION, client_event_host(event)->hash);
    finding_name_set(&rebound->name, event->name);
}

void rebinding_record(void *context, struct client_event *event)
{
    struct evidence_part *part = context;

    if (event->addresses == 0 || event->outcome != CLIENT_EVENT_EXISTS || !event->role_is_client ||
        !event->has_client) {
        return;
    }
    /* A name may have addresses of both families, one of which is private. */
    uint64_t hash = event->qname_hash ^ event->qtype * UINT64_C(0x9e3779b97f4a7c15);
    if (event->addresses == DNS_ADDRESS_PUBLIC) {
        public_names_note(part->public_names, hash, part->minute);
    } else if (event->addresses == DNS_ADDRESS_PRIVATE &&
               public_names_has(part->public_names, hash, part->minute, part->threshold)) {
        record_private(part, event);
    }
}

static void rebound_join(void *to, const void *from)
{
    struct rebound *rebound = to;
    struct rebound sum = *(const struct rebound *)from;

    sum.entry.weight += rebound->entry.weight;
    distinct_merge(sum.clients, rebound->clients, CLIENTS_PRECISION);
    *rebound = sum;
}

/* --- The evaluator --- */

struct suspect {
    struct set_entry entry; /* weight: last_second */
    uint64_t answers;
    double begin_second, last_second; /* of such an answer */
    bool ends;
    uint8_t domain_offset; /* in the latest name */
    uint8_t clients[DISTINCT_SIZE(CLIENTS_PRECISION)];
    struct finding_name domain;
    struct finding_name examples[FINDING_EXAMPLES_MAX];
};

static void rebound_take(struct evidence *evidence, const void *entry)
{
    const struct rebound *rebound = entry;
    struct suspect *suspect = set_table_take(&evidence->suspects, rebound->entry.key, 0);

    if (suspect == NULL) {
        return;
    }
    suspect->entry.weight = evidence->second; /* the one that is silent longest makes room */
    if (suspect->answers == 0) {
        suspect->begin_second = evidence->second;
    }
    suspect->answers += (uint64_t)rebound->entry.weight;
    suspect->last_second = evidence->second;
    suspect->ends = false;
    struct bytes name = finding_name_bytes(&rebound->name);
    finding_name_set(&suspect->domain, (struct bytes){name.data + rebound->domain_offset,
                                                      name.len - rebound->domain_offset});
    distinct_merge(suspect->clients, rebound->clients, CLIENTS_PRECISION);
    finding_examples_add(suspect->examples, &rebound->name);
}

static bool suspect_keeps(const struct evidence *evidence, void *entry)
{
    struct suspect *suspect = entry;

    return evidence_keeps_recent(evidence, suspect->last_second, QUIET_SECONDS, &suspect->ends);
}

/* --- Findings --- */

enum { DETAIL_ANSWERS, DETAIL_CLIENTS, DETAILS };

static const struct finding_detail details[DETAILS] = {
    [DETAIL_ANSWERS] = {"private_answers", DETAIL_COUNT},
    [DETAIL_CLIENTS] = {"clients", DETAIL_COUNT},
};

/* The public answer before the first private one. */
static double public_second(const struct evidence *evidence, const struct suspect *suspect)
{
    double seconds = 60.0 * evidence->settings.threshold;

    return suspect->begin_second > seconds ? suspect->begin_second - seconds : 0;
}

static void report(const struct evidence *evidence, const void *entry, struct findings *findings)
{
    const struct suspect *suspect = entry;

    double answers = (double)suspect->answers;
    double clients = distinct_estimate(suspect->clients, CLIENTS_PRECISION);
    struct finding finding = {
        .detector = &detector_rebinding,
        .domain = suspect->domain,
        .key_hash = suspect->entry.key,
        .score = answers,
        .since_ns = evidence_ns(public_second(evidence, suspect)),
        .details =
            {[DETAIL_ANSWERS] = answers, [DETAIL_CLIENTS] = clients < answers ? clients : answers},
    };

    memcpy(finding.examples, suspect->examples, sizeof finding.examples);
    findings_report(findings, &finding, !suspect->ends);
}

static const struct evidence_kind kind = {
    .places = PART_DOMAINS,
    .entry_size = sizeof(struct rebound),
    .join = rebound_join,
    .suspect_size = sizeof(struct suspect),
    .keeps = suspect_keeps,
    .take = rebound_take,
    .report = report,
    .shared_size = sizeof(struct public_names),
};

/* clang-format off */
#define REBINDING_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.rebinding.enabled", "true", \
        .help = "Find names that get a private address soon after a public one. Names of detection.own_domains may.") \
    KEY(S, number, threshold, "detection.rebinding.minutes", "10", .least = 1, .most = 1440, \
        .help = "Minutes after a public address in which a private one is reported.")
/* clang-format on */

const struct config_rows rebinding_rows = CONFIG_ROWS(REBINDING_KEYS, struct detector_settings);

const struct detector detector_rebinding = {
    .name = "rebinding",
    .title = "DNS rebinding",
    .suspects_max = SUSPECTS_MAX,
    .details = details,
    .detail_count = DETAILS,
    .print_flags = " --type=A --type=AAAA",
    .kind = &kind,
    .evaluate = evidence_evaluate_and_report,
    EVIDENCE_MEMBERS,
};
