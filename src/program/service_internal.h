/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * service_internal.h - the running service: what it is made of, and how it takes another
 * configuration
 */

#include "base/attr.h"
#include "http/http_server.h"
#include "ingest/ingest.h"
#include "program/block_list_files.h"
#include "program/program.h"

struct service {
    const struct command_line *line;
    struct settings *settings;
    struct aggregator *aggregator;
    struct block_list_files block_lists;
    struct registry *registry;
    struct input_gauges inputs[INPUTS_MAX];
    unsigned input_count; /* that have been there since the start */
    struct output_counters outputs[OUTPUTS_MAX];
    struct archive_counters archive;
    struct http_server *http;
    struct web_security *security; /* the one in force */
    struct ingest *ingest;
    struct sandbox *sandbox; /* NULL: it is off */
    bool tls;                /* the web server speaks it */
    unsigned ticks;
    int signals; /* a signalfd */
};

/** Let /config show the configuration in force. */
NONNULL void service_show_configuration(struct service *service);

/** Log where an input listens. */
NONNULL void service_announce_input(const struct input_settings *input);

/** Read the configuration again, and go over to it if it is sound. Clients that asked for it by
 * request get their answer. */
NONNULL void service_reload(struct service *service);

/** Load the web configuration and its certificate again if a file of them has changed. Once a
 * second. */
NONNULL void service_renew_security(struct service *service);
