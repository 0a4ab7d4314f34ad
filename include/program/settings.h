/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * settings.h - everything that can be configured: the settings of all modules
 */

#include "base/log.h"
#include "client/suffix_settings.h"
#include "config/config.h"
#include "count/label_sets.h"
#include "detect/detect.h"
#include "expose/registry.h"
#include "http/web_settings.h"
#include "ingest/ingest_settings.h"
#include "relay/archive_settings.h"
#include "relay/output_settings.h"
#include "top/top_settings.h"

extern const char *const log_level_words[], *const log_format_words[]; /* then NULL */

/* clang-format off */
#define LOG_KEYS(KEY, S)                                                                           \
    KEY(S, choice, level, "log.level", "info", .live = true, .words = log_level_words,             \
        .help = "The least that is logged. debug writes a line for each event of a connection, "   \
                "also for those that info sums up once a minute.")                                 \
    KEY(S, choice, format, "log.format", "logfmt", .live = true, .words = log_format_words,        \
        .help = "The format of the log, on standard error.")
/* clang-format on */

/* clang-format off */
#define PROCESS_KEYS(KEY, S)                                                                       \
    KEY(S, on_off, sandbox, "sandbox", "on",                                                       \
        .help = "Whether the process gives up what it does not need, as far as the kernel can: new " \
                "privileges, files that the configuration does not name, TCP ports that are no "   \
                "output's, system calls. A reload that names a file in another folder needs a "    \
                "restart then.")                                                                   \
    KEY(S, user, user, "user", "",                                                                 \
        .help = "The user that the process becomes, if root starts it: after it has opened the web " \
                "server's sockets, and before it reads any other file than this one. A reload reads " \
                "this one as that user, too.")
/* clang-format on */

struct process_settings {
    PROCESS_KEYS(CONFIG_MEMBER, )
};

struct log_settings {
    LOG_KEYS(CONFIG_MEMBER, ) /* enum log_level, enum log_format */
};

struct settings {
    struct input_settings inputs[INPUTS_MAX]; /* the first input_count */
    unsigned input_count;
    struct output_settings outputs[OUTPUTS_MAX]; /* the first output_count */
    unsigned output_count;
    struct archive_settings archive;
    struct ingest_settings ingest;
    struct web_settings web;
    struct label_limits limits;
    struct exposition_settings exposition;
    struct top_settings top;
    struct client_privacy privacy;
    struct suffix_settings suffixes;
    struct detection_settings detection;
    struct detect_setup detectors;
    struct block_list_settings block_lists[BLOCK_LISTS_MAX]; /* the first block_list_count */
    unsigned block_list_count;
    struct process_settings process;
    struct log_settings log;
    bool has_default_input; /* nothing names an input: the one here is the built-in one */
};

/** The configuration file: config_load() and the others fill a struct settings by it. */
extern const struct config_schema settings_schema;
