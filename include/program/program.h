/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * program.h - what this program does; each command returns the exit status
 */

#include "base/attr.h"
#include "base/text.h"
#include "http/web_security.h"
#include "program/command_line.h"
#include "program/settings.h"
#include "sandbox/sandbox.h"

/** A mistake in the command line or the configuration. */
#define EXIT_USAGE 2

/** Do what the command line says. */
NONNULL int program_run(int argc, char *argv[]);

/** Print the messages of the files that `line` names, as it says. */
NONNULL int program_print(const struct command_line *line);

/** Count the frames of the files that `line` names and print the metrics. */
NONNULL int program_read(const struct command_line *line, const struct settings *settings);

/** Show the status of the exporter that `line` names, in a terminal or once. */
NONNULL int program_top(const struct command_line *line);

/** Listen and serve until a signal says that it is time to end. `settings` become the program's
 * own, and are left for the caller to end. */
NONNULL int program_serve(const struct command_line *line, struct settings *settings);

/** Check the configuration and what it names, and print what the program takes at the most. */
NONNULL int program_check(const struct command_line *line, const struct settings *settings);

/** What the program takes at the most, in bytes. */
struct program_memory {
    struct aggregator_memory metrics;
    size_t connections; /* of DNS servers */
    size_t outputs;
    size_t archive;
    struct registry_response_max response; /* there are two of each */
    size_t web;                            /* its connections */
    size_t history;
    size_t suffixes;    /* the public suffix list, twice in a reload */
    size_t block_lists; /* and one of them twice in a reload */
    size_t rest;        /* the program itself, its libraries and threads */
};

/** Say what the program takes that serves under this configuration, with `input_count` inputs on
 * its pages: also those that were removed since the start. */
NONNULL void program_memory_of(const struct settings *settings, unsigned input_count,
                               struct program_memory *out);

/** Print it, part by part, and the sum. */
NONNULL void program_print_memory(const struct program_memory *memory);

/** How many workers there are: as configured, or one for each CPU that the process may use, at most
 * two, which take more frames than a server can send. */
NONNULL unsigned program_workers(const struct settings *settings);

/** Report a failure on standard error: *error, or the negative errno where it is empty. */
NONNULL void program_fail(const struct text *error, int result);

/** Set up an aggregator as the configuration asks, with what `inputs` says of inputs, shards and
 * time; its window, if it has one, takes the place of the configuration's; its recordings are those
 * of the analysis. */
NONNULL struct aggregator_setup program_aggregator_setup(const struct settings *settings,
                                                         const struct aggregator_setup *inputs);

/** Make that aggregator, and give it the suffix list, the allowed names and the block lists of the
 *  configuration. On
 * success the caller frees *out. Returns 0, or a negative errno and what went wrong in *error. */
NONNULL MUST_USE int program_create_aggregator(struct aggregator **out,
                                               const struct settings *settings,
                                               const struct aggregator_setup *inputs,
                                               struct text *error);

/** Give the aggregator the suffix list and the allowed names of the configuration. As
 *  aggregator_set_suffixes(). */
NONNULL MUST_USE int program_set_suffixes(struct aggregator *aggregator,
                                          const struct settings *settings, struct text *error);

/** Load what the configuration's web.config_file asks for, or nothing where there is none. A
 * certificate that has expired is loaded, and the log says so. Files that the sandbox, unless it is
 * NULL, does not let this process read are refused. Returns 0 and *out for web_security_release(),
 * or as web_config_load(), sandbox_rules_check_web() and web_security_create(). */
MUST_USE int program_load_web(struct web_security **out, const struct settings *settings,
                              const struct sandbox *sandbox, struct text *error);

/** Listening sockets; -1 where there is none. */
struct program_sockets {
    int inputs[INPUTS_MAX];     /* that systemd has passed for an input of the configuration */
    int web[WEB_ADDRESSES_MAX]; /* [web_count] */
    unsigned web_count;
};

/** Take the sockets that systemd has passed, and listen where the web server does. Returns 0, or a
 *  negative errno and what went wrong in *error; in either case the caller ends with
 * program_close_sockets(), which closes those that nobody has taken over. */
NONNULL MUST_USE int program_open_sockets(struct program_sockets *sockets,
                                          const struct settings *settings, struct text *error);

NONNULL void program_close_sockets(const struct program_sockets *sockets);
