/* SPDX-License-Identifier: Apache-2.0 */
#include "record/part.h"

#include <errno.h>
#include <stdlib.h>

int part_create(struct part **out, const struct pane_shape *panes,
                const struct detect_setup *detectors)
{
    struct part *part = calloc(1, sizeof *part);
    int result = part != NULL ? pane_create(&part->pane, panes) : -ENOMEM;

    if (result == 0) {
        result = detect_part_create(&part->detect, detectors);
    }
    if (result < 0) {
        part_free(part);
        return result;
    }
    *out = part;
    return 0;
}

void part_free(struct part *part)
{
    if (part != NULL) {
        detect_part_free(part->detect);
        pane_free(part->pane);
        free(part);
    }
}

void part_exchange(struct part *a, struct part *b, bool detectors_due)
{
    struct part kept = *a;

    a->pane = b->pane;
    a->has_pane = b->has_pane;
    b->pane = kept.pane;
    b->has_pane = kept.has_pane;
    if (detectors_due) {
        a->detect = b->detect;
        b->detect = kept.detect;
    }
}

COLD static uint32_t part_record_query_of_response(struct part *part,
                                                   const struct client_event_rules *rules,
                                                   const struct event *event,
                                                   const struct dns_name_suffixes *suffixes,
                                                   uint64_t qname_hash, uint32_t server)
{
    struct client_event client_event;

    client_event_read_query(rules, event, suffixes, qname_hash, &client_event);
    client_event.server = server;
    pane_record(part->pane, &client_event);
    detect_part_record(part->detect, &client_event);
    return client_event.block_lists;
}

struct part_result part_record(struct part *part, const struct client_event_rules *rules,
                               const struct event *event, const struct dns_name_suffixes *suffixes,
                               uint64_t qname_hash, uint32_t server, bool takes_query)
{
    struct part_result result = {0};
    struct client_event client_event;

    if (!client_event_counts(event)) {
        return result;
    }
    part->has_pane = true;
    if (takes_query) {
        result.block_lists = part_record_query_of_response(part, rules, event, suffixes, qname_hash,
                                                           server);
    }
    client_event_read(rules, event, suffixes, qname_hash, &client_event);
    client_event.server = server;
    pane_record(part->pane, &client_event);
    detect_part_record(part->detect, &client_event);
    result.block_lists |= client_event.block_lists;
    result.has_search_domain = client_event.outcome == CLIENT_EVENT_NXDOMAIN &&
                               client_event.has_name && client_event_outside_len(&client_event) > 0;
    return result;
}

COLD static bool is_zero(struct bytes address)
{
    uint8_t any = 0;

    for (size_t i = 0; i < address.len; i++) {
        any |= address.data[i];
    }
    return any == 0;
}

/* Unbound logs 0.0.0.0 where it does not know an address: that is nobody. */
static bool is_unspecified(struct bytes address)
{
    return (address.len == 0 || address.data[0] == 0) && is_zero(address);
}

void part_record_upstream(struct part *part, const struct event *event,
                          const struct upstream *upstream, bool takes_query)
{
    if (is_unspecified(upstream->address)) {
        return;
    }
    part->has_pane = true;
    if (event->kind == KIND_QUERY) {
        pane_count_upstream(part->pane, TOP_UPSTREAM_QUERIES, upstream, 1);
        return;
    }
    if (takes_query) {
        pane_count_upstream(part->pane, TOP_UPSTREAM_QUERIES, upstream, 1);
    }
    if (event->dns.outcome == DNS_OUTCOME_SERVFAIL) {
        pane_count_upstream(part->pane, TOP_UPSTREAM_SERVFAILS, upstream, 1);
    }
    if (event->query_time_ns != 0 && event->response_time_ns > event->query_time_ns) {
        pane_count_upstream(part->pane, TOP_UPSTREAM_RESPONSE_SECONDS, upstream,
                            event->response_time_ns - event->query_time_ns);
    }
}

COLD void part_count_upstream(struct part *part, enum top_list list,
                              const struct upstream *upstream, uint64_t weight)
{
    if (weight > 0 && !is_unspecified(upstream->address)) {
        part->has_pane = true;
        pane_count_upstream(part->pane, list, upstream, weight);
    }
}

COLD void part_record_duplicate(struct part *part, const struct client_event_rules *rules,
                                const struct event *event, uint32_t server)
{
    struct client_event client_event;

    if (client_event_counts(event)) {
        part->has_pane = true;
        client_event_read_duplicate(rules, event, &client_event);
        client_event.server = server;
        pane_record(part->pane, &client_event);
    }
}
