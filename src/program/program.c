/* SPDX-License-Identifier: Apache-2.0 */
#include "program/program.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "program/block_list_files.h"
#include "program/sandbox_rules.h"

void program_fail(const struct text *error, int result)
{
    const char *what = error->len > 0 || error->failed ? text_string(error) : strerror(-result);

    struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&wanted, 1, 1000) > 0) { /* a program that ends does not wait for who reads */
        (void)fprintf(stderr, "dnstap_exporter: %s\n", what);
    }
}

struct aggregator_setup program_aggregator_setup(const struct settings *settings,
                                                 const struct aggregator_setup *inputs)
{
    struct aggregator_setup setup = *inputs;

    setup.limits = settings->limits;
    setup.analysis = (struct analysis_setup){
        .panes = top_settings_shape(&settings->top),
        .detect = settings->detectors,
        .findings_max = settings->detection.max_series,
        .window_ns = settings->top.window_ns,
        .privacy = settings->privacy,
        .host_privacy = settings->privacy,
        .recordings = inputs->analysis.recordings,
    };
    struct detector_settings *lists = &setup.analysis.detect.detectors[DETECTOR_block_list];
    lists->block_lists = settings->block_lists;
    lists->enabled = lists->enabled && settings->block_list_count > 0;
    if (lists->enabled) {
        setup.analysis.block_lists = settings->block_lists;
        setup.analysis.block_list_count = settings->block_list_count;
    }
    setup.analysis.detect.detectors[DETECTOR_new_domain].is_live = inputs->time == SHARD_TIME_LIVE;
    if (settings->detection.client_ipv6_prefix < settings->privacy.ipv6_prefix) {
        setup.analysis.host_privacy.ipv6_prefix = settings->detection.client_ipv6_prefix;
    }
    if (inputs->analysis.window_ns != 0) {
        setup.analysis.window_ns = inputs->analysis.window_ns;
    }
    return setup;
}

int program_create_aggregator(struct aggregator **out, const struct settings *settings,
                              const struct aggregator_setup *inputs, struct text *error)
{
    struct aggregator_setup setup = program_aggregator_setup(settings, inputs);
    struct aggregator *aggregator;
    int result = detection_forwarders(&settings->detection, &setup.analysis.forwarders,
                                      &setup.analysis.forwarder_count);

    if (result < 0) {
        return result;
    }
    result = aggregator_create(&aggregator, &setup);

    if (result < 0) {
        return result;
    }
    result = program_set_suffixes(aggregator, settings, error);
    if (result == 0) {
        result = block_list_files_load(aggregator, settings, error);
    }
    if (result < 0) {
        aggregator_free(aggregator);
        return result;
    }
    *out = aggregator;
    return 0;
}

int program_set_suffixes(struct aggregator *aggregator, const struct settings *settings,
                         struct text *error)
{
    const char *path = settings->suffixes.list; /* empty: none */
    struct allowed_name *names;
    size_t count;
    int result = suffix_settings_allowed(&settings->suffixes, &names, &count);

    if (result < 0) {
        return result;
    }
    struct bytes *allowed = calloc(count + 1, sizeof *allowed);
    if (allowed == NULL) {
        free(names);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        allowed[i] = (struct bytes){names[i].wire, names[i].len};
    }
    if (strcmp(path, SUFFIX_LIST_DEFAULT) == 0 && access(path, F_OK) < 0) {
        log_warn("no public suffix list, domains are each name's last two labels; the package "
                 "publicsuffix has one",
                 "public_suffix_list", path, NULL);
        path = "";
    }
    text_append_string(error, "public_suffix_list: ");
    result = aggregator_set_suffixes(aggregator, path[0] != '\0' ? path : NULL, allowed, count,
                                     error);
    if (result == 0 || result == -ENOMEM) {
        text_clear(error);
    }
    free(allowed);
    free(names);
    return result;
}

static void warn_of_expiry(int64_t expiry)
{
    const time_t seconds = (time_t)expiry;
    struct tm utc;
    char text[sizeof "9999-12-31T23:59:59Z"];

    if (expiry != 0 && expiry < (int64_t)(clock_realtime_ns() / NS_PER_SECOND) &&
        gmtime_r(&seconds, &utc) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0) {
        log_warn("the web server's certificate, or one of its chain, has expired", "expired", text,
                 NULL);
    }
}

int program_load_web(struct web_security **out, const struct settings *settings,
                     const struct sandbox *sandbox, struct text *error)
{
    struct web_config web = {0};
    int result = settings->web.config_file[0] != '\0'
                     ? web_config_load(&web, settings->web.config_file, error)
                     : 0;

    if (result < 0) {
        return result;
    }
    result = sandbox_rules_check_web(sandbox, &web, error);
    if (result < 0) {
        web_config_deinit(&web);
        return result;
    }
    result = web_security_create(out, &web, error);
    if (result == 0) {
        warn_of_expiry(web_security_expiry(*out));
    }
    return result;
}
