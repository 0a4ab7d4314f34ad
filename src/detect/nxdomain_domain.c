/* SPDX-License-Identifier: Apache-2.0 */
/* Random-subdomain attacks: domains below which ever new names that do not exist are asked for, by
 * anybody. Each name that did not fail before adds to a leaky sum of its registered domain; or,
 * where a zone above that denies it, of that zone, so that an attack on a public suffix is seen.
 * The heaviest keys by different names are those of Afek et al., "Mitigating DNS random subdomain
 * DDoS attacks by distinct heavy hitters" (HotWeb 2016, arXiv 1612.02636). */
#include <string.h>

#include "detect/findings.h"
#include "evidence_internal.h"
#include "name_filter_internal.h"
#include "nxdomain_domain_internal.h"
#include "sketch/distinct.h"

#define PART_ZONES        1024 /* of a worker, in a second; chosen: 380 KB */
#define SUMS              8192 /* chosen: 192 KB */
#define LEAK              1    /* failing names a second that are ordinary */
#define SECONDS_MIN       15   /* with failing names: one flurry is none */
#define SECONDS_LASTING   45   /* in less, it takes INTENSE thresholds */
#define INTENSE           2
#define SUM_MAX           4 /* thresholds: the finding ends some minutes after the attack */
#define SUSPECT_SHARE     8 /* a zone with this part of the threshold keeps its evidence */
#define CLIENTS_PRECISION 6 /* of clients: standard error 13 % */
#define SAMPLING          8 /* below zones, one existing domain in so many counts */
/* Normally one name in twenty fails, in an attack one in five. */
#define FOUND_WEIGHT (SAMPLING / 4.0)
/* Fewer clients below a public suffix may be infected (nxdomain_client), and a domain that exists
 * below it speaks against an attack. */
#define ZONE_CLIENTS_MIN 16
#define RECENT_SECONDS   30

/* --- The part of a worker --- */

struct zone {
    struct set_entry entry; /* weight: NXDOMAIN responses */
    uint32_t names;         /* that had not failed before */
    uint32_t found;         /* existing domains, of a zone above them; sampled */
    bool is_above_domain;   /* the registered domains below the zone do not exist */
    uint8_t zone_offset;    /* in the name */
    uint8_t clients[DISTINCT_SIZE(CLIENTS_PRECISION)];
    struct finding_name name; /* the latest; len 0: only names that were held count */
};

/* A name failed below the zone, of `len` bytes at its end. */
static void record_below(struct evidence_part *part, struct client_event *event, uint64_t hash,
                         size_t len, bool is_new)
{
    struct zone *zone = is_new ? set_table_take(&part->table, hash, 0)
                               : set_table_find(&part->table, hash);

    if (zone == NULL) {
        return;
    }
    zone->entry.weight++;
    if (event->has_client) {
        distinct_insert(zone->clients, CLIENTS_PRECISION, client_event_host(event)->hash);
    }
    if (is_new) {
        zone->names += !evidence_hold(part, event, hash, 1);
        zone->is_above_domain = len < client_event_suffix(event)->domain.len;
        zone->zone_offset = (uint8_t)(event->name.len - len);
        finding_name_set(&zone->name, event->name);
    }
}

/* A name below a registered domain that does not exist either counts for both: the suffix may be
 * one where hosting customers have their domains. */
static void record_failing(struct evidence_part *part, struct client_event *event)
{
    const struct suffix_match *suffix = client_event_suffix(event);
    uint64_t hash = name_filter_hash(NAME_FILTER_DENIED, event->name_hash, 0);
    bool is_new = name_filter_insert(part->seen, hash);
    bool is_above = client_event_denies_domain(event);

    if (is_above) {
        record_below(part, event, client_event_zone_hash(event), event->zone_len, is_new);
    }
    if (!is_above || event->name.len > suffix->domain.len) {
        record_below(part, event, suffix->domain_hash, suffix->domain.len, is_new);
    }
}

/* A domain that exists below a zone. */
static void record_found(struct evidence_part *part, struct client_event *event)
{
    const struct suffix_match *suffix = client_event_suffix(event);
    uint64_t zone_hash = client_event_parent_hash(event);
    uint64_t hash = name_filter_hash(NAME_FILTER_FOUND, suffix->domain_hash, part->minute);

    if (!evidence_is_followed(part->followed, zone_hash) || !name_filter_insert(part->seen, hash)) {
        return;
    }
    struct zone *zone = set_table_take(&part->table, zone_hash, 0);
    zone->found++;
}

void nxdomain_domain_record(void *part, struct client_event *event)
{
    if (event->outcome == CLIENT_EVENT_NXDOMAIN) {
        bool has_top_level = event->zone_len != 1; /* the root denies no other names */
        if (has_top_level && !client_event_suffix(event)->allowed) {
            record_failing(part, event);
        }
    } else if (event->outcome == CLIENT_EVENT_EXISTS && event->qname_hash % SAMPLING == 0) {
        record_found(part, event);
    }
}

/* --- The evaluator --- */

/* A zone below which names fail, with its evidence. */
struct suspect {
    struct set_entry entry;          /* weight: that of its sum, or SET_KEEP of a finding */
    uint64_t names, messages, found; /* since begin_second */
    double begin_second;
    unsigned seconds; /* with failing names */
    bool is_above_domain, is_active, ends;
    uint8_t zone_offset; /* in the first example */
    uint8_t clients[DISTINCT_SIZE(CLIENTS_PRECISION)];
    double recent_second; /* since when recent_clients has them */
    uint8_t recent_clients[DISTINCT_SIZE(CLIENTS_PRECISION)];
    struct finding_name examples[FINDING_EXAMPLES_MAX];
};

static void zone_join(void *context, const void *other)
{
    struct zone *to = context;
    const struct zone *from = other;

    to->entry.weight += from->entry.weight;
    to->names += from->names;
    to->found += from->found;
    distinct_merge(to->clients, from->clients, CLIENTS_PRECISION);
    if (from->name.len > 0) {
        to->is_above_domain = from->is_above_domain;
        to->zone_offset = from->zone_offset;
        to->name = from->name;
    }
}

static void zone_add_held(void *entry, const struct held_name *name)
{
    struct zone *zone = entry;

    (void)name;
    zone->names++;
}

static void suspect_add(struct suspect *suspect, const struct zone *zone, double second)
{
    if (second - suspect->recent_second >= RECENT_SECONDS) {
        suspect->recent_second = second;
        memset(suspect->recent_clients, 0, sizeof suspect->recent_clients);
    }
    distinct_merge(suspect->recent_clients, zone->clients, CLIENTS_PRECISION);
    suspect->names += zone->names;
    suspect->messages += (uint64_t)zone->entry.weight;
    suspect->found += zone->found;
    suspect->seconds += zone->names > 0;
    distinct_merge(suspect->clients, zone->clients, CLIENTS_PRECISION);
    if (zone->name.len > 0) {
        suspect->is_above_domain = zone->is_above_domain;
        suspect->zone_offset = zone->zone_offset;
        memmove(&suspect->examples[1], &suspect->examples[0],
                (FINDING_EXAMPLES_MAX - 1) * sizeof suspect->examples[0]);
        suspect->examples[0] = zone->name;
    }
}

static double estimate(const uint8_t *clients)
{
    return distinct_estimate(clients, CLIENTS_PRECISION);
}

/* What is intense, or lasts, and is no host that looks infected. */
static bool suspect_begins(const struct evidence *evidence, const struct suspect *suspect,
                           double sum)
{
    double enough = evidence->settings.threshold;
    bool is_intense = sum >= INTENSE * enough && suspect->seconds >= SECONDS_MIN;
    bool lasts = sum >= enough && suspect->seconds >= SECONDS_LASTING;

    return (is_intense || lasts) && suspect->examples[0].len > 0 &&
           (!suspect->is_above_domain || estimate(suspect->recent_clients) >= ZONE_CLIENTS_MIN);
}

static void zone_take(struct evidence *evidence, const void *entry)
{
    const struct zone *zone = entry;
    double threshold = evidence->settings.threshold;
    double second = evidence->second;
    uint64_t key = zone->entry.key;

    if (zone->names == 0 && set_table_find(&evidence->suspects, key) == NULL) {
        return;
    }
    const struct leaky_sum *sum = leaky_sums_add(&evidence->sums, key,
                                                 zone->names - FOUND_WEIGHT * zone->found,
                                                 SUM_MAX * threshold, zone->names, second);
    double value = leaky_sum_value(&evidence->sums, sum, second);
    struct suspect *suspect = value >= threshold / SUSPECT_SHARE
                                  ? set_table_take(&evidence->suspects, key, second)
                                  : set_table_find(&evidence->suspects, key);
    if (suspect == NULL) {
        return;
    }
    if (suspect->messages == 0) {
        suspect->begin_second = second;
    }
    suspect_add(suspect, zone, second);
    suspect->ends &= value <= 0;
    suspect->is_active |= suspect_begins(evidence, suspect, value);
    suspect->entry.weight = suspect->is_active ? SET_KEEP : sum->entry.weight;
}

/* A finding ends when its sum has leaked away. */
static bool suspect_keeps(const struct evidence *evidence, void *entry)
{
    struct suspect *suspect = entry;

    return evidence_keeps_sum(evidence, suspect->entry.key, suspect->is_active, &suspect->ends);
}

/* The workers learn of which zones existing domains matter. */
static void follow_suspects(struct evidence *evidence)
{
    memset(evidence->followed, 0, sizeof evidence->followed);
    for (size_t i = 0; i < evidence->suspects.count; i++) {
        const struct suspect *suspect = set_table_at(&evidence->suspects, i);
        if (suspect != NULL && suspect->is_above_domain) {
            evidence_follow(evidence->followed, suspect->entry.key);
        }
    }
}

/* --- Findings --- */

static const struct finding_detail details[NXDOMAIN_DOMAIN_DETAILS] = {
    [NXDOMAIN_DOMAIN_A_MINUTE] = {"failing_names_per_minute", DETAIL_REAL},
    [NXDOMAIN_DOMAIN_NAMES] = {"failing_names", DETAIL_COUNT}, /* that had not failed before */
    [NXDOMAIN_DOMAIN_MESSAGES] = {"responses", DETAIL_COUNT},  /* NXDOMAIN */
    [NXDOMAIN_DOMAIN_CLIENTS] = {"clients", DETAIL_COUNT},
};

double nxdomain_domain_names_per_client(const struct finding *finding)
{
    double clients = finding->details[NXDOMAIN_DOMAIN_CLIENTS];

    return finding->details[NXDOMAIN_DOMAIN_NAMES] / (clients > 1 ? clients : 1);
}

static struct finding zone_finding(const struct evidence *evidence, const struct suspect *suspect)
{
    double minutes = (evidence->second - suspect->begin_second) / 60;
    double clients = estimate(suspect->clients);
    struct bytes name = finding_name_bytes(&suspect->examples[0]);
    struct finding finding = {
        .detector = &detector_nxdomain_domain,
        .key_hash = suspect->entry.key,
        .score = leaky_sums_value(&evidence->sums, suspect->entry.key, evidence->second) /
                 evidence->settings.threshold,
        .since_ns = evidence_ns(suspect->begin_second),
        .details = {[NXDOMAIN_DOMAIN_A_MINUTE] = (double)suspect->names /
                                                 (minutes > 1 ? minutes : 1),
                    [NXDOMAIN_DOMAIN_NAMES] = (double)suspect->names,
                    [NXDOMAIN_DOMAIN_MESSAGES] = (double)suspect->messages,
                    [NXDOMAIN_DOMAIN_CLIENTS] =
                        clients < (double)suspect->messages ? clients : (double)suspect->messages},
    };

    finding_name_set(&finding.domain, (struct bytes){name.data + suspect->zone_offset,
                                                     name.len - suspect->zone_offset});
    memcpy(finding.examples, suspect->examples, sizeof finding.examples);
    return finding;
}

static const struct evidence_kind kind = {
    .places = PART_ZONES,
    .entry_size = sizeof(struct zone),
    .join = zone_join,
    .add_held = zone_add_held,
    .sums = SUMS,
    .leak = LEAK,
    .suspect_size = sizeof(struct suspect),
    .keeps = suspect_keeps,
    .take = zone_take,
};

static void zone_evaluate(void *context, const struct evaluation *evaluation)
{
    struct evidence *evidence = context;

    evidence_evaluate(evidence, evaluation);
    follow_suspects(evidence);
    for (size_t i = 0; i < evidence->suspects.count; i++) {
        const struct suspect *suspect = set_table_at(&evidence->suspects, i);
        if (suspect != NULL && suspect->is_active) {
            struct finding finding = zone_finding(evidence, suspect);
            findings_report(evaluation->findings, &finding, !suspect->ends);
        }
    }
}

/* clang-format off */
#define NXDOMAIN_DOMAIN_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.nxdomain_domain.enabled", "true", \
        .help = "Find domains below which ever new names are looked up that do not exist: attacks " \
                "with random subdomains.") \
    KEY(S, number, threshold, "detection.nxdomain_domain.min_names", "150", .least = 20, .most = 1000000, \
        .help = "Different failing names below the domain that make a finding; one leaks each second.")
/* clang-format on */

const struct config_rows nxdomain_domain_rows = CONFIG_ROWS(NXDOMAIN_DOMAIN_KEYS,
                                                            struct detector_settings);

const struct detector detector_nxdomain_domain = {
    .name = "nxdomain_domain",
    .title = "Random-subdomain attack",
    .details = details,
    .detail_count = NXDOMAIN_DOMAIN_DETAILS,
    .print_flags = " --rcode=NXDOMAIN",
    .kind = &kind,
    .evaluate = zone_evaluate,
    EVIDENCE_MEMBERS,
};
