/* SPDX-License-Identifier: Apache-2.0 */
/* DNS tunnels, exfiltration and C&C over DNS: information that one client sends below one
 * registered domain, whatever the query type and the answer. Each name that was not seen before
 * adds its bytes below the domain to a leaky sum (of names below a domain: Ozery, Nadler, Shabtai,
 * "Information based heavy hitters", NDSS 2024). Honest names repeat or are few; a tunnel needs
 * ever new ones. A domain that many clients tell something is a service: one finding without a
 * client. */
#include <string.h>

#include "detect/findings.h"
#include "evidence_internal.h"
#include "name_filter_internal.h"
#include "nxdomain_domain_internal.h"

#define PART_PAIRS        1024  /* of a worker, in a second; chosen: 350 KB */
#define SUMS              16384 /* chosen: 384 KB, for 10,000 new names a minute */
#define LEAK              0.3   /* bytes a second: measured, ever new names of browsers are below */
#define NAMES_MIN         10    /* a few long names are no tunnel */
#define SUSPECT_SHARE     8     /* a pair with this part of the threshold keeps its evidence */
#define SUM_MAX           4     /* thresholds: a fast tunnel's finding ends some hours after it */
#define FLEET_CLIENTS     4     /* more clients than these make a service */
#define ATTACK_RATE       5     /* failing names a second: may be a random-subdomain attack */
#define ATTACK_SECONDS    40    /* after which nxdomain_domain has found it */
#define PARTICIPANT_SHARE 8 /* times the names of an average participant: it is more than that */

#define TYPE_HTTPS        65 /* RFC 9460 */

/* --- The part of a worker --- */

/* What one client has told one domain in new names. */
struct pair {
    struct set_entry entry; /* weight: bytes of the names */
    uint64_t domain_hash;
    uint64_t types; /* a bit for each query type: type_bit() */
    uint32_t names;
    uint32_t failing; /* responses that the name does not exist */
    uint64_t answer_bytes;
    struct client_key client;
    uint8_t domain_offset;    /* in the name */
    struct finding_name name; /* the latest; len 0: only names that were held count */
};

static uint64_t pair_key(uint64_t host_hash, uint64_t domain_hash)
{
    return host_hash ^ domain_hash * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
}

/* Types above 61 share two bits, of which HTTPS has one. */
static uint64_t type_bit(uint16_t type)
{
    unsigned bit = type < 62 ? type : 62 + (type == TYPE_HTTPS);

    return UINT64_C(1) << bit;
}

static void record_query(struct evidence_part *part, struct client_event *event)
{
    const struct suffix_match *suffix = client_event_suffix(event);
    size_t offset = event->name.len - suffix->domain.len;
    uint64_t hash = name_filter_hash(NAME_FILTER_QUERIED, event->name_hash, 0);

    if (!name_filter_insert(part->seen, hash) || suffix->allowed || offset == 0) {
        return;
    }
    const struct client_host *host = client_event_host(event);
    if (host->is_forwarder) {
        return;
    }
    uint64_t key = pair_key(host->hash, suffix->domain_hash);
    struct pair *pair = set_table_take(&part->table, key, 0);
    if (!evidence_hold(part, event, key, (double)offset)) {
        pair->entry.weight += (double)offset;
        pair->names++;
    }
    pair->domain_hash = suffix->domain_hash;
    pair->types |= type_bit(event->qtype);
    pair->client = host->key;
    pair->domain_offset = (uint8_t)offset;
    finding_name_set(&pair->name, event->name);
    evidence_follow(part->followed, host->hash);
}

/* Most clients have no pair. */
static void record_response(struct evidence_part *part, struct client_event *event)
{
    uint64_t hash = client_event_host(event)->hash;

    if (!evidence_is_followed(part->followed, hash)) {
        return;
    }
    struct pair *pair = set_table_find(&part->table,
                                       pair_key(hash, client_event_suffix(event)->domain_hash));
    if (pair != NULL) {
        pair->answer_bytes += event->message_size;
        pair->failing += event->outcome == CLIENT_EVENT_NXDOMAIN;
    }
}

void tunnel_record(void *part, struct client_event *event)
{
    if (!event->has_client || !event->role_is_client) {
        return;
    }
    if (event->outcome == CLIENT_EVENT_QUERY) {
        record_query(part, event);
    } else {
        record_response(part, event);
    }
}

static void pair_join(void *to, const void *from)
{
    struct pair *pair = to;
    struct pair sum = *(const struct pair *)from;

    sum.entry.weight += pair->entry.weight;
    sum.names += pair->names;
    sum.failing += pair->failing;
    sum.answer_bytes += pair->answer_bytes;
    sum.types |= pair->types;
    *pair = sum;
}

static void pair_add_held(void *entry, const struct held_name *name)
{
    struct pair *pair = entry;

    pair->entry.weight += name->weight;
    pair->names++;
}

/* --- The evaluator --- */

/* A pair whose sum is near the threshold or above it, with its evidence. */
struct suspect {
    struct set_entry entry; /* weight: that of its sum, or SET_KEEP of a finding */
    uint64_t domain_hash;
    uint64_t types;
    uint64_t bytes, names, failing, answer_bytes; /* since begin_second */
    double begin_second;
    bool is_active, ends, is_reported;
    bool is_service; /* of more clients than a few, now or before */
    struct client_key client;
    uint8_t domain_offset; /* in the first example */
    struct finding_name examples[FINDING_EXAMPLES_MAX];
};

static void suspect_add(struct suspect *suspect, const struct pair *pair)
{
    suspect->types |= pair->types;
    suspect->bytes += (uint64_t)pair->entry.weight;
    suspect->names += pair->names;
    suspect->failing += pair->failing;
    suspect->answer_bytes += pair->answer_bytes;
    if (pair->name.len > 0) {
        suspect->domain_hash = pair->domain_hash;
        suspect->client = pair->client;
        suspect->domain_offset = pair->domain_offset;
        memmove(&suspect->examples[1], &suspect->examples[0],
                (FINDING_EXAMPLES_MAX - 1) * sizeof suspect->examples[0]);
        suspect->examples[0] = pair->name;
    }
}

static void pair_take(struct evidence *evidence, const void *entry)
{
    const struct pair *pair = entry;
    double threshold = evidence->settings.threshold;
    double second = evidence->second;
    uint64_t key = pair->entry.key;
    struct suspect *suspect = set_table_find(&evidence->suspects, key);

    if (pair->names == 0 && suspect == NULL) {
        return;
    }
    const struct leaky_sum *sum = leaky_sums_add(&evidence->sums, key, pair->entry.weight,
                                                 SUM_MAX * threshold, pair->names, second);
    double value = leaky_sum_value(&evidence->sums, sum, second);
    if (suspect == NULL && value >= threshold / SUSPECT_SHARE && pair->name.len > 0) {
        suspect = set_table_take(&evidence->suspects, key, second);
    }
    if (suspect == NULL) {
        return;
    }
    if (suspect->names == 0) {
        suspect->begin_second = second;
    }
    suspect_add(suspect, pair);
    suspect->ends &= value <= 0;
    suspect->is_active |= value >= threshold && sum->events >= NAMES_MIN;
    suspect->entry.weight = suspect->is_active ? SET_KEEP : sum->entry.weight;
}

/* A finding ends when its sum has leaked away; a pair that was none is forgotten below the share.
 */
static bool suspect_keeps(const struct evidence *evidence, void *entry)
{
    struct suspect *suspect = entry;
    double sum = leaky_sums_value(&evidence->sums, suspect->entry.key, evidence->second);
    double share = (double)evidence->settings.threshold / SUSPECT_SHARE;

    if (suspect->ends || (!suspect->is_active && sum < share)) {
        return false;
    }
    suspect->ends = suspect->is_active && sum <= 0;
    return true;
}

/* --- Findings --- */

enum {
    DETAIL_BYTES_A_MINUTE,
    DETAIL_BYTES,
    DETAIL_NAMES,
    DETAIL_TYPES,
    DETAIL_ANSWERS,
    DETAIL_CLIENTS,
    DETAILS
};

static const struct finding_detail details[DETAILS] = {
    [DETAIL_BYTES_A_MINUTE] = {"bytes_per_minute", DETAIL_REAL},
    [DETAIL_BYTES] = {"new_name_bytes", DETAIL_COUNT},
    [DETAIL_NAMES] = {"new_names", DETAIL_COUNT},
    [DETAIL_TYPES] = {"query_types", DETAIL_COUNT},
    [DETAIL_ANSWERS] = {"answer_bytes", DETAIL_COUNT},
    [DETAIL_CLIENTS] = {"clients", DETAIL_COUNT},
};

/* The clients that tell a domain something, each with several names. */
struct fleet {
    unsigned clients;
    uint64_t bytes;
    const struct suspect *heaviest;
    bool was_service;
};

static struct fleet fleet_of(const struct evidence *evidence, const struct suspect *suspect)
{
    struct fleet fleet = {.heaviest = suspect};

    for (size_t i = 0; i < evidence->suspects.count; i++) {
        const struct suspect *other = set_table_at(&evidence->suspects, i);
        if (other != NULL && other->domain_hash == suspect->domain_hash &&
            other->names >= NAMES_MIN) {
            fleet.clients++;
            fleet.bytes += other->bytes;
            fleet.heaviest = other->bytes > fleet.heaviest->bytes ? other : fleet.heaviest;
            fleet.was_service |= other->is_service;
        }
    }
    return fleet;
}

/* A service has several clients, of whom none tells most of it. What was one stays one for longer.
 * A domain that is new here is none: several infected hosts do not hide each other. */
static bool is_service(const struct fleet *fleet, const struct findings *findings)
{
    unsigned most = fleet->was_service ? FLEET_CLIENTS / 2 : FLEET_CLIENTS;

    return fleet->clients > most && 2 * fleet->heaviest->bytes <= fleet->bytes &&
           !findings_noted_lately(findings, &detector_new_domain, fleet->heaviest->domain_hash);
}

static struct finding tunnel_finding(const struct evidence *evidence, const struct suspect *suspect,
                                     const struct fleet *fleet, bool is_of_service)
{
    double sum = leaky_sums_value(&evidence->sums, suspect->entry.key, evidence->second);
    double minutes = (evidence->second - suspect->begin_second) / 60;
    struct bytes name = finding_name_bytes(&suspect->examples[0]);
    struct finding finding = {
        .detector = &detector_tunnel,
        .key_hash = is_of_service ? suspect->domain_hash : suspect->entry.key,
        .score = sum / evidence->settings.threshold,
        .since_ns = evidence_ns(suspect->begin_second),
        .details = {[DETAIL_BYTES_A_MINUTE] = (double)suspect->bytes / (minutes > 1 ? minutes : 1),
                    [DETAIL_BYTES] = (double)suspect->bytes,
                    [DETAIL_NAMES] = (double)suspect->names,
                    [DETAIL_TYPES] = (double)__builtin_popcountll(suspect->types),
                    [DETAIL_ANSWERS] = (double)suspect->answer_bytes,
                    [DETAIL_CLIENTS] = fleet->clients > 1 ? fleet->clients : 1},
    };

    if (!is_of_service) {
        finding.client = suspect->client;
    }
    finding_name_set(&finding.domain, (struct bytes){name.data + suspect->domain_offset,
                                                     name.len - suspect->domain_offset});
    memcpy(finding.examples, suspect->examples, sizeof finding.examples);
    return finding;
}

/* Names that fail, and fast, may be of a random-subdomain attack: nxdomain_domain knows soon. */
static bool is_undecided(const struct evidence *evidence, const struct suspect *suspect)
{
    double seconds = evidence->second - suspect->begin_second + 1;

    return 2 * suspect->failing >= suspect->names && seconds < ATTACK_SECONDS &&
           (double)suspect->names > ATTACK_RATE * seconds;
}

/* One of several that take part in an attack, with no more names than others. */
static bool takes_part_in(const struct finding *attack, const struct suspect *suspect)
{
    double share = nxdomain_domain_names_per_client(attack);

    return attack->details[NXDOMAIN_DOMAIN_CLIENTS] > FLEET_CLIENTS &&
           (double)suspect->names <= PARTICIPANT_SHARE * share;
}

/* Not what is reported already, for a service, or who takes part in an attack. */
static bool is_to_report(const struct evidence *evidence, const struct suspect *suspect,
                         const struct findings *findings)
{
    const struct finding *known = findings_find_domain(findings, suspect->domain_hash);

    if (known != NULL && known->detector == &detector_tunnel) {
        return false;
    }
    if (suspect->is_reported) {
        return true;
    }
    return known != NULL ? !takes_part_in(known, suspect) : !is_undecided(evidence, suspect);
}

static void tunnel_report(struct evidence *evidence, struct findings *findings)
{
    for (size_t i = 0; i < evidence->suspects.count; i++) {
        struct suspect *suspect = set_table_at(&evidence->suspects, i);

        if (suspect == NULL || !suspect->is_active || !is_to_report(evidence, suspect, findings)) {
            continue;
        }
        struct fleet fleet = fleet_of(evidence, suspect);
        suspect->is_service = is_service(&fleet, findings);
        suspect->is_reported = true;
        struct finding finding = tunnel_finding(
            evidence, suspect->is_service ? fleet.heaviest : suspect, &fleet, suspect->is_service);
        findings_report(findings, &finding, !suspect->ends);
    }
}

static const struct evidence_kind kind = {
    .places = PART_PAIRS,
    .entry_size = sizeof(struct pair),
    .join = pair_join,
    .add_held = pair_add_held,
    .sums = SUMS,
    .leak = LEAK,
    .suspect_size = sizeof(struct suspect),
    .keeps = suspect_keeps,
    .take = pair_take,
};

static void tunnel_evaluate(void *evidence, const struct evaluation *evaluation)
{
    evidence_evaluate(evidence, evaluation);
    tunnel_report(evidence, evaluation->findings);
}

/* clang-format off */
#define TUNNEL_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.tunnel.enabled", "true", \
        .help = "Find clients that send information below a registered domain in ever new names.") \
    KEY(S, number, threshold, "detection.tunnel.min_bytes", "1500", .least = 100, .most = 1000000, \
        .help = "Bytes of new names by one client below one domain that make a tunnel; 0.3 bytes leak " \
                "each second.")
/* clang-format on */

const struct config_rows tunnel_rows = CONFIG_ROWS(TUNNEL_KEYS, struct detector_settings);

const struct detector detector_tunnel = {
    .name = "tunnel",
    .title = "DNS tunnel",
    .details = details,
    .detail_count = DETAILS,
    .print_flags = "",
    .kind = &kind,
    .evaluate = tunnel_evaluate,
    EVIDENCE_MEMBERS,
};
