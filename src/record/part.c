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
