/* SPDX-License-Identifier: Apache-2.0 */
/* Random-subdomain attacks: registered domains below which ever new names that do not exist are
 * asked for. See nxdomain_internal.h. */
#include <math.h>

#include "detect/findings.h"
#include "nxdomain_internal.h"

void nxdomain_domain_join(void *to, const void *from)
{
    struct nxdomain_domain_part *sum = to;
    const struct nxdomain_domain_part *term = from;

    nxdomain_names_merge(&sum->names, &term->names);
    distinct_merge(sum->clients, term->clients, NXDOMAIN_SAMPLED_PRECISION);
}

static void nxdomain_domain_take(struct tracked_key *key, const void *payload)
{
    const struct nxdomain_domain_part *domain = payload;

    key->clients = distinct_estimate(domain->clients, NXDOMAIN_SAMPLED_PRECISION);
}

static double nxdomain_domain_own_failing(const struct tracked_key *key,
                                          const struct findings *findings)
{
    (void)key;
    (void)findings;
    return HUGE_VAL; /* all of them are its own */
}

static void nxdomain_domain_identify(const struct tracked_key *key, struct finding *finding)
{
    finding_name_set(&finding->domain, (struct bytes){key->key, key->key_len});
}

static const struct nxdomain_kind kind = {
    .detector = &detector_nxdomain_domain,
    .fails_normally = 0.6,
    .fails_in_burst = 0.95,
    .found_weight = NXDOMAIN_SAMPLING,
    .key_max = DNS_NAME_MAX,
    .payload_size = sizeof(struct nxdomain_domain_part),
    .join = nxdomain_domain_join,
    .take = nxdomain_domain_take,
    .own_failing = nxdomain_domain_own_failing,
    .identify = nxdomain_domain_identify,
};

/* A domain is told by its names that do not exist: many names asked for may be aliases of one. */
static void nxdomain_domain_record_failing(struct heavy_hitters *domains,
                                           struct client_event *event)
{
    const struct suffix_match *suffix = client_event_suffix(event);
    struct nxdomain_domain_part *domain = heavy_hitters_count(domains, suffix->domain_hash,
                                                              suffix->domain, 1);

    nxdomain_add_failing(&domain->names, event, event->name_hash);
    if (event->has_client) {
        distinct_insert(domain->clients, NXDOMAIN_SAMPLED_PRECISION, event->client_hash);
    }
}

/* Names that exist count for domains with failures. */
static void nxdomain_domain_record_found(struct heavy_hitters *domains, struct client_event *event)
{
    if (event->qname_hash % NXDOMAIN_SAMPLING != 0 || client_event_is_ignored(event)) {
        return;
    }
    struct nxdomain_domain_part *domain = heavy_hitters_find(
        domains, client_event_suffix(event)->domain_hash);
    if (domain != NULL) {
        distinct_insert(domain->names.found, NXDOMAIN_PRECISION, event->qname_hash);
    }
}

void nxdomain_domain_record(void *part, struct client_event *event)
{
    if (event->outcome == CLIENT_EVENT_EXISTS) {
        nxdomain_domain_record_found(part, event);
    } else if (event->outcome == CLIENT_EVENT_NXDOMAIN && !client_event_is_ignored(event)) {
        nxdomain_domain_record_failing(part, event);
    }
}

static size_t nxdomain_domain_memory(const struct detector_settings *settings, unsigned parts)
{
    return nxdomain_memory(&kind, settings, parts);
}

static int nxdomain_domain_part_create(void **out, const struct detector_settings *settings)
{
    const struct heavy_hitters_shape shape = nxdomain_shape(&kind, settings);

    return heavy_hitters_create((struct heavy_hitters **)out, &shape);
}

static int nxdomain_domain_evaluator_create(void **out, const struct detector_settings *settings)
{
    return nxdomain_tracker_create((struct nxdomain_tracker **)out, &kind, settings);
}

/* clang-format off */
#define NXDOMAIN_DOMAIN_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.nxdomain_domain.enabled", "true", \
        .help = "Find registered domains below which ever new names are looked up that do not exist.") \
    KEY(S, number, threshold, "detection.nxdomain_domain.min_names", "300", .least = 5, .most = 1000000, \
        .help = "Different failing names a minute below the domain that make a burst.")
/* clang-format on */

const struct config_rows nxdomain_domain_rows = CONFIG_ROWS(NXDOMAIN_DOMAIN_KEYS,
                                                            struct detector_settings);

const struct detector detector_nxdomain_domain = {
    .name = "nxdomain_domain",
    .title = "NXDOMAIN burst",
    .details = nxdomain_details,
    .detail_count = NXDOMAIN_DETAILS,
    .memory = nxdomain_domain_memory,
    .part_seconds = NXDOMAIN_INTERVAL_NS / NS_PER_SECOND,
    .part_create = nxdomain_domain_part_create,
    .part_free = nxdomain_part_free,
    .part_clear = nxdomain_part_clear,
    .part_overflows = nxdomain_part_overflows,
    .evaluator_create = nxdomain_domain_evaluator_create,
    .evaluator_free = nxdomain_tracker_free,
    .merge = nxdomain_tracker_merge,
    .evaluate = nxdomain_tracker_evaluate,
    .is_idle = nxdomain_tracker_is_idle,
    .overflows = nxdomain_tracker_overflows,
};
