/* SPDX-License-Identifier: Apache-2.0 */
/* New domains: registered domains that exist and that nobody here has asked for before. Domains of
 * malware are new; so are many others, so that this is evidence for an analyst and raises no alert.
 * A learning time comes first. Newly observed domains: Hao, Feamster, Pandrangi, "Monitoring the
 * initial DNS behavior of malicious domains", IMC 2011. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "detect/detect.h"
#include "detect/findings.h"
#include "known_domains_internal.h"
#include "leaky_sum_internal.h"

#define PART_DOMAINS   256  /* of a worker, in a second; chosen: 75 KB */
#define MERGED_DOMAINS 1024 /* of all workers; chosen: 300 KB */
#define NAMES          8192 /* of a worker, that were looked at last; chosen: 64 KB */

/* One client alone can ask for ever new domains, below a public suffix where every name exists. */
#define CLIENT_DOMAINS 300.0 /* that may come at once; chosen */
#define CLIENT_LEAK    (CLIENT_DOMAINS / 3600)
#define CLIENTS        4096 /* chosen: 100 KB */

/* --- The part of a worker --- */

/* A domain that exists. */
struct domain {
    struct set_entry entry; /* weight: SET_KEEP, so that none makes room unseen */
    struct client_key client;
    uint64_t client_hash; /* 0: a forwarder */
    struct finding_name name;
};

struct part {
    const struct known_filter *known;
    struct set_table table;
    uint64_t names[NAMES]; /* hashes; most names come again and again */
};

/* Returns false where the name has to come again: there is no room, or it is allowed until a
 * reload.
 */
static bool record_domain(struct part *part, struct client_event *event)
{
    const struct suffix_match *suffix = client_event_suffix(event);
    bool is_registered = suffix->domain.len > suffix->domain.data[0] + (size_t)2;

    if (suffix->allowed) {
        return false;
    }
    if (!is_registered ||
        known_filter_has(part->known, known_filter_hash(part->known, suffix->domain))) {
        return true;
    }
    struct domain *domain = set_table_take(&part->table, suffix->domain_hash, 0);
    if (domain != NULL) {
        const struct client_host *host = client_event_host(event);
        domain->entry.weight = SET_KEEP;
        domain->client = host->key;
        domain->client_hash = host->is_forwarder ? 0 : host->hash;
        finding_name_set(&domain->name, suffix->domain);
    }
    return false; /* until it is known */
}

void new_domain_record(void *context, struct client_event *event)
{
    struct part *part = context;

    if (event->outcome != CLIENT_EVENT_EXISTS || !event->role_is_client || !event->has_client) {
        return;
    }
    uint64_t *name = &part->names[event->qname_hash & (NAMES - 1)];
    if (*name != event->qname_hash && record_domain(part, event)) {
        *name = event->qname_hash;
    }
}

static int new_domain_part_create(void **out, const struct detector *detector,
                                  const struct detector_settings *settings)
{
    (void)detector;
    struct part *part = calloc(1, sizeof *part);

    if (part == NULL || set_table_init(&part->table, PART_DOMAINS, sizeof(struct domain)) < 0) {
        free(part);
        return -ENOMEM;
    }
    part->known = settings->known;
    *out = part;
    return 0;
}

static void new_domain_part_free(void *context)
{
    struct part *part = context;

    if (part != NULL) {
        set_table_deinit(&part->table);
        free(part);
    }
}

/* What the names were is still true. */
static void new_domain_part_clear(void *context, const void *evaluator, uint64_t now_ns)
{
    struct part *part = context;

    (void)evaluator;
    (void)now_ns;
    set_table_clear(&part->table);
    part->table.evictions = 0;
}

static uint64_t new_domain_part_overflows(const void *part)
{
    return ((const struct part *)part)->table.evictions;
}

/* --- The evaluator --- */

struct evaluator {
    struct detector_settings settings;
    struct known_domains *known;
    uint64_t learned_ns; /* before the first evaluation */
    uint64_t first_ns;   /* evaluation; 0: none yet */
    struct set_table merged;
    struct leaky_sums clients; /* new domains of each */
};

const char *detect_state_file(const struct detector_settings *settings, struct text *space)
{
    const char *folder = getenv("STATE_DIRECTORY");

    if (settings->state_file[0] != '\0') {
        return settings->state_file;
    }
    if (folder == NULL || folder[0] == '\0') {
        return NULL;
    }
    text_append_format(space, "%.*s/known_domains", (int)strcspn(folder, ":"), folder);
    return text_string(space);
}

static void new_domain_free(void *context)
{
    struct evaluator *evaluator = context;

    if (evaluator != NULL) {
        known_domains_free(evaluator->known);
        set_table_deinit(&evaluator->merged);
        set_table_deinit(&evaluator->clients.table);
        free(evaluator);
    }
}

static int new_domain_create(void **out, const struct detector *detector,
                             const struct detector_settings *settings)
{
    (void)detector;
    struct evaluator *evaluator = calloc(1, sizeof *evaluator);
    uint64_t now = clock_realtime_ns() / NS_PER_SECOND;
    struct text space = {0};

    if (evaluator == NULL) {
        return -ENOMEM;
    }
    evaluator->settings = *settings;
    int result = set_table_init(&evaluator->merged, MERGED_DOMAINS, sizeof(struct domain));
    if (result == 0) {
        result = leaky_sums_init(&evaluator->clients, CLIENTS, CLIENT_LEAK);
    }
    if (result == 0) {
        const char *path = settings->is_live ? detect_state_file(settings, &space) : NULL;
        result = known_domains_create(&evaluator->known, path, settings->known);
    }
    text_deinit(&space);
    if (result < 0) {
        new_domain_free(evaluator);
        return result;
    }
    uint64_t begun = known_domains_begun(evaluator->known);
    evaluator->learned_ns = now > begun ? (now - begun) * NS_PER_SECOND : 0;
    *out = evaluator;
    return 0;
}

static void new_domain_clear(void *context)
{
    struct evaluator *evaluator = context;

    set_table_clear(&evaluator->merged);
    set_table_clear(&evaluator->clients.table);
    evaluator->first_ns = 0;
}

static void new_domain_merge(void *context, const void *from)
{
    struct evaluator *evaluator = context;
    const struct part *part = from;

    for (size_t i = 0; i < part->table.count && part->table.used > 0; i++) {
        const struct domain *domain = set_table_at(&part->table, i);
        struct domain *merged = domain != NULL
                                    ? set_table_take(&evaluator->merged, domain->entry.key, 0)
                                    : NULL;
        if (merged != NULL) {
            *merged = *domain;
        }
    }
}

static bool new_domain_is_idle(const void *context)
{
    const struct evaluator *evaluator = context;

    return evaluator->merged.used == 0 && evaluator->first_ns != 0;
}

static uint64_t new_domain_overflows(const void *context)
{
    return ((const struct evaluator *)context)->merged.evictions;
}

static void report(const struct domain *domain, struct findings *findings)
{
    const struct finding_note note = {
        .detector = &detector_new_domain,
        .client = domain->client,
        .domain = domain->name,
        .domain_hash = domain->entry.key,
    };

    findings_note(findings, &note);
}

/* Whether the client may have one new domain more. */
static bool is_within_limit(struct leaky_sums *clients, const struct domain *domain, double second)
{
    uint64_t client = domain->client_hash;

    if (client == 0) {
        return true;
    }
    if (leaky_sums_value(clients, client, second) > CLIENT_DOMAINS - 1) {
        return false;
    }
    (void)leaky_sums_add(clients, client, 1, CLIENT_DOMAINS, 1, second);
    return true;
}

/* What a client asks for beyond the limit is not known later, and new when another asks for it. */
static void take_domain(struct evaluator *evaluator, const struct domain *domain, double second,
                        struct findings *noted)
{
    struct bytes name = finding_name_bytes(&domain->name);

    if (noted == NULL) {
        (void)known_domains_insert(evaluator->known, name);
    } else if (is_within_limit(&evaluator->clients, domain, second) &&
               known_domains_insert(evaluator->known, name)) {
        report(domain, noted);
    }
}

static void new_domain_evaluate(void *context, const struct evaluation *evaluation)
{
    struct evaluator *evaluator = context;
    uint64_t second = evaluation->end_ns / NS_PER_SECOND;

    if (evaluator->first_ns == 0) {
        evaluator->first_ns = evaluation->end_ns;
    }
    uint64_t learned_ns = evaluator->learned_ns + evaluation->end_ns - evaluator->first_ns;
    bool has_learned = learned_ns >= evaluator->settings.learning_ns;
    for (size_t i = 0; i < evaluator->merged.count && evaluator->merged.used > 0; i++) {
        const struct domain *domain = set_table_at(&evaluator->merged, i);
        if (domain != NULL) {
            take_domain(evaluator, domain, (double)second,
                        has_learned ? evaluation->findings : NULL);
        }
    }
    set_table_clear(&evaluator->merged);
    known_domains_save(evaluator->known);
}

static size_t new_domain_memory(const struct detector *detector,
                                const struct detector_settings *settings, unsigned parts)
{
    (void)detector;
    size_t table = set_table_memory(PART_DOMAINS, sizeof(struct domain));

    (void)settings;
    return parts * (sizeof(struct part) + table) + sizeof(struct evaluator) +
           set_table_memory(MERGED_DOMAINS, sizeof(struct domain)) +
           set_table_memory(CLIENTS, sizeof(struct leaky_sum)) + known_domains_memory() +
           sizeof(struct known_filter);
}

/* clang-format off */
#define NEW_DOMAIN_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.new_domain.enabled", "true", \
        .help = "Log and list registered domains that exist and were not seen before. They raise no alert.") \
    KEY(S, duration, learning_ns, "detection.new_domain.learning", "1d", .least = 0, .most = UINT64_C(30) * 86400 * NS_PER_SECOND, \
        .help = "Time from the first start in which domains are learned only.") \
    KEY(S, string, state_file, "detection.new_domain.state_file", "", \
        .check = config_is_absolute_path, .expected = CONFIG_EXPECTED_ABSOLUTE_PATH, \
        .help = "Where the domains are kept over a restart, in two files of at most 8 MB. If it is \"\": in the " \
                "folder that systemd gives by StateDirectory=, or nowhere.")
/* clang-format on */

const struct config_rows new_domain_rows = CONFIG_ROWS(NEW_DOMAIN_KEYS, struct detector_settings);

const struct detector detector_new_domain = {
    .name = "new_domain",
    .title = "New domain",
    .suspects_max = 1,
    .print_flags = "",
    .memory = new_domain_memory,
    .part_create = new_domain_part_create,
    .part_free = new_domain_part_free,
    .part_clear = new_domain_part_clear,
    .part_overflows = new_domain_part_overflows,
    .evaluator_create = new_domain_create,
    .evaluator_free = new_domain_free,
    .evaluator_clear = new_domain_clear,
    .merge = new_domain_merge,
    .evaluate = new_domain_evaluate,
    .is_idle = new_domain_is_idle,
    .overflows = new_domain_overflows,
};
