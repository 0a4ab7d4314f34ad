/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * command_line.h - the flags, and what the command line asks for
 *
 * The flags are one table, from which come --help, the manual page and the completions of shells.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"

enum flag_id {
    FLAG_OF_KEY, /* sets a key of the configuration */
    FLAG_CONFIG_FILE,
    FLAG_CONFIG_CHECK,
    FLAG_SERVER,
    FLAG_WINDOW, /* sets a key, too */
    FLAG_ONCE,
    FLAG_VERSION,
    FLAG_HELP,
};

/** How a shell completes the argument. */
enum flag_completion { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_YAML, COMPLETE_WORDS };

struct flag {
    enum flag_id id;
    const char *name;     /* "log.level" */
    const char *argument; /* "LEVEL"; NULL: there is none */
    const char *key;      /* of the configuration; NULL: none */
    bool repeats;         /* the flag may be given again */
    bool is_of_read;      /* it goes with the command read only */
    bool is_of_top;       /* with the command top only */
    enum flag_completion completion;
    const char *const *words; /* of COMPLETE_WORDS, NULL-terminated */
    const char *help;         /* sentences */
    const char *initial;      /* what holds without the flag; NULL: nothing */
};

#define FLAG_COUNT 16

/** Which exporter the command top shows. */
#define TOP_DEFAULT "http://127.0.0.1:9353"

extern const struct flag command_line_flags[FLAG_COUNT];

enum command {
    COMMAND_SERVE, /* listen and serve */
    COMMAND_READ,  /* read files, print the metrics */
    COMMAND_TOP,   /* show the status of an exporter in a terminal */
    COMMAND_CHECK, /* check the configuration */
    COMMAND_VERSION,
    COMMAND_HELP,
    COMMAND_INVALID, /* the command line is wrong; standard error has been told */
};

#define OVERRIDES_MAX 100 /* chosen: more than all inputs and addresses that there may be */

/** Borrowed from argv. */
struct command_line {
    const char *file; /* of the configuration; NULL: none */
    struct config_override overrides[OVERRIDES_MAX];
    unsigned override_count;
    char *const *files; /* COMMAND_READ: [file_count], at least one */
    int file_count;
    const char *server;  /* COMMAND_READ: stands for an empty identity; NULL: the default */
    const char *address; /* COMMAND_TOP: of the exporter */
    bool once;           /* COMMAND_TOP */
    bool has_window;     /* COMMAND_READ: the key `window` is meant, and not all of the files */
};

/** Read the arguments. */
NONNULL enum command command_line_parse(int argc, char *argv[], struct command_line *out);

/** Add the text of --help. */
NONNULL void command_line_print_help(struct text *out);
