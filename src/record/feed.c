/* SPDX-License-Identifier: Apache-2.0 */
#include "record/feed.h"

#include <errno.h>
#include <stdlib.h>

struct feed {
    struct feed_setup setup;
    struct pane *pane;
    struct evidence evidence;
    bool started;
    uint64_t step;             /* number of the window's step that the pane is of */
    uint64_t interval;         /* number of the watch's interval that the evidence is of */
    uint64_t since_ns, due_ns; /* nothing ends from since_ns to before due_ns */
};

int feed_create(struct feed **out, const struct feed_setup *setup)
{
    struct feed *feed = calloc(1, sizeof *feed);

    if (feed == NULL) {
        return -ENOMEM;
    }
    feed->setup = *setup;
    if (pane_create(&feed->pane, &setup->panes) < 0 ||
        evidence_init(&feed->evidence, setup->evidence_capacity) < 0) {
        feed_free(feed);
        return -ENOMEM;
    }
    *out = feed;
    return 0;
}

void feed_free(struct feed *feed)
{
    if (feed != NULL) {
        evidence_deinit(&feed->evidence);
        pane_free(feed->pane);
        free(feed);
    }
}

void feed_set_suffixes(struct feed *feed, const struct suffix_table *suffixes)
{
    feed->setup.rules.suffixes = suffixes;
}

COLD static void record_query_of_response(struct feed *feed, const struct event *event,
                                          const struct dns_name_suffixes *suffixes,
                                          uint64_t qname_hash)
{
    struct client_event client_event;

    client_event_read_query(&feed->setup.rules, event, suffixes, qname_hash, &client_event);
    pane_record(feed->pane, &client_event);
}

void feed_record(struct feed *feed, const struct event *event,
                 const struct dns_name_suffixes *suffixes, uint64_t qname_hash, bool takes_query)
{
    struct client_event client_event;

    if (!client_event_counts(event)) {
        return;
    }
    if (takes_query) {
        record_query_of_response(feed, event, suffixes, qname_hash);
    }
    client_event_read(&feed->setup.rules, event, suffixes, qname_hash, &client_event);
    pane_record(feed->pane, &client_event);
    if (feed->setup.has_evidence) {
        evidence_record(&feed->evidence, &feed->setup.rules, &client_event);
    }
}

COLD void feed_record_duplicate(struct feed *feed, const struct event *event)
{
    struct client_event client_event;

    if (client_event_counts(event)) {
        client_event_read_duplicate(&feed->setup.rules, event, &client_event);
        pane_record(feed->pane, &client_event);
    }
}

static void hand_in_pane(struct feed *feed, uint64_t step)
{
    pane_trim(feed->pane); /* what is kept for the whole window is worth it */
    hub_add_pane(feed->setup.hub, feed->step, step, feed->pane);
    pane_clear(feed->pane);
}

static void hand_in_evidence(struct feed *feed)
{
    hub_add_evidence(feed->setup.hub, &feed->evidence);
    evidence_clear(&feed->evidence);
}

void feed_judge(struct feed *feed, uint64_t now_ns)
{
    if (now_ns > feed->setup.patience_ns) {
        hub_advance(feed->setup.hub, now_ns - feed->setup.patience_ns);
    }
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

bool feed_is_due(const struct feed *feed, uint64_t now_ns)
{
    return now_ns < feed->since_ns || now_ns >= feed->due_ns;
}

void feed_follow(struct feed *feed, uint64_t now_ns)
{
    uint64_t step = now_ns / feed->setup.step_ns;
    uint64_t interval = now_ns / WATCH_INTERVAL_NS;

    if (feed->started && step != feed->step) {
        hand_in_pane(feed, step);
    }
    if (feed->started && interval != feed->interval) {
        hand_in_evidence(feed);
        feed_judge(feed, now_ns);
    }
    feed->started = true;
    feed->step = step;
    feed->interval = interval;
    feed->since_ns = larger(step * feed->setup.step_ns, interval * WATCH_INTERVAL_NS);
    feed->due_ns = smaller((step + 1) * feed->setup.step_ns, (interval + 1) * WATCH_INTERVAL_NS);
}

void feed_add_to(const struct feed *feed, struct pane *sum, uint64_t *step)
{
    pane_add(sum, feed->pane);
    *step = larger(*step, feed->step);
}

uint64_t feed_evictions(const struct feed *feed, enum top_list list)
{
    const struct heavy_hitters *keys = feed->pane->lists[list];

    return keys != NULL ? heavy_hitters_evictions(keys) : 0;
}

uint64_t feed_evidence_evictions(const struct feed *feed, enum detector detector)
{
    return heavy_hitters_evictions(detector == DETECTOR_NXDOMAIN_CLIENT ? feed->evidence.clients
                                                                        : feed->evidence.domains);
}
