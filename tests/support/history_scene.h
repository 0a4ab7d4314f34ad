/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * history_scene.h - counters that go on step by step, and the history of them
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "count/stream_state.h"
#include "history_internal.h"

#define SCENE_SERVERS 3

static struct {
    struct counters counters;
    struct server_info servers[SCENE_SERVERS];
    struct stream_states *streams;
    struct scrape scrape;
    struct input_gauges input;
    char *input_name;
    struct detect_setup detect;
    struct history *history;
    uint64_t now_ns;
} scene;

static inline int scene_begin(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof scene);
    for (unsigned i = 1; i < SCENE_SERVERS; i++) {
        scene.servers[i].generation = i;
        (void)snprintf(scene.servers[i].label, sizeof scene.servers[i].label, "ns%u", i);
    }
    scene.now_ns = 1000 * NS_PER_SECOND;
    scene.scrape = (struct scrape){
        .input_count = 1,
        .inputs = &scene.input,
        .input_labels = &scene.input_name,
        .numbers = {.sum = &scene.counters,
                    .global = &scene.counters.global,
                    .servers = scene.servers,
                    .detect = &scene.detect},
        .created_ns = clock_realtime_ns(),
        .reload_successful = true,
    };
    if (counters_init(&scene.counters, SCENE_SERVERS, 1, false) < 0 ||
        stream_states_create(&scene.streams, SCENE_SERVERS) < 0 ||
        history_create(&scene.history, SCENE_SERVERS, 1) < 0) {
        return -1;
    }
    scene.scrape.numbers.streams = scene.streams;
    history_take(scene.history, &scene.scrape, scene.now_ns);
    return 0;
}

static inline int scene_end(void **state)
{
    (void)state;
    history_free(scene.history);
    stream_states_free(scene.streams);
    counters_deinit(&scene.counters);
    return 0;
}

/* What a server and role sends in a step. */
struct sent {
    unsigned queries, responses, servfails, refused, unanswered, unmatched;
    uint64_t response_time_ns; /* of each response */
};

static inline void send(unsigned server, enum role role, struct sent sent)
{
    struct server_counters *counts = counters_of_server(&scene.counters, server, role);

    counts->messages[KIND_QUERY][0][0] += sent.queries;
    counts->messages[KIND_RESPONSE][0][0] += sent.responses;
    counts->outcomes[DNS_OUTCOME_SERVFAIL] += sent.servfails;
    counts->outcomes[DNS_OUTCOME_REFUSED] += sent.refused;
    counts->unanswered_queries += sent.unanswered;
    counts->unmatched_responses += sent.unmatched;
    for (unsigned i = 0; i < sent.responses && sent.response_time_ns > 0; i++) {
        histogram_observe(&counts->response_time, &response_time_bounds, sent.response_time_ns);
    }
    scene.counters.inputs[0].frames += sent.queries + sent.responses;
}

static inline void step(void)
{
    scene.now_ns += HISTORY_STEP_NS;
    history_take(scene.history, &scene.scrape, scene.now_ns);
}
