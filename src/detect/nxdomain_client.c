/* SPDX-License-Identifier: Apache-2.0 */
/* DGA and broken search domains: clients that look up ever new names that do not exist. A client
 * whose failures are mostly below domains that are under attack takes part in that, and does not
 * begin a burst of its own. See nxdomain_internal.h. */
#include "detect/findings.h"
#include "nxdomain_internal.h"

static void nxdomain_client_vote(struct nxdomain_client_part *client,
                                 const struct client_event *event)
{
    if (client->domain_votes == 0) {
        client->domain_hash = event->suffix.domain_hash;
        nxdomain_set_example(&client->names, event);
    }
    if (client->domain_hash == event->suffix.domain_hash) {
        client->domain_votes++;
    } else {
        client->domain_votes--;
    }
}

void nxdomain_client_join(void *to, const void *from)
{
    struct nxdomain_client_part *sum = to;
    const struct nxdomain_client_part *term = from;

    nxdomain_names_merge(&sum->names, &term->names);
    if (sum->domain_hash == term->domain_hash) {
        sum->domain_votes += term->domain_votes;
    } else if (sum->domain_votes > term->domain_votes) {
        sum->domain_votes -= term->domain_votes;
    } else {
        sum->domain_hash = term->domain_hash;
        sum->domain_votes = term->domain_votes - sum->domain_votes;
        nxdomain_names_take_example(&sum->names, &term->names);
    }
}

/* Votes that are left after half of them spoke against it: three quarters of the failures. */
static void nxdomain_client_take(struct tracked_key *key, const void *payload)
{
    const struct nxdomain_client_part *client = payload;
    size_t offset = client->names.domain_offset;
    struct bytes domain = {client->names.example + offset, client->names.example_len - offset};
    bool one_domain = 2 * client->domain_votes >= client->names.messages;

    key->domains[0] = client->domain_hash;
    if (!key->active) { /* what is shown of a burst does not change */
        finding_name_set(&key->domain, one_domain ? domain : (struct bytes){domain.data, 0});
    }
}

/* Failures in intervals in which the client took part in an attack are not its own. Who takes part
 * in several has no majority for any: it is enough that one of them won the vote. */
static double nxdomain_client_own_failing(const struct tracked_key *key,
                                          const struct findings *findings)
{
    double own = 0;

    for (unsigned i = 0; i < NXDOMAIN_INTERVALS; i++) {
        if (!findings_has_domain(findings, key->domains[i])) {
            own += key->new_failing[i];
        }
    }
    return own;
}

static void nxdomain_client_identify(const struct tracked_key *key, struct finding *finding)
{
    finding->client.len = key->key_len;
    memcpy(finding->client.data, key->key, key->key_len);
    finding->domain = key->domain;
}

static const struct nxdomain_kind kind = {
    .detector = &detector_nxdomain_client,
    .fails_normally = 0.2,
    .fails_in_burst = 0.6,
    .found_weight = 1,
    .key_max = CLIENT_KEY_MAX,
    .payload_size = sizeof(struct nxdomain_client_part),
    .join = nxdomain_client_join,
    .take = nxdomain_client_take,
    .own_failing = nxdomain_client_own_failing,
    .identify = nxdomain_client_identify,
};

/* A client is told by what it asks for. */
static void nxdomain_client_record_failing(struct heavy_hitters *clients,
                                           struct client_event *event)
{
    struct nxdomain_client_part *client = heavy_hitters_count(
        clients, event->client_hash, (struct bytes){event->client.data, event->client.len}, 1);

    (void)client_event_suffix(event);
    nxdomain_add_failing(&client->names, event, event->qname_hash);
    nxdomain_client_vote(client, event);
}

/* Names that exist count for clients with failures. */
static void nxdomain_client_record_found(struct heavy_hitters *clients, struct client_event *event)
{
    struct nxdomain_client_part *client = heavy_hitters_find(clients, event->client_hash);

    if (client != NULL && !client_event_is_ignored(event)) {
        distinct_insert(client->names.found, NXDOMAIN_PRECISION, event->qname_hash);
    }
}

void nxdomain_client_record(void *part, struct client_event *event)
{
    if (!event->has_client || !event->role_is_client) {
        return;
    }
    if (event->outcome == CLIENT_EVENT_EXISTS) {
        nxdomain_client_record_found(part, event);
    } else if (event->outcome == CLIENT_EVENT_NXDOMAIN && !client_event_is_ignored(event)) {
        nxdomain_client_record_failing(part, event);
    }
}

static size_t nxdomain_client_memory(const struct detector_settings *settings, unsigned parts)
{
    return nxdomain_memory(&kind, settings, parts);
}

static int nxdomain_client_part_create(void **out, const struct detector_settings *settings)
{
    const struct heavy_hitters_shape shape = nxdomain_shape(&kind, settings);

    return heavy_hitters_create((struct heavy_hitters **)out, &shape);
}

static int nxdomain_client_evaluator_create(void **out, const struct detector_settings *settings)
{
    return nxdomain_tracker_create((struct nxdomain_tracker **)out, &kind, settings);
}

/* clang-format off */
#define NXDOMAIN_CLIENT_KEYS(KEY, S) \
    KEY(S, boolean, enabled, "detection.nxdomain_client.enabled", "true", \
        .help = "Find clients that look up ever new names that do not exist.") \
    KEY(S, number, threshold, "detection.nxdomain_client.min_names", "30", .least = 5, .most = 1000000, \
        .help = "Different failing names a minute of the client that make a burst.")
/* clang-format on */

const struct config_rows nxdomain_client_rows = CONFIG_ROWS(NXDOMAIN_CLIENT_KEYS,
                                                            struct detector_settings);

const struct detector detector_nxdomain_client = {
    .name = "nxdomain_client",
    .title = "NXDOMAIN burst",
    .details = nxdomain_details,
    .detail_count = NXDOMAIN_DETAILS,
    .memory = nxdomain_client_memory,
    .part_seconds = NXDOMAIN_INTERVAL_NS / NS_PER_SECOND,
    .part_create = nxdomain_client_part_create,
    .part_free = nxdomain_part_free,
    .part_clear = nxdomain_part_clear,
    .part_overflows = nxdomain_part_overflows,
    .evaluator_create = nxdomain_client_evaluator_create,
    .evaluator_free = nxdomain_tracker_free,
    .merge = nxdomain_tracker_merge,
    .evaluate = nxdomain_tracker_evaluate,
    .is_idle = nxdomain_tracker_is_idle,
    .overflows = nxdomain_tracker_overflows,
};
