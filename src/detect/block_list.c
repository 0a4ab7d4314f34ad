/* SPDX-License-Identifier: Apache-2.0 */
/* Block lists: clients that ask for a name of a list, such as one of C&C servers. One query
 * suffices: a list has exact names (client/name_list.h). One finding for each client and list,
 * until the client has not asked for an hour. */
#include <stdio.h>
#include <string.h>

#include "client/block_list_settings.h"
#include "detect/findings.h"
#include "evidence_internal.h"

#define PART_HITS     512  /* of a worker, in a second; chosen: 150 KB */
#define QUIET_SECONDS 3600 /* without a query: the finding ends */

/* In front of a client's entry for a list. */
struct listed {
    struct set_entry entry;
    unsigned list;
};

/* The entry of a key, or NULL. A list that many clients meet leaves room for the others: an entry's
 * weight is less, the more entries of its list are in the set already. */
static void *take_place(struct set_table *table, uint64_t key, unsigned list)
{
    struct listed *entry = set_table_find(table, key);
    double rank = 1;

    if (entry != NULL) {
        return entry;
    }
    for (unsigned way = 0; way < SET_WAYS; way++) {
        const struct listed *other = set_table_in_set(table, key, way);
        rank += other != NULL && other->list == list;
    }
    entry = set_table_take_heavier(table, key, 1 / rank);
    if (entry != NULL) {
        entry->list = list;
    }
    return entry;
}

/* --- The part of a worker --- */

/* What one client has asked for of one list. */
struct hit {
    struct listed listed;
    uint64_t queries;
    struct client_key client;
    struct finding_name name; /* the latest */
};

static void record_hit(struct evidence_part *part, struct client_event *event, unsigned list)
{
    const struct client_host *host = client_event_host(event);
    uint64_t key = host->hash ^ (list + 1) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
    struct hit *hit = take_place(&part->table, key, list);

    if (hit != NULL) {
        hit->queries++;
        hit->client = host->key;
        finding_name_set(&hit->name, event->qname);
    }
}

void block_list_record(void *part, struct client_event *event)
{
    if (event->block_lists == 0 || !event->has_client || client_event_suffix(event)->allowed ||
        client_event_host(event)->is_forwarder) {
        return;
    }
    for (unsigned list = 0; list < event->rules->block_list_count; list++) {
        if ((event->block_lists >> list & 1) != 0) {
            record_hit(part, event, list);
        }
    }
}

static void hit_join(void *to, const void *from)
{
    struct hit *hit = to;
    uint64_t queries = hit->queries;

    *hit = *(const struct hit *)from;
    hit->queries += queries;
}

/* --- The evaluator --- */

struct suspect {
    struct listed listed;
    uint64_t queries;
    double begin_second, last_second; /* of a query */
    bool ends;
    struct client_key client;
    struct finding_name examples[FINDING_EXAMPLES_MAX];
};

static void hit_take(struct evidence *evidence, const void *entry)
{
    const struct hit *hit = entry;
    struct suspect *suspect = take_place(&evidence->suspects, hit->listed.entry.key,
                                         hit->listed.list);

    if (suspect == NULL) {
        return;
    }
    if (suspect->queries == 0) {
        suspect->begin_second = evidence->second;
    }
    suspect->queries += hit->queries;
    suspect->last_second = evidence->second;
    suspect->ends = false;
    suspect->client = hit->client;
    finding_examples_add(suspect->examples, &hit->name);
}

static bool suspect_keeps(const struct evidence *evidence, void *entry)
{
    struct suspect *suspect = entry;

    return evidence_keeps_recent(evidence, suspect->last_second, QUIET_SECONDS, &suspect->ends);
}

/* --- Findings --- */

enum { DETAIL_QUERIES, DETAILS };

static const struct finding_detail details[DETAILS] = {
    [DETAIL_QUERIES] = {"queries", DETAIL_COUNT},
};

static void report(const struct evidence *evidence, const void *entry, struct findings *findings)
{
    const struct suspect *suspect = entry;
    const struct block_list_settings *list = &evidence->settings.block_lists[suspect->listed.list];
    struct finding finding = {
        .detector = &detector_block_list,
        .client = suspect->client,
        .key_hash = suspect->listed.entry.key,
        .score = (double)suspect->queries,
        .since_ns = evidence_ns(suspect->begin_second),
        .details = {[DETAIL_QUERIES] = (double)suspect->queries},
    };

    finding.list_number = suspect->listed.list;
    (void)snprintf(finding.list, sizeof finding.list, "%s", list->name);
    (void)snprintf(finding.severity, sizeof finding.severity, "%s", list->severity);
    memcpy(finding.examples, suspect->examples, sizeof finding.examples);
    findings_report(findings, &finding, !suspect->ends);
}

static const struct evidence_kind kind = {
    .places = PART_HITS,
    .entry_size = sizeof(struct hit),
    .join = hit_join,
    .suspect_size = sizeof(struct suspect),
    .keeps = suspect_keeps,
    .take = hit_take,
    .report = report,
};

/* clang-format off */
#define BLOCK_LIST_DETECTOR_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.block_list.enabled", "true", \
        .help = "Find clients that ask for names of the lists below. Without any list it is off.")
/* clang-format on */

const struct config_rows block_list_rows = CONFIG_ROWS(BLOCK_LIST_DETECTOR_KEYS,
                                                       struct detector_settings);

const struct detector detector_block_list = {
    .name = "block_list",
    .title = "Listed name",
    .details = details,
    .detail_count = DETAILS,
    .print_flags = "",
    .looks_at_examples = true,
    .kind = &kind,
    .evaluate = evidence_evaluate_and_report,
    EVIDENCE_MEMBERS,
};
