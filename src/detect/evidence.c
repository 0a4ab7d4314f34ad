/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/evidence.h"

static struct heavy_hitters_shape shape_of_clients(size_t capacity)
{
    return (struct heavy_hitters_shape){
        .capacity = capacity,
        .key_max = CLIENT_KEY_MAX,
        .payload_size = sizeof(struct client_evidence),
    };
}

static struct heavy_hitters_shape shape_of_domains(size_t capacity)
{
    return (struct heavy_hitters_shape){
        .capacity = capacity,
        .key_max = DNS_NAME_MAX,
        .payload_size = sizeof(struct domain_evidence),
    };
}

size_t evidence_memory(size_t capacity)
{
    const struct heavy_hitters_shape of_clients = shape_of_clients(capacity);
    const struct heavy_hitters_shape of_domains = shape_of_domains(capacity);

    return heavy_hitters_memory(&of_clients) + heavy_hitters_memory(&of_domains);
}

int evidence_init(struct evidence *evidence, size_t capacity)
{
    const struct heavy_hitters_shape of_clients = shape_of_clients(capacity);
    const struct heavy_hitters_shape of_domains = shape_of_domains(capacity);
    struct evidence made = {0};
    int result = heavy_hitters_create(&made.clients, &of_clients);

    if (result == 0) {
        result = heavy_hitters_create(&made.domains, &of_domains);
    }
    if (result < 0) {
        evidence_deinit(&made);
        return result;
    }
    *evidence = made;
    return 0;
}

void evidence_deinit(struct evidence *evidence)
{
    heavy_hitters_free(evidence->clients);
    heavy_hitters_free(evidence->domains);
    *evidence = (struct evidence){0};
}

void evidence_clear(struct evidence *evidence)
{
    heavy_hitters_clear(evidence->clients);
    heavy_hitters_clear(evidence->domains);
}

static void set_example(struct evidence_names *names, const struct client_event *event)
{
    names->example_len = (uint8_t)event->name.len;
    names->domain_offset = (uint8_t)(event->suffix.domain.data - event->name.data);
    memcpy(names->example, event->name.data, event->name.len);
}

static void note_failing(struct evidence_names *names, const struct client_event *event,
                         uint64_t name_hash)
{
    distinct_add(names->failing, EVIDENCE_PRECISION, name_hash);
    names->messages++;
    if (names->example_len == 0) {
        set_example(names, event);
    }
}

static void vote(struct client_evidence *client, const struct client_event *event)
{
    if (client->domain_votes == 0) {
        client->domain_hash = event->suffix.domain_hash;
        set_example(&client->names, event);
    }
    if (client->domain_hash == event->suffix.domain_hash) {
        client->domain_votes++;
    } else {
        client->domain_votes--;
    }
}

static bool is_left_alone(const struct suffix_match *suffix, struct bytes name)
{
    return suffix->allowed || client_event_is_block_list_query(name);
}

/* A client is told by what it asks for, a domain by its names that do not exist: many names asked
 * for may be aliases of one. */
static void record_failure(struct evidence *evidence, const struct client_event *event)
{
    if (is_left_alone(&event->suffix, event->qname)) {
        return;
    }
    struct domain_evidence *domain = heavy_hitters_add(evidence->domains, event->suffix.domain_hash,
                                                       event->suffix.domain, 1);
    note_failing(&domain->names, event, event->name_hash);
    if (!event->has_client) {
        return;
    }
    distinct_add(domain->clients, EVIDENCE_SAMPLED_PRECISION, event->client_hash);
    if (!event->is_host) {
        return;
    }
    struct client_evidence *client = heavy_hitters_add(
        evidence->clients, event->client_hash,
        (struct bytes){event->client.data, event->client.len}, 1);
    note_failing(&client->names, event, event->qname_hash);
    vote(client, event);
}

static void note_found(struct evidence_names *names, const struct client_event *event)
{
    distinct_add(names->found, EVIDENCE_PRECISION, event->qname_hash);
}

/* Names that exist are evidence for those who have failures, too. A domain's are sampled, since it
 * takes a look-up to know the domain. */
static void record_found(struct evidence *evidence, const struct client_event_rules *rules,
                         const struct client_event *event)
{
    bool sampled = event->qname_hash % EVIDENCE_SAMPLING == 0;
    struct client_evidence *client = NULL;

    if (event->has_client && event->is_host) {
        client = heavy_hitters_find(evidence->clients, event->client_hash);
    }
    if (client == NULL && !sampled) {
        return;
    }
    struct suffix_match suffix = suffix_table_match(rules->suffixes, event->qname, event->suffixes);
    if (is_left_alone(&suffix, event->qname)) {
        return;
    }
    if (client != NULL) {
        note_found(&client->names, event);
    }
    if (sampled) {
        struct domain_evidence *domain = heavy_hitters_find(evidence->domains, suffix.domain_hash);
        if (domain != NULL) {
            note_found(&domain->names, event);
        }
    }
}

void evidence_record(struct evidence *evidence, const struct client_event_rules *rules,
                     const struct client_event *event)
{
    if (!event->has_name) {
        return;
    }
    if (event->outcome == CLIENT_EVENT_NXDOMAIN) {
        record_failure(evidence, event);
    } else if (event->outcome == CLIENT_EVENT_EXISTS) {
        record_found(evidence, rules, event);
    }
}

static void take_example(struct evidence_names *to, const struct evidence_names *from)
{
    to->example_len = from->example_len;
    to->domain_offset = from->domain_offset;
    memcpy(to->example, from->example, from->example_len);
}

static void join_names(struct evidence_names *to, const struct evidence_names *from)
{
    distinct_merge(to->failing, from->failing, EVIDENCE_PRECISION);
    distinct_merge(to->found, from->found, EVIDENCE_PRECISION);
    to->messages += from->messages;
    if (to->example_len == 0) {
        take_example(to, from);
    }
}

static void join_clients(void *to, const void *from)
{
    struct client_evidence *sum = to;
    const struct client_evidence *term = from;

    join_names(&sum->names, &term->names);
    if (sum->domain_hash == term->domain_hash) {
        sum->domain_votes += term->domain_votes;
    } else if (sum->domain_votes > term->domain_votes) {
        sum->domain_votes -= term->domain_votes;
    } else {
        sum->domain_hash = term->domain_hash;
        sum->domain_votes = term->domain_votes - sum->domain_votes;
        take_example(&sum->names, &term->names);
    }
}

static void join_domains(void *to, const void *from)
{
    struct domain_evidence *sum = to;
    const struct domain_evidence *term = from;

    join_names(&sum->names, &term->names);
    distinct_merge(sum->clients, term->clients, EVIDENCE_SAMPLED_PRECISION);
}

void evidence_add(struct evidence *to, const struct evidence *from)
{
    heavy_hitters_merge(to->clients, from->clients, join_clients);
    heavy_hitters_merge(to->domains, from->domains, join_domains);
}
