/* SPDX-License-Identifier: Apache-2.0 */
#include "program/program.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

void program_fail(const struct text *error, int result)
{
    const char *what = error->len > 0 || error->failed ? text_string(error) : strerror(-result);

    struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&wanted, 1, 1000) > 0) { /* a program that ends does not wait for who reads */
        (void)fprintf(stderr, "dnstap_exporter: %s\n", what);
    }
}

_Static_assert(CONFIG_TOP_LISTS == TOP_LIST_COUNT, "in the same order");
_Static_assert(CONFIG_DISTINCT_COUNTS == DISTINCT_COUNT_COUNT - 1,
               "clients of both families first");

_Static_assert((int)CONFIG_DETECTORS == (int)DETECTOR_COUNT, "each has its section");

_Static_assert(HISTOGRAM_SCHEMA_MIN == 0 && HISTOGRAM_SCHEMA_MAX == 3, "as config.c has it");

static unsigned program_bits_of(const bool *switches, unsigned count)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < count; i++) {
        bits |= (unsigned)switches[i] << i;
    }
    return bits;
}

/* A detector has its settings by its name. */
static struct detector_settings detector_settings_of(const struct config *config, const char *name)
{
    struct detector_settings settings = {.capacity = config->detection_capacity};

    for (unsigned i = 0; i < CONFIG_DETECTORS; i++) {
        if (strcmp(config_detector_names[i], name) == 0) {
            settings.enabled = config->detectors[i];
            settings.threshold = config->detection_min_names[i];
        }
    }
    return settings;
}

static struct analysis_setup program_analysis_setup(const struct config *config)
{
    unsigned counts = program_bits_of(config->distinct_counts, CONFIG_DISTINCT_COUNTS);
    struct analysis_setup analysis = {
        .panes = {.lists = program_bits_of(config->top_lists, CONFIG_TOP_LISTS),
                  .distincts = counts << 1 | (counts & 1), /* clients have two */
                  .capacity = config->top_capacity},
        .findings_max = config->detection_max_series,
        .window_ns = config->window_ns,
        .privacy = {.ipv4_prefix = config->client_ipv4_prefix,
                    .ipv6_prefix = config->client_ipv6_prefix,
                    .hashed = config->client_hash},
    };

    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        analysis.detect.detectors[i] = detector_settings_of(config, detector_at(i)->name);
    }
    return analysis;
}

struct aggregator_setup program_aggregator_setup(const struct config *config,
                                                 const struct aggregator_setup *inputs)
{
    struct aggregator_setup setup = *inputs;

    setup.limits = (struct label_limits){
        .servers = config->servers_max,
        .series = config->series_max,
        .expiry_ns = config->server_expiry_ns,
        .qtypes = config->unassigned_qtypes_max,
        .matching_capacity = config->matching_capacity,
        .matching_timeout_ns = config->matching_timeout_ns,
    };
    setup.analysis = program_analysis_setup(config);
    if (inputs->analysis.window_ns != 0) {
        setup.analysis.window_ns = inputs->analysis.window_ns;
    }
    return setup;
}

int program_create_aggregator(struct aggregator **out, const struct config *config,
                              const struct aggregator_setup *inputs, struct text *error)
{
    const struct aggregator_setup setup = program_aggregator_setup(config, inputs);
    struct aggregator *aggregator;
    int result = aggregator_create(&aggregator, &setup);

    if (result < 0) {
        return result;
    }
    result = program_set_suffixes(aggregator, config, error);
    if (result < 0) {
        aggregator_free(aggregator);
        return result;
    }
    *out = aggregator;
    return 0;
}

int program_set_suffixes(struct aggregator *aggregator, const struct config *config,
                         struct text *error)
{
    const char *path = config->suffix_list; /* empty: none */
    struct bytes *allowed = calloc(config->allow_count + (size_t)1, sizeof *allowed);

    if (allowed == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < config->allow_count; i++) {
        allowed[i] = (struct bytes){config->allow[i].wire, config->allow[i].len};
    }
    if (strcmp(path, CONFIG_DEFAULT_SUFFIX_LIST) == 0 && access(path, F_OK) < 0) {
        log_warn("no public suffix list, domains are each name's last two labels; the package "
                 "publicsuffix has one",
                 "public_suffix_list", path, NULL);
        path = "";
    }
    text_append_string(error, "public_suffix_list: ");
    int result = aggregator_set_suffixes(aggregator, path[0] != '\0' ? path : NULL, allowed,
                                         config->allow_count, error);
    if (result == 0 || result == -ENOMEM) {
        text_clear(error);
    }
    free(allowed);
    return result;
}

int program_load_web(struct web_security **out, const struct config *config, struct text *error)
{
    struct web_config web = {0};
    int result = config->web_config_file[0] != '\0'
                     ? web_config_load(&web, config->web_config_file, error)
                     : 0;

    if (result < 0) {
        return result;
    }
    return web_security_create(out, &web, error);
}
