/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * command_line.h - the flags, and what the command line asks for
 *
 * The flags are one table, from which come --help, the manual page and the completions of shells.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"

enum command {
    COMMAND_SERVE, /* listen and serve */
    COMMAND_READ,  /* read files, print the metrics */
    COMMAND_PRINT, /* read files, print the messages */
    COMMAND_TOP,   /* show the status of an exporter in a terminal */
    COMMAND_CHECK, /* check the configuration */
    COMMAND_VERSION,
    COMMAND_HELP,
    COMMAND_INVALID, /* the command line is wrong; standard error has been told */
    COMMAND_COUNT,
};

enum flag_id {
    FLAG_OF_KEY, /* sets a key of the configuration */
    FLAG_CONFIG_FILE,
    FLAG_CONFIG_CHECK,
    FLAG_SERVER,
    FLAG_WINDOW, /* sets a key, too */
    FLAG_ONCE,
    FLAG_FILTER, /* of messages, with the flag's name */
    FLAG_FORMAT,
    FLAG_LIMIT,
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
    unsigned commands;    /* that it goes with, a bit each; 0: all but print and top */
    enum flag_completion completion;
    const char *const *words; /* of COMPLETE_WORDS, NULL-terminated */
    const char *help;         /* sentences */
    const char *initial;      /* what holds without the flag; NULL: nothing */
};

#define FLAG_COUNT 27

/** What the command is called; NULL: it has no name. */
const char *command_name(enum command command);

/** Which exporter the command top shows. */
#define TOP_DEFAULT "http://127.0.0.1:9353"

extern const struct flag command_line_flags[FLAG_COUNT];

#define OVERRIDES_MAX 100 /* chosen: more than all inputs and addresses that there may be */

#define FILTERS_MAX   100 /* chosen: more than fit into a line that somebody types */

/** How the command print prints messages. */
enum print_format { PRINT_JSON, PRINT_TEXT, PRINT_FRAMES, PRINT_PDNS };

/** A filter of messages as it is given: `client` and an address for one. */
struct filter_argument {
    const char *name, *value;
};

/** Borrowed from argv. */
struct command_line {
    const char *file; /* of the configuration; NULL: none */
    struct config_override overrides[OVERRIDES_MAX];
    unsigned override_count;
    char *const *files; /* COMMAND_READ, COMMAND_PRINT: [file_count], at least one */
    int file_count;
    struct filter_argument filters[FILTERS_MAX]; /* COMMAND_PRINT: [filter_count] */
    unsigned filter_count;
    enum print_format format; /* COMMAND_PRINT */
    uint64_t limit;           /* COMMAND_PRINT: lines at the most */
    const char *server;       /* COMMAND_READ: stands for an empty identity; NULL: the default */
    const char *address;      /* COMMAND_TOP: of the exporter */
    bool once;                /* COMMAND_TOP */
    bool has_window;        /* COMMAND_READ: the key `window` is meant, and not all of the files */
    bool given[FLAG_COUNT]; /* of the flags: somebody wants it */
};

/** Read the arguments. */
NONNULL enum command command_line_parse(int argc, char *argv[], struct command_line *out);

/** Add the text of --help. */
NONNULL void command_line_print_help(struct text *out);
