/* SPDX-License-Identifier: Apache-2.0 */
/* What the program takes at the most, from the sizes of its tables. */
#include <stdio.h>
#include <unistd.h>

#include "base/cpu_limit.h"
#include "http/http_server.h"
#include "ingest/connection.h"
#include "ingest/opener.h"
#include "relay/archive.h"
#include "relay/output.h"
#include "program/program.h"

#define WORKERS_MAX 2 /* where the configuration leaves it to us */

#define MEBIBYTE    ((size_t)1024 * 1024)

/* Pages of metrics that fit into the memory for pages: one that is made while another is sent. */
#define PAGES 2

/* Measured: the program with its libraries after the start, the stacks of its threads, allocations
 * that come and go, and what the allocator cannot give back. */
#define PROGRAM_SIZE    (9 * MEBIBYTE)
#define THREAD_SIZE     (MEBIBYTE / 8)
#define SUFFIX_LIST_MAX (MEBIBYTE / 2) /* of 10,000 suffixes */

unsigned program_workers(const struct settings *settings)
{
    unsigned cpus = cpu_limit();

    if (settings->ingest.workers > 0) {
        return settings->ingest.workers;
    }
    return cpus > WORKERS_MAX ? WORKERS_MAX : cpus;
}

/* An input that connects to a server has one connection. */
static size_t memory_of_input(const struct settings *settings, const struct input_settings *input,
                              size_t per_connection)
{
    bool has_tls = tls_settings_are_on(&input->tls);
    size_t connection = connection_memory(settings->ingest.frame_size_max, has_tls) +
                        per_connection;

    return input->endpoint.is_dialled ? connection : settings->ingest.connections_max * connection;
}

static bool has_opener(const struct settings *settings)
{
    bool has = false;

    for (unsigned i = 0; i < settings->input_count; i++) {
        has |= tls_settings_are_on(&settings->inputs[i].tls) ||
               settings->inputs[i].endpoint.is_dialled;
    }
    return has;
}

void program_memory_of(const struct settings *settings, unsigned input_count,
                       struct program_memory *out)
{
    const struct aggregator_setup inputs = {
        .shard_count = program_workers(settings),
        .input_count = INPUTS_MAX,
    };
    struct aggregator_setup setup = program_aggregator_setup(settings, &inputs);
    bool has_archive = archive_is_on(&settings->archive);
    size_t threads = inputs.shard_count + settings->output_count + has_archive +
                     has_opener(settings) + settings->web.listen_addresses.count + 4;

    *out = (struct program_memory){
        .response = registry_response_max(&setup, input_count, settings->top.max_series,
                                          settings->output_count),
        .web = http_server_memory(settings->web.connections_max,
                                  settings->web.config_file[0] != '\0'),
        .archive = has_archive ? archive_memory() : 0,
        .connections = has_opener(settings) ? opener_memory() : 0,
        .suffixes = 2 * SUFFIX_LIST_MAX,
        .block_lists = setup.analysis.block_list_count == 0
                           ? 0
                           : (setup.analysis.block_list_count + (size_t)1) *
                                 name_list_memory(settings->detection.block_list_names_max),
        .rest = PROGRAM_SIZE + threads * THREAD_SIZE,
    };
    aggregator_memory(&setup, &out->metrics);
    out->history = registry_history_memory(&setup);
    for (unsigned i = 0; i < settings->input_count; i++) {
        out->connections += memory_of_input(settings, &settings->inputs[i],
                                            out->metrics.per_connection);
    }
    for (unsigned i = 0; i < settings->output_count; i++) {
        out->outputs += output_memory(&settings->outputs[i]);
    }
}

static void print_part(const char *name, size_t bytes, const char *keys)
{
    (void)printf("  %-26s%8.1f MiB  %s\n", name, (double)bytes / (double)MEBIBYTE, keys);
}

void program_print_memory(const struct program_memory *memory)
{
    const struct aggregator_memory *metrics = &memory->metrics;
    const struct {
        const char *name;
        size_t bytes;
        const char *keys;
    } parts[] = {
        {"counters", metrics->counters, "limits.series, answers, workers"},
        {"queries and responses", metrics->matching, "matching.capacity, workers"},
        {"lists", metrics->lists, "top.capacity, workers"},
        {"findings", metrics->findings, "detection.capacity, workers"},
        {"servers and codes", metrics->names, "limits.servers, workers"},
        {"connections", memory->connections, "inputs, limits.connections, limits.frame_size"},
        {"outputs", memory->outputs, "outputs"},
        {"archive", memory->archive, "archive.folder"},
        {"history", memory->history, "limits.series"},
        {"pages",
         PAGES * (memory->response.page + memory->response.json) + registry_json_parts_max(),
         "limits.series, limits.servers, top.max_series"},
        {"web connections", memory->web, "web.connections"},
        {"public suffix list", memory->suffixes, ""},
        {"block lists", memory->block_lists, "detection.block_list"},
        {"program and threads", memory->rest, "workers"},
    };
    size_t sum = 0;

    (void)printf("Memory at the most, whatever peers send:\n");
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "detector %s", detector_at(i)->name);
        print_part(name, metrics->detectors[i], "detection.capacity, workers");
        sum += metrics->detectors[i];
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        print_part(parts[i].name, parts[i].bytes, parts[i].keys);
        sum += parts[i].bytes;
    }
    print_part("sum", sum, "");
}
