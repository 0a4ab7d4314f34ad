/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * registry_fixture.h - an aggregator with the registry over it, as a program has them
 */

#include "expose/registry.h"

#define FIXTURE_INPUTS_MAX  4
#define FIXTURE_OUTPUTS_MAX 2

struct registry_fixture_setup {
    struct aggregator_setup aggregator;
    const char *const *input_names;        /* [aggregator.input_count] */
    unsigned sampling[FIXTURE_INPUTS_MAX]; /* 0 is 1 */
    const char *const *output_names;       /* [output_count] */
    unsigned output_count;
    size_t top_max_series;
    int native_schema;
};

struct registry_fixture {
    struct aggregator *aggregator;
    struct registry *registry;
    struct input_gauges inputs[FIXTURE_INPUTS_MAX];
    struct output_counters outputs[FIXTURE_OUTPUTS_MAX];
};

/** Free both; an all-zero fixture is fine. */
static inline void registry_fixture_free(struct registry_fixture *fixture)
{
    registry_free(fixture->registry);
    aggregator_free(fixture->aggregator);
    fixture->registry = NULL;
    fixture->aggregator = NULL;
}

/** Make both. Returns 0, and the caller ends with registry_fixture_free(), or a negative errno. */
static inline int registry_fixture_create(struct registry_fixture *fixture,
                                          const struct registry_fixture_setup *setup)
{
    static const struct endpoint endpoint = {
        .kind = ENDPOINT_TCP, .host = "127.0.0.1", .port = 6000};
    int result = aggregator_create(&fixture->aggregator, &setup->aggregator);

    if (result < 0) {
        return result;
    }
    for (unsigned i = 0; i < setup->aggregator.input_count; i++) {
        input_gauges_init(&fixture->inputs[i], &endpoint,
                          setup->sampling[i] > 0 ? setup->sampling[i] : 1);
    }
    const struct registry_setup of_registry = {
        .aggregator = fixture->aggregator,
        .input_names = setup->input_names,
        .input_count = setup->aggregator.input_count,
        .inputs = fixture->inputs,
        .output_names = setup->output_names,
        .outputs = fixture->outputs,
        .output_count = setup->output_count,
        .top_max_series = setup->top_max_series,
        .native_schema = setup->native_schema,
    };
    result = registry_create(&fixture->registry, &of_registry);
    if (result < 0) {
        registry_fixture_free(fixture);
    }
    return result;
}
