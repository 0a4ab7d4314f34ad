/* SPDX-License-Identifier: Apache-2.0 */
/* Amplification: a network that gets far more bytes over UDP than the queries in its name have, for
 * few names, again and again. Its addresses are probably forged, and it is the victim (Rossow,
 * "Amplification hell", NDSS 2014). Responses that are at least ten times as large as their query
 * add their bytes to a leaky sum of the network. Honest clients keep large responses in a cache. */
#include <string.h>

#include "detect/findings.h"
#include "evidence_internal.h"
#include "sketch/distinct.h"

#define PART_NETWORKS   256 /* of a worker, in a second; chosen: 110 KB */
#define SUMS            1024
#define SUSPECTS_MAX    64 /* chosen */
#define IPV4_PREFIX     24 /* bits of a client's network: what one flood is aimed at */
#define IPV6_PREFIX     48
#define AMPLIFICATION   10  /* bytes of the response for each of the query, at least */
#define LEAK            0.8 /* of the threshold: a flood at the threshold is found, too */
#define ENOUGH          10  /* seconds at the threshold, more or less */
#define SUM_MAX         60
#define SUSPECT_SHARE   8  /* a network with this part of what suffices keeps its evidence */
#define REPEATS         20 /* responses for each name, at least */
#define NAMES_PRECISION 6  /* of names: standard error 13 % */

#define QUERY_SIZE      27 /* bytes of a query without its name: header, type, class, and EDNS */

enum { TYPE_TXT = 16, TYPE_RRSIG = 46, TYPE_DNSKEY = 48, TYPE_ANY = 255 };

/* --- The part of a worker --- */

/* What one network gets. */
struct flood {
    struct set_entry entry; /* weight: bytes of the responses */
    uint32_t responses;
    uint32_t amplifying; /* of types that are asked for their large answers */
    uint64_t query_bytes;
    uint8_t names[DISTINCT_SIZE(NAMES_PRECISION)];
    struct client_key network;
    uint8_t prefix;
    struct finding_name name; /* the latest */
};

static size_t query_size(const struct client_event *event)
{
    return QUERY_SIZE + event->qname.len;
}

static bool is_amplifying(uint16_t type)
{
    return type == TYPE_ANY || type == TYPE_DNSKEY || type == TYPE_TXT || type == TYPE_RRSIG;
}

/* Returns whether privacy leaves anything of the network. */
static bool read_network(const struct client_event *event, struct flood *out)
{
    struct client_privacy network = event->rules->privacy;

    network.ipv4_prefix = network.ipv4_prefix < IPV4_PREFIX ? network.ipv4_prefix : IPV4_PREFIX;
    network.ipv6_prefix = network.ipv6_prefix < IPV6_PREFIX ? network.ipv6_prefix : IPV6_PREFIX;
    out->prefix = (uint8_t)(event->is_ipv6 ? network.ipv6_prefix : network.ipv4_prefix);
    return client_key_read(&network, &event->rules->secret, event->address, &out->network);
}

static void record_large(struct evidence_part *part, struct client_event *event)
{
    struct flood found;

    if (!read_network(event, &found) || client_event_host(event)->is_forwarder) {
        return;
    }
    uint64_t key = client_key_hash(&event->rules->secret, &found.network);
    struct flood *flood = set_table_take(&part->table, key, 0);
    flood->entry.weight += (double)event->message_size;
    flood->responses++;
    flood->amplifying += is_amplifying(event->qtype);
    flood->query_bytes += query_size(event);
    distinct_insert(flood->names, NAMES_PRECISION, event->qname_hash);
    flood->network = found.network;
    flood->prefix = found.prefix;
    finding_name_set(&flood->name, event->qname);
}

void amplification_record(void *part, struct client_event *event)
{
    if (event->outcome != CLIENT_EVENT_QUERY && event->has_client && event->is_udp &&
        event->message_size >= AMPLIFICATION * query_size(event)) {
        record_large(part, event);
    }
}

static void flood_join(void *to, const void *from)
{
    struct flood *flood = to;
    struct flood sum = *(const struct flood *)from;

    sum.entry.weight += flood->entry.weight;
    sum.responses += flood->responses;
    sum.amplifying += flood->amplifying;
    sum.query_bytes += flood->query_bytes;
    distinct_merge(sum.names, flood->names, NAMES_PRECISION);
    *flood = sum;
}

/* --- The evaluator --- */

struct suspect {
    struct set_entry entry; /* weight: that of its sum, or SET_KEEP of a finding */
    uint64_t bytes, responses, amplifying, query_bytes; /* since begin_second */
    double begin_second;
    bool is_active, ends;
    uint8_t names[DISTINCT_SIZE(NAMES_PRECISION)];
    struct client_key network;
    uint8_t prefix;
    struct finding_name examples[FINDING_EXAMPLES_MAX];
};

static void suspect_add(struct suspect *suspect, const struct flood *flood)
{
    suspect->bytes += (uint64_t)flood->entry.weight;
    suspect->responses += flood->responses;
    suspect->amplifying += flood->amplifying;
    suspect->query_bytes += flood->query_bytes;
    distinct_merge(suspect->names, flood->names, NAMES_PRECISION);
    suspect->network = flood->network;
    suspect->prefix = flood->prefix;
    finding_examples_add(suspect->examples, &flood->name);
}

static double names_of(const struct suspect *suspect)
{
    double names = distinct_estimate(suspect->names, NAMES_PRECISION);

    return names < (double)suspect->responses ? names : (double)suspect->responses;
}

static void flood_take(struct evidence *evidence, const void *entry)
{
    const struct flood *flood = entry;
    double second = evidence->second;
    const struct leaky_sum *sum = leaky_sums_add(&evidence->sums, flood->entry.key,
                                                 flood->entry.weight / evidence->settings.threshold,
                                                 SUM_MAX, flood->responses, second);
    double value = leaky_sum_value(&evidence->sums, sum, second);
    struct suspect *suspect = value >= (double)ENOUGH / SUSPECT_SHARE
                                  ? set_table_take(&evidence->suspects, flood->entry.key, second)
                                  : set_table_find(&evidence->suspects, flood->entry.key);

    if (suspect == NULL) {
        return;
    }
    if (suspect->responses == 0) {
        suspect->begin_second = second;
    }
    suspect_add(suspect, flood);
    suspect->ends &= value <= 0;
    suspect->is_active |= value >= ENOUGH &&
                          (double)suspect->responses >= REPEATS * names_of(suspect);
    suspect->entry.weight = suspect->is_active ? SET_KEEP : sum->entry.weight;
}

static bool suspect_keeps(const struct evidence *evidence, void *entry)
{
    struct suspect *suspect = entry;

    return evidence_keeps_sum(evidence, suspect->entry.key, suspect->is_active, &suspect->ends);
}

/* --- Findings --- */

enum { DETAIL_RATE, DETAIL_RATIO, DETAIL_RESPONSES, DETAIL_NAMES, DETAIL_AMPLIFYING, DETAILS };

static const struct finding_detail details[DETAILS] = {
    [DETAIL_RATE] = {"bytes_per_second", DETAIL_REAL},
    [DETAIL_RATIO] = {"amplification", DETAIL_REAL}, /* by the sizes that queries have */
    [DETAIL_RESPONSES] = {"responses", DETAIL_COUNT},
    [DETAIL_NAMES] = {"names", DETAIL_COUNT},
    [DETAIL_AMPLIFYING] = {"any_dnskey_txt", DETAIL_COUNT}, /* responses to these types */
};

static void report(const struct evidence *evidence, const void *entry, struct findings *findings)
{
    const struct suspect *suspect = entry;

    if (!suspect->is_active) {
        return;
    }
    double seconds = evidence->second - suspect->begin_second + 1;
    double sum = leaky_sums_value(&evidence->sums, suspect->entry.key, evidence->second);
    struct finding finding = {
        .detector = &detector_amplification,
        .client = suspect->network,
        .client_prefix = suspect->prefix,
        .key_hash = suspect->entry.key,
        .score = sum / ENOUGH,
        .since_ns = evidence_ns(suspect->begin_second),
        .details = {[DETAIL_RATE] = (double)suspect->bytes / seconds,
                    [DETAIL_RATIO] = (double)suspect->bytes / (double)suspect->query_bytes,
                    [DETAIL_RESPONSES] = (double)suspect->responses,
                    [DETAIL_NAMES] = names_of(suspect),
                    [DETAIL_AMPLIFYING] = (double)suspect->amplifying},
    };

    memcpy(finding.examples, suspect->examples, sizeof finding.examples);
    findings_report(findings, &finding, !suspect->ends);
}

static const struct evidence_kind kind = {
    .places = PART_NETWORKS,
    .entry_size = sizeof(struct flood),
    .join = flood_join,
    .sums = SUMS,
    .leak = LEAK,
    .suspect_size = sizeof(struct suspect),
    .keeps = suspect_keeps,
    .take = flood_take,
    .report = report,
};

/* clang-format off */
#define AMPLIFICATION_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.amplification.enabled", "true", \
        .help = "Find networks that get large responses over UDP again and again: probably the victims of queries " \
                "with forged addresses.") \
    KEY(S, number, threshold, "detection.amplification.min_bytes", "100000", .least = 1000, .most = 1000000000, \
        .help = "Bytes a second to one network (/24, or /48 of IPv6) that make a finding.")
/* clang-format on */

const struct config_rows amplification_rows = CONFIG_ROWS(AMPLIFICATION_KEYS,
                                                          struct detector_settings);

const struct detector detector_amplification = {
    .name = "amplification",
    .title = "Amplification",
    .suspects_max = SUSPECTS_MAX,
    .details = details,
    .detail_count = DETAILS,
    .print_flags = "",
    .kind = &kind,
    .evaluate = evidence_evaluate_and_report,
    EVIDENCE_MEMBERS,
};
