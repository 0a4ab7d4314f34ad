/* SPDX-License-Identifier: Apache-2.0 */
/* DGA: clients that look up ever new registered domains that do not exist. A random walk over the
 * different registered domains of a client (Krishnan, Taylor, Monrose, McHugh, "Crossing the
 * threshold", DSN 2013): one that does not exist is evidence for an algorithm, one that exists is
 * evidence against it. Names that fail below a domain that exists are none: of a search list, of
 * lists of senders or files, of random subdomains. The zone in the SOA record of the response tells
 * them apart; a response without it tells nothing. */
#include <math.h>
#include <string.h>

#include "detect/findings.h"
#include "evidence_internal.h"
#include "name_filter_internal.h"
#include "nxdomain_domain_internal.h"

#define PART_CLIENTS      1024  /* of a worker, in a second; chosen: 600 KB */
#define SUMS              16384 /* chosen: 384 KB */
#define MISSING_NORMALLY  0.05  /* probability that a domain does not exist; DSN 2013 has 0.2 */
#define MISSING_IF_DGA    0.6
#define FALSE_ALARMS      1e-6 /* of clients, by Wald's bound */
#define MISSES            0.01
#define LEAK_SECONDS      3600 /* in which evidence that suffices leaks away */
#define SUM_MAX           2    /* times what suffices */
#define SUSPECT_SHARE     6    /* with this part of what suffices a client is suspect: one domain */
#define QUIET_SECONDS     900  /* without domains that do not exist: the finding ends */
#define CROWD_SUSPECTS    4    /* more below one zone may take part in an attack on it */
#define CROWD_ACTIVE      16   /* more with enough evidence do */
#define PARTICIPANT_SHARE 4    /* times the names of an average participant: it is more than that */
#define ATTACK_SECONDS    60   /* after which nxdomain_domain has found it */
#define ZONE_MAX          64   /* bytes of a zone that has votes; public suffixes have fewer */

/* What a domain that does not exist, and one that exists, add to the logarithm of how much likelier
 * an algorithm is. */
#define MISSING_EVIDENCE log(MISSING_IF_DGA / MISSING_NORMALLY)
#define FOUND_EVIDENCE   log((1 - MISSING_IF_DGA) / (1 - MISSING_NORMALLY))
#define ENOUGH_EVIDENCE  log((1 - MISSES) / FALSE_ALARMS)

/* --- The part of a worker --- */

struct client {
    struct set_entry entry;  /* weight: NXDOMAIN responses about domains that do not exist */
    uint32_t missing, found; /* domains that this client had not asked for before */
    struct zone_vote {
        uint64_t zone_hash; /* of the zone that most of them were denied by */
        uint32_t votes;     /* majority vote of Boyer and Moore (1981) */
    } vote;
    struct client_key key;
    uint8_t zone_len;
    uint8_t zone[ZONE_MAX];           /* that has the vote */
    struct finding_name missing_name; /* the latest */
    struct finding_name found_name;   /* the latest; a registered domain */
};

static void zone_vote_add(struct zone_vote *vote, const struct zone_vote *other)
{
    if (vote->zone_hash == other->zone_hash) {
        vote->votes += other->votes;
    } else if (vote->votes >= other->votes) {
        vote->votes -= other->votes;
    } else {
        *vote = (struct zone_vote){other->zone_hash, other->votes - vote->votes};
    }
}

static void record_missing(struct evidence_part *part, struct client_event *event,
                           const struct client_host *host)
{
    struct client *client = set_table_take(&part->table, host->hash, 0);
    uint64_t hash = name_filter_hash(NAME_FILTER_HOST_MISSING, host->hash,
                                     client_event_suffix(event)->domain_hash);

    client->entry.weight++;
    client->key = host->key;
    if (name_filter_insert(part->seen, hash)) {
        const struct zone_vote vote = {client_event_zone_hash(event), 1};
        client->missing++;
        zone_vote_add(&client->vote, &vote);
        finding_name_set(&client->missing_name, event->name);
        if (client->vote.zone_hash == vote.zone_hash && event->zone_len <= ZONE_MAX) {
            client->zone_len = (uint8_t)event->zone_len;
            memcpy(client->zone, event->name.data + event->name.len - event->zone_len,
                   event->zone_len);
        }
    }
    evidence_follow(part->followed, host->hash);
}

/* Domains that exist count for clients that are followed. */
static void record_found(struct evidence_part *part, struct client_event *event,
                         const struct client_host *host)
{
    const struct suffix_match *suffix = client_event_suffix(event);
    uint64_t hash = name_filter_hash(NAME_FILTER_HOST_FOUND, host->hash, suffix->domain_hash);

    if (suffix->allowed || !name_filter_insert(part->seen, hash)) {
        return;
    }
    struct client *client = set_table_take(&part->table, host->hash, 0);
    client->key = host->key;
    client->found++;
    finding_name_set(&client->found_name, suffix->domain);
}

void nxdomain_client_record(void *context, struct client_event *event)
{
    struct evidence_part *part = context;

    if (!event->has_client || !event->role_is_client) {
        return;
    }
    if (event->outcome == CLIENT_EVENT_NXDOMAIN) {
        const struct client_host *host = client_event_host(event);
        if (client_event_denies_domain(event) && !client_event_suffix(event)->allowed &&
            !host->is_forwarder && (event->zone_len > 1 || client_event_outside_len(event) == 0)) {
            record_missing(part, event, host);
        }
    } else if (event->outcome == CLIENT_EVENT_EXISTS) {
        const struct client_host *host = client_event_host(event);
        if (evidence_is_followed(part->followed, host->hash)) {
            record_found(part, event, host);
        }
    }
}

/* --- The evaluator --- */

/* A client with evidence of an algorithm. */
struct suspect {
    struct set_entry entry;              /* weight: that of its sum, or SET_KEEP of a finding */
    uint64_t messages, missing, found;   /* since begin_second */
    double begin_second, missing_second; /* of the latest domain that did not exist */
    struct zone_vote vote;
    struct finding_name zone; /* that has the vote */
    bool is_active, ends, is_reported;
    struct client_key client;
    struct finding_name examples[FINDING_EXAMPLES_MAX];
    struct finding_name found_names[FINDING_EXAMPLES_MAX];
};

static void client_join(void *context, const void *other)
{
    struct client *to = context;
    const struct client *from = other;

    to->entry.weight += from->entry.weight;
    to->missing += from->missing;
    to->found += from->found;
    to->key = from->key;
    zone_vote_add(&to->vote, &from->vote);
    if (to->vote.zone_hash == from->vote.zone_hash) {
        to->zone_len = from->zone_len;
        memcpy(to->zone, from->zone, from->zone_len);
    }
    if (from->missing_name.len > 0) {
        to->missing_name = from->missing_name;
    }
    if (from->found_name.len > 0) {
        to->found_name = from->found_name;
    }
}

static void names_push(struct finding_name names[FINDING_EXAMPLES_MAX],
                       const struct finding_name *name)
{
    if (name->len > 0) {
        memmove(&names[1], &names[0], (FINDING_EXAMPLES_MAX - 1) * sizeof names[0]);
        names[0] = *name;
    }
}

static void suspect_add(struct suspect *suspect, const struct client *client, double second)
{
    suspect->messages += (uint64_t)client->entry.weight;
    suspect->missing += client->missing;
    suspect->found += client->found;
    suspect->client = client->key;
    zone_vote_add(&suspect->vote, &client->vote);
    if (suspect->vote.zone_hash == client->vote.zone_hash && client->zone_len > 0) {
        finding_name_set(&suspect->zone, (struct bytes){client->zone, client->zone_len});
    }
    names_push(suspect->examples, &client->missing_name);
    names_push(suspect->found_names, &client->found_name);
    if (client->entry.weight > 0) {
        suspect->missing_second = second;
        suspect->ends = false;
    }
}

static void client_take(struct evidence *evidence, const void *entry)
{
    const struct client *client = entry;
    double second = evidence->second;
    uint64_t key = client->entry.key;
    double amount = client->missing * MISSING_EVIDENCE + client->found * FOUND_EVIDENCE;

    if (client->missing == 0 && set_table_find(&evidence->suspects, key) == NULL) {
        return;
    }
    const struct leaky_sum *sum = leaky_sums_add(
        &evidence->sums, key, amount, SUM_MAX * ENOUGH_EVIDENCE, client->missing, second);
    double value = leaky_sum_value(&evidence->sums, sum, second);
    struct suspect *suspect = value >= ENOUGH_EVIDENCE / SUSPECT_SHARE
                                  ? set_table_take(&evidence->suspects, key, second)
                                  : set_table_find(&evidence->suspects, key);
    if (suspect == NULL) {
        return;
    }
    if (suspect->messages == 0) {
        suspect->begin_second = second;
    }
    suspect_add(suspect, client, second);
    suspect->is_active |= value >= ENOUGH_EVIDENCE && sum->events >= evidence->settings.threshold;
    suspect->entry.weight = suspect->is_active ? SET_KEEP : sum->entry.weight;
}

/* A finding goes on as long as domains fail, be they known or new. */
static bool suspect_keeps(const struct evidence *evidence, void *entry)
{
    struct suspect *suspect = entry;
    bool is_over = suspect->is_active ? suspect->ends : suspect->entry.weight <= evidence->second;

    suspect->ends = suspect->is_active &&
                    evidence->second - suspect->missing_second >= QUIET_SECONDS;
    return !is_over;
}

static void follow_suspects(struct evidence *evidence)
{
    memset(evidence->followed, 0, sizeof evidence->followed);
    for (size_t i = 0; i < evidence->suspects.count; i++) {
        const struct suspect *suspect = set_table_at(&evidence->suspects, i);
        if (suspect != NULL) {
            evidence_follow(evidence->followed, suspect->entry.key);
        }
    }
}

/* --- Findings --- */

enum { DETAIL_MISSING, DETAIL_A_MINUTE, DETAIL_MESSAGES, DETAIL_FOUND, DETAIL_CLIENTS, DETAILS };

static const struct finding_detail details[DETAILS] = {
    [DETAIL_MISSING] = {"missing_domains", DETAIL_COUNT},
    [DETAIL_A_MINUTE] = {"missing_domains_per_minute", DETAIL_REAL},
    [DETAIL_MESSAGES] = {"responses", DETAIL_COUNT}, /* NXDOMAIN, about such domains */
    [DETAIL_FOUND] = {"existing_domains", DETAIL_COUNT},
    [DETAIL_CLIENTS] = {"clients", DETAIL_COUNT},
};

static bool is_mostly_below_one_zone(const struct suspect *suspect)
{
    return 2 * (uint64_t)suspect->vote.votes >= suspect->missing;
}

/* Who takes part in an attack with random names below a public suffix looks as if infected: but
 * asks for no more of them than others. */
static bool takes_part_in(const struct finding *attack, const struct suspect *suspect)
{
    double share = nxdomain_domain_names_per_client(attack);

    return (double)suspect->missing <= PARTICIPANT_SHARE * (share > 1 ? share : 1);
}

/* The suspects below one zone. */
struct crowd {
    unsigned suspects, active;
    uint64_t missing; /* of the active ones */
};

static struct crowd crowd_of(const struct evidence *evidence, uint64_t zone_hash)
{
    struct crowd crowd = {0, 0, 0};

    for (size_t i = 0; i < evidence->suspects.count; i++) {
        const struct suspect *other = set_table_at(&evidence->suspects, i);
        if (other != NULL && other->vote.zone_hash == zone_hash && other->missing > 1) {
            crowd.suspects++;
            crowd.active += other->is_active;
            crowd.missing += other->is_active ? other->missing : 0;
        }
    }
    return crowd;
}

enum verdict { VERDICT_NONE, VERDICT_CLIENT, VERDICT_CROWD, VERDICT_PARTICIPANT };

/* While many are suspect below one zone, there is some time for nxdomain_domain to find an attack.
 * If there is none after that, but a crowd, it is reported as one. */
static enum verdict judge_crowd(const struct evidence *evidence, const struct suspect *suspect)
{
    struct crowd crowd = crowd_of(evidence, suspect->vote.zone_hash);
    double age = evidence->second - suspect->begin_second;
    double patience = crowd.suspects > CROWD_ACTIVE ? 2 * ATTACK_SECONDS : ATTACK_SECONDS;
    bool stands_out = suspect->missing * crowd.active > PARTICIPANT_SHARE * crowd.missing;

    if (stands_out) {
        return VERDICT_CLIENT;
    }
    if (crowd.suspects > CROWD_SUSPECTS && age < patience) {
        return VERDICT_NONE;
    }
    return crowd.active > CROWD_ACTIVE ? VERDICT_CROWD : VERDICT_CLIENT;
}

static enum verdict judge(const struct evidence *evidence, const struct suspect *suspect,
                          const struct findings *findings)
{
    const struct finding *known = findings_find_domain(findings, suspect->vote.zone_hash);

    if (suspect->is_reported || !is_mostly_below_one_zone(suspect)) {
        return VERDICT_CLIENT;
    }
    if (known != NULL && known->detector == &detector_nxdomain_domain) {
        return takes_part_in(known, suspect) ? VERDICT_PARTICIPANT : VERDICT_CLIENT;
    }
    enum verdict verdict = judge_crowd(evidence, suspect);
    /* The crowd is one finding, also where it has been reported in this evaluation. */
    return verdict == VERDICT_CROWD && known != NULL ? VERDICT_NONE : verdict;
}

static struct finding client_finding(const struct evidence *evidence, const struct suspect *suspect)
{
    double minutes = (evidence->second - suspect->begin_second) / 60;
    struct finding finding = {
        .detector = &detector_nxdomain_client,
        .key_hash = suspect->entry.key,
        .client = suspect->client,
        .score = leaky_sums_value(&evidence->sums, suspect->entry.key, evidence->second) /
                 ENOUGH_EVIDENCE,
        .since_ns = evidence_ns(suspect->begin_second),
        .details = {[DETAIL_MISSING] = (double)suspect->missing,
                    [DETAIL_A_MINUTE] = (double)suspect->missing / (minutes > 1 ? minutes : 1),
                    [DETAIL_MESSAGES] = (double)suspect->messages,
                    [DETAIL_FOUND] = (double)suspect->found,
                    [DETAIL_CLIENTS] = 1},
    };

    memcpy(finding.examples, suspect->examples, sizeof finding.examples);
    memcpy(finding.found_names, suspect->found_names, sizeof finding.found_names);
    return finding;
}

/* The finding of one of a crowd becomes that of the zone. */
static void finding_set_crowd(struct finding *finding, const struct suspect *suspect,
                              const struct evidence *evidence)
{
    finding->key_hash = suspect->vote.zone_hash;
    finding->client.len = 0;
    finding->domain = suspect->zone;
    finding->details[DETAIL_CLIENTS] = crowd_of(evidence, suspect->vote.zone_hash).active;
}

/* Its failures are the attack's: evidence begins anew. */
static void forget_evidence(struct evidence *evidence, struct suspect *suspect)
{
    (void)leaky_sums_add(&evidence->sums, suspect->entry.key, -SUM_MAX * ENOUGH_EVIDENCE, 0, 0,
                         evidence->second);
    suspect->is_active = false;
    suspect->entry.weight = evidence->second + ATTACK_SECONDS;
}

static void report_suspects(struct evidence *evidence, struct findings *findings)
{
    for (size_t i = 0; i < evidence->suspects.count; i++) {
        struct suspect *suspect = set_table_at(&evidence->suspects, i);
        if (suspect == NULL) {
            continue;
        }
        enum verdict verdict = suspect->is_active ? judge(evidence, suspect, findings)
                                                  : VERDICT_NONE;

        if (verdict == VERDICT_PARTICIPANT) {
            forget_evidence(evidence, suspect);
        }
        if (verdict == VERDICT_NONE || verdict == VERDICT_PARTICIPANT) {
            continue;
        }
        suspect->is_reported = verdict == VERDICT_CLIENT;
        struct finding finding = client_finding(evidence, suspect);
        if (verdict == VERDICT_CROWD) {
            finding_set_crowd(&finding, suspect, evidence);
        }
        findings_report(findings, &finding, !suspect->ends);
    }
}

/* ENOUGH_EVIDENCE is about 13.8, but no constant. */
#define LEAK (13.8 / LEAK_SECONDS)

static const struct evidence_kind kind = {
    .places = PART_CLIENTS,
    .entry_size = sizeof(struct client),
    .join = client_join,
    .sums = SUMS,
    .leak = LEAK,
    .suspect_size = sizeof(struct suspect),
    .keeps = suspect_keeps,
    .take = client_take,
};

static void client_evaluate(void *context, const struct evaluation *evaluation)
{
    struct evidence *evidence = context;

    evidence_evaluate(evidence, evaluation);
    follow_suspects(evidence);
    report_suspects(evidence, evaluation->findings);
}

/* clang-format off */
#define NXDOMAIN_CLIENT_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.nxdomain_client.enabled", "true", \
        .help = "Find clients that look up ever new registered domains that do not exist, as " \
                "malware with a domain generation algorithm (DGA) does.") \
    KEY(S, number, threshold, "detection.nxdomain_client.min_domains", "6", .least = 3, .most = 1000000, \
        .help = "Different registered domains that do not exist, at the least, that make a finding.")
/* clang-format on */

const struct config_rows nxdomain_client_rows = CONFIG_ROWS(NXDOMAIN_CLIENT_KEYS,
                                                            struct detector_settings);

const struct detector detector_nxdomain_client = {
    .name = "nxdomain_client",
    .title = "DGA",
    .details = details,
    .detail_count = DETAILS,
    .print_flags = " --rcode=NXDOMAIN",
    .kind = &kind,
    .evaluate = client_evaluate,
    EVIDENCE_MEMBERS,
};
